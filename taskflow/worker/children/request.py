"""Celery's request of a run in the parent process, to which a lost child is not the run's failure."""

from typing import Any

from billiard.exceptions import Terminated, WorkerLostError
from celery.worker.request import Request
from celery.worker.state import task_ready

_CHILD_GONE = (WorkerLostError, Terminated, SystemExit, KeyboardInterrupt)


class RunRequest(Request):
    """A ticket in Celery's hands. The outcome of the run is in the store, not here."""

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> None:
        """End the request in Celery's books. The node finishes the run of a lost child in the store."""
        error = getattr(exc_info.exception, "exc", exc_info.exception)
        if not isinstance(error, _CHILD_GONE):
            super().on_failure(exc_info, send_failed_event=send_failed_event, return_ok=return_ok)
            return
        task_ready(self)
        if not self.acknowledged:
            self.acknowledge()
        self.send_event("task-retried", exception=f"{type(error).__name__}: the child is gone", traceback="")
