"""Receivers of Celery's signals: whatever one raises costs a log line, and nothing else.

Celery catches an ``Exception`` of a receiver. A ``SystemExit`` would end a child or the node's loop.
"""

import logging
from collections.abc import Callable
from functools import cache, partial
from typing import Any, Final, cast

from billiard.common import terminate_handler_fired  # type: ignore[attr-defined] # not in the stubs
from celery import signals

log = logging.getLogger("taskflow.node")
_SIGNALS: Final[tuple[Any, ...]] = (
    signals.task_received,
    signals.task_prerun,
    signals.task_postrun,
    signals.task_success,
    signals.task_failure,
    signals.task_retry,
    signals.task_revoked,
    signals.task_internal_error,
)


@cache
def guard_receivers() -> None:
    """Guard the receivers of the signals of tasks, in this process and in those that it forks."""
    for signal in _SIGNALS:
        signal._live_receivers = partial(_guarded, signal._live_receivers)


def has_receivers_of_outcomes() -> bool:
    """Whether code of the user's is called between the end of a run's function and the end of its request."""
    return bool(signals.task_success.receivers or signals.task_postrun.receivers)


def _guarded(find: Callable[[Any], list[Callable[..., object]]], sender: Any) -> list[Callable[..., object]]:
    return [partial(_call, receiver) for receiver in find(sender)]


def _call(receiver: Callable[..., object], **named: Any) -> object:
    try:
        return receiver(**named)
    except BaseException as error:
        if isinstance(error, Exception) or terminate_handler_fired():
            raise
        log.error("receiver.failed: %r raised %s", receiver, type(error).__name__, exc_info=error)
        return cast("object", error)
