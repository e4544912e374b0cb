"""Forks a node only between two log lines, so that every child can log.

A thread that writes a log line holds the lock of the stream's buffer. A child forked in that moment inherits the held
lock, but not the thread that would release it. Its first line, Celery's "succeeded", would block it for ever. Python
gives a child new locks of handlers, not of streams (``logging/__init__.py: _after_at_fork_child_reinit_locks``). So
nothing is forked while a handler writes.
"""

import logging
import os
from functools import cache
from typing import Any, Final, cast

__all__ = ["fork_between_lines"]

_LONGEST: Final = 5.0  # s; a stream that nobody reads must not keep the node from replacing a child
_held: list[Any] = []


@cache
def fork_between_lines() -> None:
    """Fork this process only between two log lines from now on."""
    os.register_at_fork(before=_hold_handlers, after_in_parent=_release_handlers, after_in_child=_held.clear)


def _hold_handlers() -> None:
    for reference in cast(
        "list[Any]", vars(logging)["_handlerList"]
    ).copy():  # the handlers that logging.shutdown() closes
        handler: logging.Handler | None = reference()
        if handler is not None and handler.lock is not None and handler.lock.acquire(timeout=_LONGEST):
            _held.append(handler.lock)


def _release_handlers() -> None:
    while _held:
        _held.pop().release()
