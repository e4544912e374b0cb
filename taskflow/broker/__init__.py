"""Celery's side of taskflow: queues, messages, publishing and the transport that takes tickets in batches.

A message says that a run may start, whether it may is the store's to say. Results and canvas ask the store through the
records that ``app.py`` binds; nothing else here knows it.
"""
