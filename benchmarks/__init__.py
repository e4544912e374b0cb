"""taskflow against plain Celery, paired in one run: ``make bench``."""
