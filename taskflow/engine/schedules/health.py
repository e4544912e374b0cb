"""The health of schedules: how late the next one is, and which cannot be fired. For ``taskflow doctor``."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from taskflow.definition.scheduling.schedule import Schedule
from taskflow.store.operations.schedules.calls import due_schedules, list_schedules
from taskflow.store.sync_store import Store

_PAGE: Final = 500
_MOST: Final = 20_000


@dataclass(frozen=True, slots=True)
class ScheduleHealth:
    """The schedules of all shards.

    Attributes:
        lag: How late the tick is that should have fired first; 0 when none is due.
        failing: Schedules whose last tick could not be fired, among the first 20,000.
    """

    count: int
    lag: timedelta
    failing: tuple[Schedule, ...]


def schedule_health(store: Store) -> ScheduleHealth:
    """Return the health of all schedules.

    Raises:
        StoreUnavailableError: The store did not answer.
    """
    count, lag, failing = 0, 0, list[Schedule]()
    for shard in range(store.config.shards):
        lag = max(lag, store.run(due_schedules(1), shard=shard).total)
        offset, total = 0, 1
        while offset < min(total, _MOST):
            read = store.run(list_schedules(offset, _PAGE), shard=shard)
            failing += [each.schedule for each in read.found if each.schedule.error]
            offset, total = offset + _PAGE, read.total
        count += total
    return ScheduleHealth(count, timedelta(milliseconds=lag), tuple(failing))
