"""Wait for a run's result, and say meanwhile why it does not start or go on."""

import time
from datetime import timedelta
from typing import Final

from taskflow.cli.printing import errors_console, show_note
from taskflow.errors import ResultTimeoutError
from taskflow.models import ReasonCode
from taskflow.seams.engine import Application

_PATIENCE_SECONDS: Final = 3.0
"""Most runs have ended by then, and nobody wonders."""


def awaited_output(flow: Application, run_id: str, timeout: timedelta | None) -> bytes:
    """Return a run's output JSON once it has completed. The reasons of a longer wait go to standard error.

    Raises:
        RunFailedError: The run did not complete.
        ResultTimeoutError: The run has not finished within the timeout.
    """
    until = None if timeout is None else time.monotonic() + timeout.total_seconds()
    told: ReasonCode | None = None
    with errors_console.status("waiting for the result ..."):
        while True:
            left = _PATIENCE_SECONDS if until is None else until - time.monotonic()
            try:
                return flow.engine.runs.output(run_id, timedelta(seconds=max(0.0, min(left, _PATIENCE_SECONDS))))
            except ResultTimeoutError as late:
                if timeout is not None and left <= _PATIENCE_SECONDS:
                    raise ResultTimeoutError(run_id, timeout, late.status) from None
            reason = flow.engine.runs.retrieve(run_id).reason
            if reason is not None and reason.code is not told:
                show_note(reason.text, "yellow")
            told = reason.code if reason is not None else None
