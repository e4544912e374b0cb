"""When a RabbitMQ ticket is acknowledged: once its run's code is over, or before the broker's patience is.

What is unacknowledged bounds what RabbitMQ sends, so no ticket waits in a busy node. But it closes the channel of a
message that stays unacknowledged for ``consumer_timeout`` (30 min), and runs may take days. So an old ticket is
acknowledged early, and from then on its run narrows the window by hand.
"""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final, cast

from celery import bootsteps

log = logging.getLogger("taskflow.node")
_RUN: Final[int] = cast("Any", bootsteps).RUN  # not in the stubs


@dataclass(slots=True, eq=False)
class _Held:
    message: Any
    since: float
    is_counted: bool = True
    """Whether the broker counts it: it is not acknowledged, and came over the present connection."""


class HeldTickets:
    """The tickets of one consumer whose runs are not over. On the hub's thread, but for what ``hold`` returns.

    Args:
        consumer: Celery's consumer, which outlives its connections.
        longest: After how long a ticket is acknowledged although its run is not over.
    """

    def __init__(self, consumer: Any, longest: timedelta) -> None:
        self._consumer = consumer
        self._longest = longest.total_seconds()
        self._held: set[_Held] = set()
        self._window = 0
        self._timer: Any = None

    def hold(self, message: Any) -> Callable[[], object]:
        """Keep a ticket unacknowledged. Returns what to call, from any thread, when its run's code is over."""
        held = _Held(message, time.monotonic())
        self._held.add(held)
        return partial(self._consumer.hub.call_soon, partial(self._end, held))

    def connect(self) -> None:
        """A connection was made: the broker will send again what came over the one before."""
        for held in self._held:
            held.is_counted = False
        self._window = max(
            1, self._room()
        )  # Celery starts to consume when its loop starts: what came now would find no
        with suppress(*self._consumer.connection_errors):  # handler, and end the node
            self._consumer.task_consumer.qos(prefetch_count=self._window)
        self._consumer.hub.call_soon(self._fit)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._consumer.hub.call_repeatedly(max(0.2, self._longest / 10), self._acknowledge_old)

    def _room(self) -> int:
        return max(0, int(self._consumer.pool.num_processes) - sum(not held.is_counted for held in self._held))

    def _end(self, held: _Held) -> None:
        self._held.discard(held)
        if held.is_counted:
            self._acknowledge(held.message)
        else:
            self._fit()

    def _acknowledge_old(self) -> None:
        before = time.monotonic() - self._longest
        for held in [held for held in self._held if held.is_counted and held.since < before]:
            held.is_counted = False
            self._acknowledge(held.message)
        self._fit()

    def _acknowledge(self, message: Any) -> None:
        with suppress(*self._consumer.connection_errors):  # gone: the ticket comes again and is dropped
            message.ack()

    def _fit(self) -> None:
        """Let the broker send as many tickets as may start. A quorum queue's window is a consumer's for its life."""
        consumer = self._consumer.task_consumer
        if consumer is None or self._consumer.blueprint.state != _RUN:  # it is being closed, and so may be the pool
            return
        window = self._room()
        if window == self._window:
            return
        self._window = window
        with suppress(*self._consumer.connection_errors):
            consumer.cancel()
            if window:
                consumer.qos(prefetch_count=window)
                consumer.consume()
        log.info("window.changed: the broker may send %d tickets", window)
