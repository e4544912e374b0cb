"""The items of a stream as server-sent events. The id of an event is the item's index, so that clients can go on."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from datetime import timedelta

from taskflow.engine.engine import Engine
from taskflow.errors import RunNotFoundError, StoreUnavailableError, StreamTimeoutError
from taskflow.seams.streams import StreamAddress
from taskflow.server.realtime.event_stream import PING, PING_SECONDS, frame

_AWAY_SECONDS = 0.5


async def stream_items(engine: Engine, address: StreamAddress, start: int, timeout: timedelta) -> AsyncGenerator[bytes]:
    """Yield the frames of items from an index on, until nothing will follow or nothing has come in time.

    The end is clean, and the client takes it for the stream's. While the store is away the stream goes on.
    """
    index = start
    while True:
        try:
            async with aclosing(engine.streams.aread(address, index, timeout=timeout)) as items:
                async for item in _with_pauses(items):
                    if item is None:
                        yield PING
                        continue
                    yield frame(item.decode(), id=str(index))
                    index += 1
            return
        except StoreUnavailableError:  # of the first read; later ones wait for the store
            await asyncio.sleep(_AWAY_SECONDS)
        except (StreamTimeoutError, RunNotFoundError):  # the store has forgotten the run
            return


async def _with_pauses(items: AsyncGenerator[bytes]) -> AsyncGenerator[bytes | None]:
    """Yield items, and None whenever none has come for a while."""
    coming: asyncio.Task[bytes] | None = None
    try:
        while True:
            if coming is None:
                coming = asyncio.ensure_future(anext(items))
            done, _ = await asyncio.wait((coming,), timeout=PING_SECONDS)
            if not done:
                yield None
                continue
            ended, coming = coming, None
            try:
                item = ended.result()
            except StopAsyncIteration:
                return
            yield item
    finally:
        if coming is not None:
            coming.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration):
                await coming
