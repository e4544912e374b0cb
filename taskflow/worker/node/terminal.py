"""The lines of a node that ``taskflow worker`` has started: one for each event, and none of what that has printed."""

import logging
import os
import warnings
from typing import Any, Final, cast

import celery.apps.worker
from celery import platforms, signals

SUPERVISED: Final = "_TASKFLOW_SUPERVISED"
"""The environment variable of a node that ``taskflow worker`` has started."""
_CONNECTED: Final = ("celery.worker.consumer.connection", "Connected to ")
_DROPPED: Final = (
    ("celery.apps.worker", "%s ready."),
    ("taskflow.node", "task.unusable:"),
    ("taskflow.node", "task.no_schema:"),
)


def be_brief() -> None:
    """Leave out Celery's banner, and lines that repeat others. Does nothing in a node that was started by itself."""
    if os.environ.get(SUPERVISED):
        signals.celeryd_init.connect(_on_init, weak=False, dispatch_uid=SUPERVISED)


def _on_init(instance: Any, **_: object) -> None:
    instance.quiet = True
    warnings.filterwarnings(
        "ignore", category=cast("Any", platforms).SecurityWarning
    )  # about pickle, which no node accepts
    cast("Any", celery.apps.worker).safe_say = _say_nothing  # the supervisor says when it stops
    for name in (_CONNECTED[0], *(name for name, _ in _DROPPED)):
        logging.getLogger(name).addFilter(_OneLine())


def _say_nothing(*_: object) -> None:
    """Replace Celery's lines about signals."""


class _OneLine(logging.Filter):
    """Drops what ``node.ready`` and the supervisor say. A later connection is an event of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._was_connected = False

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name == _CONNECTED[0] and str(record.msg).startswith(_CONNECTED[1]):
            was_connected, self._was_connected = self._was_connected, True
            return was_connected
        return not any(record.name == name and str(record.msg).startswith(begin) for name, begin in _DROPPED)
