"""The engine behind charts: how many runs have ended in a period, by task, and how long they took.

The numbers come from counts that the history keeps, so that nothing reads the runs themselves.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from taskflow.engine.lookup import Lookup
from taskflow.models import RunStatus
from taskflow.seams.activity import Bar, Quantiles, QueueLoad, TaskActivity


class ActivityEngine:
    """Reads the counts of the history. Without a history there are none: ``is_kept``."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    def is_kept(self) -> bool:
        """Whether there is a history, which counts the runs that end.

        Raises:
            HistoryUnavailableError: The history's database did not answer.
        """
        return self._lookup.is_ready()

    def has_database(self) -> bool:
        """Whether the settings name a history, which may not have been made yet."""
        return self._lookup.reader() is not None

    def bars(self, since: datetime, until: datetime, most: int = 96, tasks: Sequence[str] = ()) -> Sequence[Bar]:
        """Return the runs that ended in a period, in about ``most`` bars; empty without a history.

        Args:
            tasks: The ids of the tasks that count, all if empty.

        Raises:
            HistoryUnavailableError: The history's database did not answer.
        """
        reader = self._lookup.reader()
        if reader is None:
            return ()
        from taskflow.history.activity import bars_of

        return bars_of(reader, since, until, most, tasks)

    def tasks(
        self, since: datetime, until: datetime, most: int = 24, tasks: Sequence[str] = ()
    ) -> Mapping[str, TaskActivity]:
        """Return the activity of each task that had a run that ended in a period; empty without a history.

        Args:
            most: About how many bars each task has.

        Raises:
            HistoryUnavailableError: The history's database did not answer.
        """
        reader = self._lookup.reader()
        if reader is None:
            return {}
        from taskflow.history.activity import tasks_of

        return tasks_of(reader, since, until, most, tasks)

    def durations(
        self, task_id: str, since: datetime, until: datetime, most: int = 96
    ) -> Sequence[tuple[datetime, Quantiles]]:
        """Return how long a task's runs took that ended in a period, by bar; empty without a history.

        Raises:
            HistoryUnavailableError: The history's database did not answer.
        """
        reader = self._lookup.reader()
        if reader is None:
            return ()
        from taskflow.history.activity import durations_of

        return durations_of(reader, since, until, most, task_id)

    def live(self) -> Mapping[tuple[str, RunStatus], int]:
        """Return how many runs have not ended, by task and status, as the history has them: some seconds ago.

        Raises:
            HistoryUnavailableError: The history's database did not answer.
        """
        reader = self._lookup.reader()
        if reader is None:
            return {}
        from taskflow.history.activity import live_counts

        return live_counts(reader)

    def queue_loads(
        self, queue: str, since: datetime, until: datetime, step: timedelta = timedelta(minutes=5)
    ) -> Sequence[QueueLoad]:
        """Return the highest loads of a queue in parts of a period of the last 25 hours; empty without a history.

        Args:
            step: The length of a part, at least a minute.

        Raises:
            HistoryUnavailableError: The history's database did not answer.
        """
        reader = self._lookup.reader()
        if reader is None:
            return ()
        from taskflow.history.queue_samples import samples_of

        return samples_of(reader, queue, since, until, step)

    async def aqueue_loads(
        self, queue: str, since: datetime, until: datetime, step: timedelta = timedelta(minutes=5)
    ) -> Sequence[QueueLoad]:
        """``queue_loads`` for event loops."""
        return await asyncio.to_thread(self.queue_loads, queue, since, until, step)

    async def abars(self, since: datetime, until: datetime, most: int = 96, tasks: Sequence[str] = ()) -> Sequence[Bar]:
        """``bars`` for event loops."""
        return await asyncio.to_thread(self.bars, since, until, most, tasks)

    async def atasks(
        self, since: datetime, until: datetime, most: int = 24, tasks: Sequence[str] = ()
    ) -> Mapping[str, TaskActivity]:
        """``tasks`` for event loops."""
        return await asyncio.to_thread(self.tasks, since, until, most, tasks)
