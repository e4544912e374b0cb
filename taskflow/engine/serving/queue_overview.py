"""Every queue with the run that has waited longest in it and the reason why that one does not start."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from taskflow.engine.reasons.facts import Facts
from taskflow.engine.reasons.queued import queued
from taskflow.engine.round_trips import Steps, checked
from taskflow.models import QueueState, Reason
from taskflow.store.operations.overviews.queues import QueueHead, QueueHeads, read_queue_heads
from taskflow.store.operations.queues import merged, read_queues


@dataclass(frozen=True, slots=True)
class QueueOverview:
    """A queue with its state.

    Attributes:
        used: Slots that runs without a concurrency key hold.
        total_used: Slots that all its runs hold.
        oldest_at: Since when the run that has waited longest could start; None when none is queued.
        oldest_id: That run.
        reason: The reason why it does not start.
    """

    state: QueueState
    used: int = 0
    total_used: int = 0
    oldest_at: datetime | None = None
    oldest_id: str | None = None
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class QueuesOverview:
    """All queues by name, and the environment.

    Attributes:
        environment: Its limit, its burst factor, and whether it is paused; the loads are the sums of all queues.
        environment_used: Slots that it has given; 0 without a limit.
    """

    environment: QueueState
    environment_used: int
    queues: tuple[QueueOverview, ...]

    @property
    def oldest(self) -> QueueOverview | None:
        """The queue with the run that has waited longest; None when nothing is queued."""
        waiting = [each for each in self.queues if each.oldest_at is not None]
        return min(waiting, key=lambda each: each.oldest_at or datetime.max, default=None)

    @property
    def burst_limit(self) -> int | None:
        """The number of runs that the environment's queues may execute together; None without a limit."""
        limit, factor = self.environment.concurrency_limit, self.environment.burst_factor
        return None if limit is None else int(limit * (factor or 1.0) + 1e-9)


def overview(shards: Sequence[int]) -> Steps[QueuesOverview]:
    """Read all queues, in one round trip."""
    results = yield [(operation, shard) for shard in shards for operation in (read_queues(), read_queue_heads())]
    states: list[list[QueueState]] = [checked(result) for result in results[::2]]
    heads: list[QueueHeads] = [checked(result) for result in results[1::2]]
    by_name = {head.name: head for each in heads for head in each.heads}
    queues = [state for each in states for state in each if state.name]
    environment = merged([each[0] for each in states])
    return QueuesOverview(
        _with_loads(environment, queues),
        sum(each.environment_used for each in heads),
        tuple(_joined(state, by_name.get(state.name)) for state in sorted(queues, key=lambda state: state.name)),
    )


def overview_of(queue: str, shard: int) -> Steps[QueueOverview]:
    """Read one queue.

    Raises:
        QueueNotFoundError: No such queue.
    """
    state, heads = yield [(read_queues(queue), shard), (read_queue_heads(queue), shard)]
    return _joined(checked(state)[0], next(iter(checked(heads).heads), None))


def _joined(state: QueueState, head: QueueHead | None) -> QueueOverview:
    if head is None:
        return QueueOverview(state)
    oldest = head.oldest
    return QueueOverview(
        state,
        head.used,
        head.total_used,
        head.oldest_at,
        oldest.run.id if oldest else None,
        queued(oldest, Facts(oldest.facts)) if oldest else None,
    )


def _with_loads(environment: QueueState, queues: Sequence[QueueState]) -> QueueState:
    return replace(
        environment,
        running=sum(state.running for state in queues),
        queued=sum(state.queued for state in queues),
        delayed=sum(state.delayed for state in queues),
        pending_version=sum(state.pending_version for state in queues),
    )
