"""A Celery app made from settings alone: ``celery -A taskflow.fleet worker``, for projects without one of their own."""

from taskflow.app import TaskFlow

flow = TaskFlow().set_default()
app = flow.celery
