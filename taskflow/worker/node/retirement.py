"""Retiring a node: it takes no new runs, and those that it executes have all the time that they need.

A worker that reloads code (``taskflow dev``) retires the nodes of the old code. SIGTERM, which bounds that time, may
follow.
"""

import os
import signal
from typing import Any, Final, cast

from celery import signals
from celery.worker import state

from taskflow.worker.node.terminal import SUPERVISED

RETIRE: Final = signal.SIGUSR2
"""The signal that retires a node. A node that was started by itself does not know it."""


def retire_at_signal(name: str) -> None:
    """Have the signal end Celery's loop, as SIGTERM does. On the main thread only.

    Args:
        name: The node's name. Receivers of ``worker_shutting_down`` get it, with the signal's.
    """
    if not os.environ.get(SUPERVISED):
        return
    node = os.getpid()

    def handle(*_: object) -> None:
        if os.getpid() != node:  # a child of the pool has the handler, too
            return
        try:
            signals.worker_shutting_down.send(sender=name, sig=RETIRE.name, how="Warm", exitcode=os.EX_OK)
        finally:
            cast("Any", state).should_stop = os.EX_OK

    signal.signal(RETIRE, handle)
