"""A Celery app made from settings, for projects without an app of their own: ``celery -A taskflow.fleet worker``."""

from taskflow.app import TaskFlow

flow = TaskFlow().set_default()
app = flow.celery
