"""An example project, as a user would write it. ``celery -A workers worker|flower|inspect`` finds ``app`` here."""

from taskflow import TaskFlow

flow = TaskFlow(tasks=["workers.tasks"]).set_default()
app = flow.celery
