"""The fleet: what a user's own project looks like. ``celery -A workers worker|flower|inspect`` finds ``app`` here."""

from taskflow import TaskFlow

flow = TaskFlow(tasks=["workers.tasks"]).set_default()
app = flow.celery
