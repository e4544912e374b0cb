"""Log lines of attempts that failed: the error with the user's frames, once.

They go to the logger of Celery's tracer, in place of its line with the frames of Celery and taskflow. Error trackers
leave that logger to their integrations of Celery, which report the exception itself.
"""

import logging
from typing import Final

from taskflow.execution.outcome import Ended, Outcome, Retried
from taskflow.models import RunError
from taskflow.texts import visible, visible_line

_TRACE: Final = logging.getLogger("celery.app.trace")
_HEADER: Final = "Traceback (most recent call last):\n"
_last: list[RunError] = []
"""The error that Celery's tracer is about to log in this child."""


def note_failure(error: RunError) -> None:
    """Have the tracer log this error instead of the exception that it is given next."""
    _last[:] = [error]


def log_failure(task_id: str, run_id: str, outcome: Outcome) -> None:
    """Log a failure or a retry of a coroutine, which has no tracer."""
    match outcome:
        case Ended(error):
            _TRACE.error("%s", _failed(task_id, run_id, error))
        case Retried(error, delay):
            why = visible_line(f"{error.type}: {error.message}")
            _TRACE.info("Task %s[%s] retry in %.3gs: %s", task_id, visible_line(run_id), delay.total_seconds(), why)
        case _:
            pass


class UsersFrames(logging.Filter):
    """Replaces the traceback in the tracer's line about a failure."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record of a failure. Every record passes."""
        if record.exc_info and _last and isinstance(record.args, dict):
            task_id, run_id = str(record.args.get("name")), str(record.args.get("id"))
            record.msg, record.args = "%s", (_failed(task_id, run_id, _last.pop()),)
            record.exc_info = record.exc_text = None
        return True


def show_users_frames() -> None:
    """Install the filter in this process. Further calls change nothing."""
    if not any(isinstance(known, UsersFrames) for known in _TRACE.filters):
        _TRACE.addFilter(UsersFrames())


def _failed(task_id: str, run_id: str, error: RunError) -> str:
    shown = error.traceback.removeprefix(_HEADER).rstrip() or f"{error.type}: {error.message}"
    return f"Task {task_id}[{visible_line(run_id)}] failed:\n{visible(shown)}"
