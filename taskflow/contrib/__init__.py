"""Rooms for web frameworks. Nothing of taskflow imports them, except the command."""
