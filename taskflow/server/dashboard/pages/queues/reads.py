"""The reads of the pages of queues. All open pages share them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from taskflow.engine.engine import Engine
from taskflow.engine.serving.queue_overview import QueueOverview, QueuesOverview
from taskflow.errors import HistoryUnavailableError
from taskflow.seams.activity import QueueLoad
from taskflow.server.dashboard.shared_reads import shared
from taskflow.store.operations.overviews.queues import QueueKeyPage

_SECONDS: Final = 1.8
"""Pages ask every two seconds."""
_HISTORY_SECONDS: Final = 30.0
_POINTS: Final = 30


async def read_queues(engine: Engine) -> QueuesOverview:
    """Return all queues and the environment."""
    return await shared(engine, "queues", _SECONDS, engine.queues.aoverview)


async def read_queue(engine: Engine, name: str) -> QueueOverview:
    """Return one queue.

    Raises:
        QueueNotFoundError: No such queue.
    """
    return await shared(engine, f"queue {name}", _SECONDS, lambda: engine.queues.aoverview_of(name))


async def read_keys(engine: Engine, name: str, cursor: str = "") -> QueueKeyPage:
    """Return a page of a queue's concurrency keys."""
    return await shared(engine, f"keys {name} {cursor}", _SECONDS, lambda: engine.queues.akeys(name, cursor))


async def read_tasks_by_queue(engine: Engine) -> Mapping[str, Sequence[str]]:
    """Return the registered tasks of each queue."""

    async def read() -> Mapping[str, Sequence[str]]:
        found: dict[str, list[str]] = {}
        for task in await engine.nodes.atasks():
            found.setdefault(task.queue, []).append(task.id)
        return found

    return await shared(engine, "tasks by queue", _HISTORY_SECONDS, read)


async def read_loads(engine: Engine, name: str) -> Sequence[QueueLoad]:
    """Return the load of a queue in each five minutes of the last day; nothing without a history."""

    async def read() -> Sequence[QueueLoad]:
        now = datetime.now(UTC)
        try:
            return await engine.activity.aqueue_loads(name, now - timedelta(days=1), now)
        except HistoryUnavailableError:
            return ()

    return await shared(engine, f"loads {name}", _HISTORY_SECONDS, read)


async def read_ended(engine: Engine) -> Mapping[str, Sequence[int]]:
    """Return the runs of each queue's tasks that ended in each two minutes of the last hour; {} without a history."""

    async def read() -> Mapping[str, Sequence[int]]:
        now = datetime.now(UTC)
        try:
            activity = await engine.activity.atasks(now - timedelta(hours=1), now, _POINTS)
        except HistoryUnavailableError:
            return {}
        found: dict[str, list[int]] = {}
        for queue, tasks in (await read_tasks_by_queue(engine)).items():
            bars = [activity[task].bars for task in tasks if task in activity]
            if bars:
                found[queue] = [sum(bar.total for bar in column) for column in zip(*bars, strict=False)]
        return found

    return await shared(engine, "ended by queue", _HISTORY_SECONDS, read)
