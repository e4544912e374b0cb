"""Celery's side of taskflow: queues, messages, publishing and the transport that takes tickets in batches.

A message is a ticket: a run may start if a node can claim it in the store. The result backend and the canvas reach the
store through the records that ``app.py`` binds. Nothing else in this package may depend on the store.
"""
