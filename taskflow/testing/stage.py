"""The application of one test: moving time, and the runs that were triggered. The same for both ways of execution."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from taskflow.app import TaskFlow
from taskflow.definition.calls.run_filter import RunFilter
from taskflow.models import Run
from taskflow.testing.comparing import ANYTHING, got_json, problem, wanted_json
from taskflow.testing.describing import line_of
from taskflow.testing.made_order import made_order
from taskflow.testing.moved_clock import MovedClock
from taskflow.verbs.task import Task

_PAGE: Final = 1000
AnyTask = Task[Any, Any] | str


class Stage(ABC):
    """An application and a clock for one test.

    Attributes:
        flow: The application that verbs use.
    """

    def __init__(self, flow: TaskFlow, clock: MovedClock) -> None:
        self.flow, self._clock = flow, clock

    @property
    def is_inline(self) -> bool:
        """Whether runs execute in this process."""
        return True

    def now(self) -> datetime:
        """Return the present instant of the test, in UTC."""
        return self._clock.now()

    def advance(self, duration: timedelta | None = None, /, **units: float) -> None:
        """Let time pass: for waits, delays, retries, schedules, time limits of keys and tokens.

        Time goes to each instant at which something is due, one after the other, and what is due then happens, before
        it goes on. So ten days have ten ticks of a daily schedule.

        Args:
            duration: How long. Or its units: ``advance(days=2, hours=1)``.
        """
        self._advance(timedelta(**units) if duration is None else duration + timedelta(**units))

    async def aadvance(self, duration: timedelta | None = None, /, **units: float) -> None:
        """Let time pass, in a test that is a coroutine. See ``advance``."""
        await self._in_thread(partial(self.advance, duration, **units))

    async def asettle(self) -> None:
        """Return once nothing goes on by itself, in a test that is a coroutine. See ``settle``."""
        await self._in_thread(self.settle)

    async def _in_thread(self, act: Callable[[], None]) -> None:
        await asyncio.to_thread(act)

    @abstractmethod
    def settle(self) -> None:
        """Return once every run has ended, or waits for time, for a token or for anything else from outside."""

    @abstractmethod
    def _advance(self, duration: timedelta) -> None:
        """Let time pass."""

    def triggered(self, task: AnyTask | None = None) -> list[Run]:
        """Return the runs that were triggered in this test, by its code and by other runs, oldest first.

        Args:
            task: A task or its id. Default: the runs of all tasks.
        """
        where = RunFilter() if task is None else RunFilter(task=_id_of(task))
        ids: list[str] = []
        cursor: str | None = None
        while True:
            page = self.flow.engine.runs.list(_PAGE, where, cursor)
            ids += [run.id for run in page.runs]
            cursor = page.cursor
            if cursor is None:
                break
        places = made_order(self.flow.store)
        ids.sort(key=lambda run_id: places.get(run_id, len(places)))
        return [self.flow.engine.runs.retrieve(run_id) for run_id in ids]

    def assert_triggered(self, task: AnyTask, payload: object = ANYTHING, *, times: int | None = None) -> list[Run]:
        """Check that a task was triggered, and return the runs that match.

        Args:
            payload: Only runs with this payload count. A model of the task, or data that fits it.
            times: How many. Default: at least one.

        Raises:
            AssertionError: It was not. The text shows the runs that come near.
        """
        task_id = _id_of(task)
        found = self.triggered(task)
        registry = self.flow.registry
        wanted = wanted_json(registry, task_id, payload)
        matching = [run for run in found if wanted is ANYTHING or got_json(registry, run) == wanted]
        if (len(matching) == times) if times is not None else matching:
            return matching
        others = {} if found else self._counts()
        raise AssertionError(problem(task_id, wanted, times, found, matching, others))

    def _counts(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for run in self.triggered():
            counts[run.task_id] = counts.get(run.task_id, 0) + 1
        return counts

    def waiting(self) -> Sequence[str]:
        """Describe the runs that have not ended, one line each."""
        return [line_of(run) for run in self.triggered() if not run.is_finished]


def _id_of(task: AnyTask) -> str:
    return task if isinstance(task, str) else task.definition.id
