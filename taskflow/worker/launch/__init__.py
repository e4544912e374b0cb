"""The ``taskflow worker`` command: plans nodes for this host, starts and supervises them."""
