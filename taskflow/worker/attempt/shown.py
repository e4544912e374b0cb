"""An attempt's outcome as Celery's tracer, events and signals show it."""

from collections.abc import Collection
from typing import Any, Final, TypeGuard, cast

from celery.exceptions import Ignore, Reject, Retry

from taskflow.errors.base import is_kind
from taskflow.execution.error_copies import chain
from taskflow.execution.outcome import Completed, Ended, Outcome, Retried
from taskflow.worker.attempt.failure_lines import note_failure

_PLAIN: Final = (type(None), bool, int, float, str)
_FEW: Final = 40
_CAUSES: Final = 100
_READ: Final = ("__class__", "__cause__", "__context__", "__suppress_context__", "__notes__", "args", "an unknown one")


class RunFailed(Exception):  # noqa: N818 - Celery shows it as the failure of a task whose child left no exception
    """An attempt that ended without an exception of its own, or with one whose texts are too large or too slow."""


def show(outcome: Outcome) -> object:
    """Return the value of an attempt, or raise Celery's retry or the user's own exception."""
    match outcome:
        case Completed(_, value):
            return value
        case Retried(error, delay, _, cause, is_handy):
            shown = cause if is_handy and _is_harmless(cause) else None
            raise Retry(f"{error.type}: {error.message}", shown, cast("Any", delay.total_seconds())) from shown
        case Ended(error, _, cause, is_handy):
            note_failure(error)
            if is_handy and _is_harmless(cause):
                raise cause
            raise RunFailed(f"{error.type}: {error.message}")


def is_plain(value: object) -> bool:
    """Whether Celery's tracer makes the text of a value at once, and by no code of the user's."""
    values: Collection[object] = [value]
    if type(value) is dict:
        values = [part for item in cast("dict[object, object]", value).items() for part in item]
    elif type(value) is list:
        values = cast("list[object]", value)
    return len(values) <= _FEW and all(type(each) in _PLAIN for each in values)


def _is_harmless(cause: BaseException | None) -> TypeGuard[Exception]:
    """Whether Celery takes it for a failure. A MemoryError would end the parent; Celery's signals mean other things."""
    if cause is None:
        return False
    is_failure = is_kind(cause, Exception) and not is_kind(cause, (MemoryError, Ignore, Reject, Retry))
    return is_failure and all(_answers(link.error) for link in chain(cause, _CAUSES))


def _answers(cause: BaseException) -> bool:
    """Whether an exception has the attributes that Celery and Python's traceback read, whatever its class has made."""
    try:
        for name in _READ:
            getattr(cause, name, None)
        cause.__traceback__ = cause.__traceback__
        return bool(cause) or True
    except Exception:  # noqa: BLE001 - its own code may raise anything
        return False
