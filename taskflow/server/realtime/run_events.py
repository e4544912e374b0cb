"""Follow one run's events for an answer: first those behind the client's last one, then each as it comes.

The events come from the feed's memory, for older ones from the store's stream or the history. The record completes
them: where events are lost, it shows the status all the same.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Final, TypeVar

from taskflow.engine.engine import Engine
from taskflow.engine.feeds.feed import RunFeed
from taskflow.errors import HistoryUnavailableError, RunNotFoundError, StoreUnavailableError
from taskflow.models import Run
from taskflow.server.realtime.event_stream import PING, PING_SECONDS
from taskflow.server.realtime.run_progress import RunProgress
from taskflow.store.events import Event
from taskflow.store.followers import wait_for

T = TypeVar("T")
_AWAY_SECONDS: Final = 0.5


async def run_events(engine: Engine, run_id: str, after: int | None) -> AsyncGenerator[bytes]:
    """Yield the frames of a run's events until its final status was sent. While the store is away it waits.

    Args:
        after: The position behind which events are sent; None for all of the run.
    """
    feed = engine.feed()
    shard = await _insisting(lambda: _listened(feed, run_id))
    with feed.following(run_id) as news:
        try:
            _, record = await _insisting(lambda: feed.look(shard, run_id))
        except RunNotFoundError:
            async for chunk in _past_frames(engine, run_id, after or 0):
                yield chunk
            return
        progress = RunProgress(run_id, _before(record) if after is None else after)
        missed = await _missed(engine, feed, shard, progress.position, run_id)
        if after is not None:
            progress.skip(record, after >> 20)
            if missed == []:
                progress.status = record.status  # the client has it
        for chunk in progress.frames(missed or (), record):
            yield chunk
        async for chunk in _coming(feed, shard, run_id, progress, news):
            yield chunk


async def _coming(
    feed: RunFeed, shard: int, run_id: str, progress: RunProgress, news: asyncio.Event
) -> AsyncGenerator[bytes]:
    """Yield the frames of events as they come. At first, and after an outage, the record is compared."""
    outages: int | None = None
    while not progress.is_over:
        news.clear()
        events = feed.events(shard, run_id, progress.position)
        if events is None or outages != feed.outages:
            outages = feed.outages
            shown, record = await _insisting(lambda: feed.look(shard, run_id))
            for chunk in progress.frames(feed.events(shard, run_id, progress.position) or (), record):
                yield chunk
            for chunk in progress.catch_up(record, shown):
                yield chunk
            progress.position = max(progress.position, shown)
        elif events:
            for chunk in progress.frames(events, await _insisting(lambda: feed.records.read(run_id))):
                yield chunk
        else:
            await wait_for(news, PING_SECONDS)
            if not news.is_set():
                yield PING


async def _past_frames(engine: Engine, run_id: str, after: int) -> AsyncGenerator[bytes]:
    """Yield the frames of a run that only the history has."""
    run = await _insisting(lambda: engine.runs.aretrieve(run_id))
    progress = RunProgress(run_id, after)
    if after:
        progress.skip(run, after >> 20)
    for chunk in progress.frames(await _insisting(lambda: engine.apast_events(run_id)), run):
        yield chunk


async def _missed(engine: Engine, feed: RunFeed, shard: int, after: int, run_id: str) -> Sequence[Event] | None:
    """Return the events of a run behind a position; None when some of them are lost."""
    events = feed.events(shard, run_id, after)
    if events is None and await _insisting(lambda: feed.go_back(shard, after)):
        events = feed.events(shard, run_id, after)
    if events is not None:
        return events
    past = [event for event in await _insisting(lambda: engine.apast_events(run_id)) if event.position > after]
    newest = past[-1].position if past else after
    return [*past, *feed.newest_events(shard, run_id, newest)] or None


async def _listened(feed: RunFeed, run_id: str) -> int:
    shard = await feed.shard_of(run_id)
    await feed.listen([shard])
    return shard


def _before(record: Run) -> int:
    """Return a position before every event of a run."""
    return int(record.created_at.timestamp() * 1000) - 1 << 20


async def _insisting(read: Callable[[], Awaitable[T]]) -> T:
    """Return what is read, as often as the store or the history does not answer."""
    while True:
        try:
            return await read()
        except (StoreUnavailableError, HistoryUnavailableError):
            await asyncio.sleep(_AWAY_SECONDS)
