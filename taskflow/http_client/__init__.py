"""The engine behind verbs in a client of a server: the HTTP API instead of the run store. No Redis and no Celery."""
