"""Tickets on their way from the broker to an executor, and the adoption of plain Celery messages."""
