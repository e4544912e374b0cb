"""Describe what user code raised: type, message and a traceback without taskflow's own frames."""

import traceback
from pathlib import Path
from typing import Final

from taskflow.errors import TaskflowError
from taskflow.models import RunError

MESSAGE_CHARS: Final = 1000
FRAMES: Final = 50
LINE_CHARS: Final = 1024
"""The bounds of Trigger.dev's ``CORE/errors.ts``."""
_OWN_CODE = str(Path(__file__).parents[1])


def describe(error: BaseException) -> RunError:
    """Return the stored form of an exception, with its causes in the traceback, cut to size."""
    message = str(error)[:MESSAGE_CHARS].replace("\0", "")
    return RunError(type(error).__qualname__, message, _trimmed(error))


def _drop_own_frames(told: traceback.TracebackException | None) -> None:
    if told is not None:
        kept = [frame for frame in told.stack if not frame.filename.startswith(_OWN_CODE)]
        told.stack = traceback.StackSummary.from_list(kept)
        _drop_own_frames(told.__cause__)
        _drop_own_frames(told.__context__)


def _trimmed(error: BaseException) -> str:
    told = traceback.TracebackException.from_exception(error, limit=-FRAMES, compact=True)
    if isinstance(error, TaskflowError):
        told.__cause__ = told.__context__ = None  # how we found out says nothing about the task
    _drop_own_frames(told)
    lines = (line[:LINE_CHARS] for line in "".join(told.format()).splitlines())
    return "\n".join(lines).replace("\0", "")
