"""Celery's side of taskflow: queues, messages, publishing and the transport that takes tickets in batches.

Knows nothing of the run store: a message says that a run may start, whether it may is the store's to say.
"""
