"""The ends of runs for callers of other processes: many at a time, and all of the environment as they happen."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial
from typing import Any, Final

from taskflow.engine.lookup import Lookup
from taskflow.engine.loops import Loop
from taskflow.engine.many_runs import ManyRuns
from taskflow.engine.results import Result
from taskflow.engine.round_trips import Blocking, Steps, adrive
from taskflow.errors import RunNotFoundError
from taskflow.objects.address import is_address
from taskflow.objects.large_values import LargeValues
from taskflow.store import operations

_GATHER_SECONDS: Final = 0.002
"""Ends that are written within this time go out together."""


class EndEngine:
    """Reads ends of runs. For event loops."""

    def __init__(self, many: ManyRuns, lookup: Lookup, large_values: LargeValues, loop: Callable[[], Loop]) -> None:
        self._many, self._lookup, self._large_values, self._loop = many, lookup, large_values, loop

    async def aread(self, run_ids: Sequence[str]) -> dict[str, Result]:
        """Return the status of each run, with output and error if it has ended. Unknown runs are left out."""
        return await adrive(self._loop().store, self._read(run_ids))

    async def afollow(self) -> AsyncGenerator[Sequence[str]]:
        """Yield the ids of runs that end from now on: first none, once it follows, then some at a time.

        The capped stream of ends may lose entries to a reader that is away for long: look at runs now and then.
        """
        async with self._loop().results.ends() as (ended, news):
            yield []
            while True:
                await news.wait()
                await asyncio.sleep(_GATHER_SECONDS)
                news.clear()
                taken, ended[:] = list(ended), []
                yield taken

    def _read(self, run_ids: Sequence[str]) -> Steps[dict[str, Result]]:
        results: list[Any] = yield from self._many.each(run_ids, operations.runs.read_result)
        found: dict[str, Result] = {}
        for run_id, result in zip(run_ids, results, strict=True):
            if isinstance(result, RunNotFoundError):
                old = yield Blocking(partial(self._old, run_id))
                if old is not None:
                    found[run_id] = old
                continue
            if isinstance(result, Exception):
                raise result
            found[run_id] = result
        for run_id, (status, output, error) in found.items():
            if output and is_address(output):
                found[run_id] = status, (yield Blocking(partial(self._large_values.load, output))), error
        return found

    def _old(self, run_id: str) -> Result | None:
        try:
            return self._lookup.end(run_id)
        except RunNotFoundError:
            return None
