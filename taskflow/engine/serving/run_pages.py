"""Pages of runs in both directions, as the HTTP API has them: each of the store's newest runs and of the history."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from taskflow.definition.calls.run_filter import RunFilter, RunPosition
from taskflow.engine.lookup import Lookup, matches, only_in_history
from taskflow.engine.loops import Loop
from taskflow.engine.many_runs import ManyRuns
from taskflow.engine.round_trips import Blocking, Steps, adrive, checked
from taskflow.errors import RunFilterError
from taskflow.models import Run
from taskflow.store import operations

Found = tuple[list[Run], bool]
_NEWEST: Final = 100
"""At least so many of the store's newest runs of each state complete a page, so that a small one misses none."""


class RunPages:
    """Lists runs around a position."""

    def __init__(self, many: ManyRuns, lookup: Lookup, loop: Callable[[], Loop], shards: int) -> None:
        self._many, self._lookup, self._loop, self._shards = many, lookup, loop, shards

    async def apage(self, wanted: Sequence[RunFilter], limit: int, at: RunPosition | None) -> Found:
        """Return up to ``limit`` runs that match any of the filters, newest first, and whether more are on that side.

        Runs that are too new for the history are those of the store's newest ones: as many of each state as the page
        has, and at least 100. Without a history all runs of the store are looked at.

        Raises:
            RunFilterError: A condition needs the history, and there is none.
            HistoryUnavailableError: The history's database did not answer.
        """
        return await adrive(self._loop().store, self._page(wanted, limit, at))

    async def acount_live(self) -> int:
        """Return how many runs have not ended, from counters of the store."""
        shards = range(self._shards)
        counts = await self._loop().store.run_many([(operations.runs.count_live(), shard) for shard in shards])
        return sum(checked(count) for count in counts)

    def _page(self, wanted: Sequence[RunFilter], limit: int, at: RunPosition | None) -> Steps[Found]:
        old: list[Run] = []
        if (yield Blocking(self._lookup.is_ready)):
            newest = operations.runs.list_runs(max(limit + 1, _NEWEST))
            listed = yield [(newest, shard) for shard in range(self._shards)]
            recent = [run for runs in listed for run in checked(runs)]
            for where in wanted:
                old += yield Blocking(partial(self._lookup.window, where, limit + 1, at))
        else:
            recent = yield from self._in_store(wanted)
        return _joined(old, recent, wanted, limit, at)

    def _in_store(self, wanted: Sequence[RunFilter]) -> Steps[list[Run]]:
        found: list[Run] = []
        for where in wanted:
            if only_in_history(where):
                raise RunFilterError(
                    "version/schedule", where.version or where.schedule, "This needs the history, and there is none."
                )
            found += yield from self._many.search(where)
        return found


def _joined(
    old: Sequence[Run], recent: Sequence[Run], wanted: Sequence[RunFilter], limit: int, at: RunPosition | None
) -> Found:
    newer = {run.id: run for run in recent}
    runs = {run.id: run for run in old if run.id not in newer}
    runs |= {
        run.id: run
        for run in newer.values()
        if (at is None or at.has(run)) and any(matches(run, where) for where in wanted if not only_in_history(where))
    }
    ordered = sorted(runs.values(), key=lambda run: (run.created_at, run.id), reverse=True)
    has_more = len(ordered) > limit
    is_before = at is not None and at.is_before
    return ordered[-limit:] if is_before else ordered[:limit], has_more
