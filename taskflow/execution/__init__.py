"""One attempt of one run: context, call, outcome. Knows neither Celery nor Redis."""
