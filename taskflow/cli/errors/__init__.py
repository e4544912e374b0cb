"""``taskflow errors``."""
