"""``taskflow adopt``: read a Celery app, and say what each part of it becomes."""
