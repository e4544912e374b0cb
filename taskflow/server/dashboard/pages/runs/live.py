"""Live updates of the table of runs: rows that change in place, and the number of new ones."""

import asyncio
from collections.abc import Sequence
from typing import Final
from weakref import WeakKeyDictionary

from starlette.datastructures import QueryParams

from taskflow.engine.engine import Engine
from taskflow.engine.feeds.feed import RunFeed
from taskflow.engine.lookup import matches, only_in_history
from taskflow.models import Run
from taskflow.server.dashboard.live.topic import CHANGED, Follower, Message, Messages, Topic
from taskflow.server.dashboard.pages.runs.columns import Column, cookie_of
from taskflow.server.dashboard.pages.runs.filters import RunQuery
from taskflow.server.dashboard.pages.runs.rows import record_rows
from taskflow.server.dashboard.rendering import render
from taskflow.server.dashboard.view.numbers import counted
from taskflow.server.dashboard.view.reader import READER, Reader
from taskflow.store.followers import wait_for

_PAUSE_SECONDS: Final = 1.0
"""A page gets changes of rows once in this time."""
_IDLE_SECONDS: Final = 10.0
_MOST_NEW: Final = 100
"""New runs are counted up to this number."""
_CACHED_ROWS: Final = 2000


class _Rows:
    """Rows as they were sent: each one is rendered once a change, whatever the number of pages that show it."""

    def __init__(self) -> None:
        self._texts: dict[tuple[str, str], tuple[int, str]] = {}

    async def texts(
        self, engine: Engine, run_ids: Sequence[str], positions: dict[str, int], columns: Sequence[Column]
    ) -> list[str]:
        """Return the rows of runs that the store has, at the positions of their newest events at least."""
        prefix = f"{READER.get().prefix} {cookie_of(columns)}"
        missing = [each for each in run_ids if self._texts.get((prefix, each), (-1, ""))[0] < positions[each]]
        if missing:
            records = await engine.feed().records.read_many(missing)
            neutral = Reader(READER.get().prefix, READER.get().environment, hiding=READER.get().hiding)
            token = READER.set(neutral)
            try:
                for row in await record_rows(engine, records):
                    text = render("run_row.html", {"row": row, "columns": columns})
                    self._texts[prefix, row.run.id] = positions[row.run.id], text
            finally:
                READER.reset(token)
        while len(self._texts) > _CACHED_ROWS:
            del self._texts[next(iter(self._texts))]
        return [self._texts[prefix, each][1] for each in run_ids if (prefix, each) in self._texts]


_ROWS: WeakKeyDictionary[RunFeed, _Rows] = WeakKeyDictionary()


async def follow(follower: Follower) -> Messages:
    """Yield the rows of the page with this query that have changed, and how many new runs match it."""
    query = RunQuery.of(QueryParams(follower.argument))
    if query.problem:
        return
    engine, feed = follower.engine, follower.engine.feed()
    await feed.listen(feed.shards)
    positions = {shard: feed.position(shard) for shard in feed.shards}  # before the list, so that no change is missed
    runs, _ = await engine.pages.apage([query.where], query.limit, query.position)
    watch = _Watch(engine, query, runs, positions)
    with feed.following(None) as news:
        while True:
            news.clear()
            for message in await watch.look():
                yield message
            await asyncio.sleep(_PAUSE_SECONDS)
            await wait_for(news, _IDLE_SECONDS)


class _Watch:
    """The runs of one page, and the positions up to which their changes were sent."""

    def __init__(
        self,
        engine: Engine,
        query: RunQuery,
        runs: Sequence[Run],
        positions: dict[int, int],
    ) -> None:
        self._engine, self._feed, self._where = engine, engine.feed(), query.where
        self._columns = query.columns
        self._shown = {run.id for run in runs}
        self._newest = max((run.id for run in runs), default="")
        self._counts_new = query.position is None and not only_in_history(query.where)
        self._new: set[str] = set()
        self._others: set[str] = set()
        self._positions = positions
        self._rows = _ROWS.setdefault(self._feed, _Rows())

    async def look(self) -> list[Message]:
        """Return the messages about what has changed since the last look."""
        changed: dict[str, int] = {}
        for shard in self._feed.shards:
            found = self._feed.changed(shard, self._positions[shard])
            self._positions[shard] = self._feed.position(shard)
            if found is None:
                return [CHANGED]
            changed |= dict.fromkeys(found, self._positions[shard])
        visible = [run_id for run_id in changed if run_id in self._shown]
        texts = await self._rows.texts(self._engine, visible, changed, self._columns) if visible else []
        parts = [_part(text) for text in texts]
        if self._counts_new and await self._count_new(changed.keys() - self._shown):
            parts.append(_news(len(self._new)))
        return [Message("".join(parts))] if parts else []

    async def _count_new(self, run_ids: set[str]) -> bool:
        """Note which runs are new and match the filter. Returns whether there are more than before."""
        before = len(self._new)
        candidates = [each for each in run_ids if each > self._newest and each not in self._new | self._others]
        if not candidates or before >= _MOST_NEW:
            return False
        for record in await self._engine.feed().records.read_many(candidates[:_MOST_NEW]):
            (self._new if matches(record, self._where) else self._others).add(record.id)
        return len(self._new) > before


def _part(row: str) -> str:
    run_id = row.split('id="', 1)[1].split('"', 1)[0]
    return f'<hx-partial hx-target="#{run_id}" hx-swap="outerMorph">{row}</hx-partial>'


def _news(count: int) -> str:
    return render("news.html", {"text": f"{count}+ new runs" if count >= _MOST_NEW else counted(count, "new run")})


TOPIC: Final = Topic("runs", follow)
