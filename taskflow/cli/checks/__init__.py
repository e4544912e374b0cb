"""Checks of ``taskflow doctor``."""
