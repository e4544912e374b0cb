"""``taskflow schedules``."""
