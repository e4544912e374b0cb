"""Describe an exception of user code: type, message and a traceback without taskflow's own frames."""

import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from taskflow.errors import TaskflowError
from taskflow.models import ErrorCause, RunError
from taskflow.texts import escaped

MESSAGE_CHARS: Final = 1000
FRAMES: Final = 50
LINE_CHARS: Final = 1024
CAUSES: Final = 10
"""The bounds of Trigger.dev's ``CORE/errors.ts``."""
_OWN_CODE = str(Path(__file__).parents[1])


def describe(error: BaseException) -> RunError:
    """Return the stored form of an exception, with its causes, cut to size."""
    return RunError(_name(error), _message(error), _trimmed(error), tuple(_causes(error)))


def _message(error: BaseException) -> str:
    try:
        return escaped(str(error)[:MESSAGE_CHARS]).replace("\0", "")
    except Exception:  # noqa: BLE001 - its own __str__ is user code
        return f"(the message of this {_name(error)} cannot be read)"


def _causes(error: BaseException) -> Iterator[ErrorCause]:
    """Yield the errors that Python prints above a traceback, at most ``CAUSES``: a chain may be a loop."""
    if isinstance(error, TaskflowError):
        return
    for _ in range(CAUSES):
        cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if cause is None:
            return
        yield ErrorCause(_name(cause), _message(cause))
        error = cause


def _drop_own_frames(summary: traceback.TracebackException | None) -> None:
    if summary is not None:
        kept = [frame for frame in summary.stack if not frame.filename.startswith(_OWN_CODE)]
        summary.stack = traceback.StackSummary.from_list(kept)
        _drop_own_frames(summary.__cause__)
        _drop_own_frames(summary.__context__)


def _trimmed(error: BaseException) -> str:
    summary = traceback.TracebackException.from_exception(error, limit=-FRAMES, compact=True)
    if isinstance(error, TaskflowError):
        summary.__cause__ = summary.__context__ = None  # they are of our code, not of the task's
    _drop_own_frames(summary)
    lines = (line[:LINE_CHARS] for line in "".join(summary.format()).splitlines())
    return escaped("\n".join(lines)).replace("\0", "")


def _name(error: BaseException) -> str:
    return escaped(type(error).__qualname__).replace("\0", "")
