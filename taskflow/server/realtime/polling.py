"""Answer a request for a shape: at once with all rows, later when a row has changed or the client has waited enough."""

import asyncio
import random
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from taskflow.engine.feeds.feed import RunFeed
from taskflow.errors import StoreUnavailableError
from taskflow.models import Run
from taskflow.objects.large_values import is_resolved
from taskflow.server.call import Call
from taskflow.server.realtime.event_stream import hung_up
from taskflow.server.realtime.rows import row, update_of, without
from taskflow.server.realtime.run_sets import RunSet
from taskflow.server.realtime.shape import ShapeRequest, shape_body, shape_headers

_HOLD_SECONDS: Final = 20.0
_JITTER: Final = 0.15
_AWAY_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class _Changes:
    """The runs of a set that have changed behind the client's position, and the position that they reach."""

    runs: Sequence[Run]
    positions: tuple[int, ...]


async def answer_shape(call: Call, request: ShapeRequest, wanted: RunSet, skipped: frozenset[str]) -> Response:
    """Return the answer of a request for the rows of a set.

    Raises:
        RunNotFoundError, BatchNotFoundError: The one run, or the batch, does not exist.
        StoreUnavailableError: The store did not answer the first request.
    """
    feed = call.engine.feed()
    shards = feed.shards if wanted.run_id is None else [await feed.shard_of(wanted.run_id)]
    await feed.listen(shards)
    changes: _Changes | None = None
    if request.positions is not None:
        with call.server.stream():
            changes = await _Poll(call, feed, shards, wanted).changes(request.positions)
    is_whole = changes is None  # also when the feed does not remember the client's position any more
    if changes is None:
        positions = _positions(feed, shards)
        changes = _Changes(await wanted.runs(call.engine), positions)
    rows = await _rows(call, feed, changes.runs, skipped)
    if not is_whole:
        known = [request.has_row(run) for run in changes.runs]
        rows = [update_of(each) if is_known else each for each, is_known in zip(rows, known, strict=True)]
    body = shape_body(rows, is_insert=is_whole)
    return Response(body, 200, shape_headers(request, changes.positions), "application/json")


class _Poll:
    """One request that is held until a run of its set changes."""

    def __init__(self, call: Call, feed: RunFeed, shards: Collection[int], wanted: RunSet) -> None:
        self._call, self._feed, self._shards, self._wanted = call, feed, shards, wanted
        self._outages = feed.outages

    async def changes(self, positions: tuple[int, ...]) -> _Changes | None:
        """Return what has changed behind positions, nothing after the hold; None to send all rows again."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _HOLD_SECONDS * random.uniform(1 - _JITTER, 1 + _JITTER)
        ends = [
            asyncio.create_task(hung_up(self._call.request.receive)),
            asyncio.create_task(self._call.server.stopping.wait()),
        ]
        try:
            with self._feed.following(self._wanted.run_id) as news:
                while True:
                    news.clear()
                    try:
                        changes = await self._look(positions)
                    except StoreUnavailableError:
                        await asyncio.sleep(_AWAY_SECONDS)
                        news.set()
                        changes = _Changes((), positions)
                    if changes is None or changes.runs:
                        return changes
                    positions = changes.positions
                    left = deadline - loop.time()
                    if left <= 0 or any(end.done() for end in ends):
                        return changes
                    await _first(news, ends, left)
        finally:
            for end in ends:
                end.cancel()

    async def _look(self, positions: tuple[int, ...]) -> _Changes | None:
        """Return the runs of the set that have changed behind positions, None when the feed cannot say."""
        now, changed = _positions(self._feed, self._shards), set[str]()
        for shard in self._shards:
            found = self._feed.changed(shard, positions[shard], self._wanted.run_id)
            if found is None or self._outages != self._feed.outages:
                return None
            changed |= found
        if self._wanted.run_id is None:
            facts = await self._feed.facts.read(sorted(changed))
            changed = {run_id for run_id, each in facts.items() if self._wanted.has(run_id, each)}
        runs = await self._feed.records.read_many(sorted(changed)) if changed else []
        return _Changes(runs, now)


async def _rows(call: Call, feed: RunFeed, runs: Sequence[Run], skipped: frozenset[str]) -> list[dict[str, object]]:
    if not runs:
        return []
    streams = await feed.records.streams([run.id for run in runs])
    rows: list[dict[str, object]] = []
    for run in runs:
        whole = run if is_resolved(run) else await asyncio.to_thread(call.flow.large_values.resolved, run)
        rows.append(without(row(whole, feed.changed_ms(run.id), streams.get(run.id, ())), skipped))
    return rows


def _positions(feed: RunFeed, shards: Collection[int]) -> tuple[int, ...]:
    """Return the position in each shard; 0 in those that do not matter."""
    return tuple(feed.position(shard) if shard in shards else 0 for shard in feed.shards)


async def _first(news: asyncio.Event, ends: Sequence[asyncio.Task[object]], seconds: float) -> None:
    """Wait for news, the end of the request, or some seconds."""
    waiting = asyncio.create_task(news.wait())
    try:
        await asyncio.wait((waiting, *ends), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting
