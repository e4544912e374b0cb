"""The ``process`` executor: Celery's prefork pool, one run at a time in each child."""
