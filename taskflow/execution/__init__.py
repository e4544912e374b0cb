"""One attempt of one run: context, call, outcome. Imports neither Celery nor Redis."""
