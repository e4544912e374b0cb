"""``taskflow webhooks``."""
