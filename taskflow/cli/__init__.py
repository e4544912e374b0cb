"""The ``taskflow`` command."""
