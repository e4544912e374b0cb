"""Rows of the table of queues: what is shown of each queue. Nothing depends on who reads it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from taskflow.engine.serving.queue_overview import QueueOverview
from taskflow.models import QueueState, ReasonCode
from taskflow.server.dashboard.view.instants import is_slow
from taskflow.server.dashboard.view.numbers import number


@dataclass(frozen=True, slots=True)
class State:
    """The reason why the oldest queued run of a queue does not start, in two words."""

    word: str
    tone: str = ""
    icon: str = ""


_OPEN: Final = State("Open")
_AT_LIMIT: Final = State("At its limit", "blue", "s-QUEUED")
_STATES: Final = {
    ReasonCode.CONCURRENCY_LIMIT: _AT_LIMIT,
    ReasonCode.TOTAL_LIMIT: _AT_LIMIT,
    ReasonCode.KEY_LIMIT: State("Keys at limit", "blue", "s-QUEUED"),
    ReasonCode.RATE_LIMIT: State("Rate limit", "blue", "s-QUEUED"),
    ReasonCode.QUEUE_PAUSED: State("Paused", "amber", "i-pause"),
    ReasonCode.ENVIRONMENT_PAUSED: State("Environment paused", "amber", "i-pause"),
    ReasonCode.ENVIRONMENT_LIMIT: State("Environment full", "blue", "s-QUEUED"),
    ReasonCode.NO_WORKER: State("No worker", "amber", "s-PENDING_VERSION"),
    ReasonCode.BROKER_REFUSES: State("Broker refuses", "red", "s-FAILED"),
    ReasonCode.WORKERS_BUSY: State("Workers busy", "blue", "s-QUEUED"),
}


_PERIODS: Final = {"1s": "s", "60s": "m", "3600s": "h", "86400s": "d"}


@dataclass(frozen=True, slots=True)
class Used:
    """The runs that execute, and the end of the phrase: ``5``, `` of 6``. ``share``: of a meter, None without one."""

    running: int
    rest: str
    share: float | None


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A queue in the table.

    Attributes:
        why: The sentence why its oldest queued run does not start; "" when none is queued.
        override: The limit that was set, beside the declared one; "" without.
        points: How many of its tasks' runs ended in each two minutes of the last hour; none without a history.
    """

    queue: QueueState
    state: State
    why: str
    used: Used
    oldest_at: datetime | None
    is_slow: bool
    override: str
    points: Sequence[int]

    @property
    def name(self) -> str:
        """The queue's name."""
        return self.queue.name

    @property
    def rate(self) -> str:
        """Its rate limit, ``600/m``; "" without one."""
        count, _, period = (self.queue.rate_limit or "").partition("/")
        return f"{number(int(count))}/{_PERIODS.get(period, period)}" if count else ""

    @property
    def top(self) -> int:
        """The highest of the points, at least 1."""
        return max(1, *self.points) if self.points else 1

    @property
    def ended(self) -> int:
        """Its tasks' runs that ended in the last hour."""
        return sum(self.points)

    @classmethod
    def of(cls, overview: QueueOverview, points: Sequence[int] = ()) -> "QueueRow":
        """Return the row of a queue."""
        queue = overview.state
        return cls(
            queue,
            _state(overview),
            overview.reason.text if overview.reason else "",
            used_of(overview),
            overview.oldest_at,
            is_slow(overview.oldest_at),
            _override(queue),
            points,
        )


def limit_of(overview: QueueOverview) -> int | None:
    """Return the limit of all runs of a queue together; None without one, and where each key has its own."""
    queue = overview.state
    if queue.total_limit is not None:
        return queue.total_limit
    return queue.concurrency_limit if overview.used == overview.total_used else None


def used_of(overview: QueueOverview) -> Used:
    """Return how many runs of a queue execute, against the limit that counts them."""
    queue = overview.state
    if queue.total_limit is not None:
        return _of(overview.total_used, queue.total_limit)
    if queue.per_key_limit is not None and overview.used != overview.total_used:
        return Used(queue.running, f", {number(queue.per_key_limit)} a key", None)
    if queue.concurrency_limit is not None and overview.used == overview.total_used:
        return _of(max(overview.used, 0), queue.concurrency_limit)
    if queue.concurrency_limit is not None:
        return Used(queue.running, f", {number(queue.concurrency_limit)} a key", None)
    return Used(queue.running, ", no limit", None)


def _of(running: int, limit: int) -> Used:
    return Used(running, f" of {number(limit)}", min(100.0, 100 * running / limit) if limit else 100.0)


def _state(overview: QueueOverview) -> State:
    if overview.state.is_paused:
        return _STATES[ReasonCode.QUEUE_PAUSED]
    if overview.reason is None:
        return _OPEN
    return _STATES.get(overview.reason.code, _OPEN)


def _override(queue: QueueState) -> str:
    if queue.overridden_at is None:
        return ""
    return f"Override: {number(queue.concurrency_limit)}, declared {number(queue.declared_limit)}"
