"""Store and listeners of an event loop, made at the first verb and closed with the loop."""

import asyncio
import contextlib
import threading
import weakref
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from taskflow.engine.feeds.feed import RunFeed
from taskflow.engine.results import AsyncResultListener
from taskflow.engine.subscriptions import AsyncEventListener
from taskflow.store.async_store import AsyncStore
from taskflow.store.notices import AsyncNotices


@dataclass(slots=True)
class Loop:
    """One event loop's store and listeners."""

    store: AsyncStore
    results: AsyncResultListener
    events: AsyncEventListener
    notices: AsyncNotices
    feed: RunFeed
    closing: AsyncGenerator[None, None]


class Loops:
    """Finds the store and listeners of the running event loop."""

    def __init__(
        self,
        make_async_store: Callable[[], AsyncStore],
        make_results: Callable[[AsyncStore], AsyncResultListener] = AsyncResultListener,
    ) -> None:
        """Take the functions that make a store, and what waits for results."""
        self._make_async_store, self._make_results = make_async_store, make_results
        self._known: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Loop] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    def current(self) -> Loop:
        """Return the store and listeners of the running event loop."""
        loop = asyncio.get_running_loop()
        with self._lock:
            known = self._known.get(loop)
            if known is None:
                store = self._make_async_store()
                closing = _close_with_loop(store)
                with contextlib.suppress(StopIteration):
                    closing.__anext__().send(None)  # runs it to its yield, so that the loop finishes it at its own end
                known = Loop(
                    store,
                    self._make_results(store),
                    AsyncEventListener(store),
                    AsyncNotices(store.config),
                    RunFeed(store),
                    closing,
                )
                self._known[loop] = known
            return known

    async def aclose(self) -> None:
        """Close the connections of the running event loop before it ends. A later verb makes new ones.

        One that is in use, by a verb that waits for example, is closed when it is given back.
        """
        with self._lock:
            known = self._known.pop(asyncio.get_running_loop(), None)
        if known is not None:
            known.feed.close()
            await known.closing.aclose()


async def _close_with_loop(store: AsyncStore) -> AsyncGenerator[None, None]:
    """Close a store when its event loop ends: ``asyncio.run`` finishes the generators that were started in it."""
    try:
        yield
    finally:
        await store.close()
