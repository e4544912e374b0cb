"""Runs as a line of text, in the errors of tests."""

from taskflow.models import Run


def line_of(run: Run) -> str:
    """Describe a run that has not ended."""
    why = f": {run.reason.text}" if run.reason else ""
    return f"{run.task_id} ({run.id}) is {run.status}{why}"
