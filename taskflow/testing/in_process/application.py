"""The app of tests whose runs execute in their own process."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Self

from taskflow.engine.engine import Listeners
from taskflow.seams.journal_keys import NOWHERE, in_scope
from taskflow.settings import Settings
from taskflow.store.async_store import AsyncStore
from taskflow.store.notices import Notices
from taskflow.store.sync_store import Store
from taskflow.store.wire import StoreConfig
from taskflow.testing.describing import line_of
from taskflow.testing.in_process.stores import (
    InlineAsyncResults,
    InlineAsyncStore,
    InlineNotices,
    InlineResults,
    InlineStore,
    StartLater,
    WorldHolder,
)
from taskflow.testing.in_process.world import World
from taskflow.testing.moved_clock import MovedClock
from taskflow.testing.moved_flow import MovedFlow


class InlineFlow(MovedFlow):
    """The app of one test session. ``begin`` and ``end`` surround a test."""

    def __init__(self, settings: Settings, clock: MovedClock) -> None:
        self._holder = WorldHolder()
        super().__init__(settings, clock)

    @property
    def world(self) -> World:
        """The node of the present test."""
        assert self._holder.world is not None
        return self._holder.world

    def begin(self) -> Self:
        """Begin a test on an empty store."""
        (upkeep,) = self._passes(lambda: None)
        self._node.surroundings.clear()
        self.store.send([("FLUSHDB",)])
        world = World(self._node, upkeep, self._clock, self._describe)
        world.start()
        self._holder.world = world
        return self

    def end(self) -> None:
        """End the test: drop what executes."""
        world, self._holder.world = self.world, None
        world.close()

    def close(self) -> None:
        """Close every connection, and send no reports any more."""
        self._node.reports.end()
        super().close()

    def start_later(self) -> StartLater:
        """Make a block whose triggers start no run before its end."""
        return StartLater(self._holder)

    async def in_thread(self, act: Callable[[], None]) -> None:
        """Call in the thread that executes the runs of a test that is a coroutine."""
        await self.world.call(act)

    def _describe(self, run_id: str) -> str:
        return line_of(self.engine.runs.retrieve(run_id))

    def _make_store(self) -> Store:
        store = InlineStore(self._store_config(), self.publisher, self._on_ended)
        store.holder = self._holder
        return store

    def _async_store(self) -> InlineAsyncStore:
        store = InlineAsyncStore(self._store_config(), self.publisher, self._on_ended, partial(in_scope, NOWHERE))
        store.holder = self._holder
        return store

    def _listeners(self) -> Listeners:
        def results(store: Store) -> InlineResults:
            listener = InlineResults(store)
            listener.holder = self._holder
            return listener

        def notices(config: StoreConfig) -> Notices:
            listener = InlineNotices(config)
            listener.holder = self._holder
            return listener

        def async_results(store: AsyncStore) -> InlineAsyncResults:
            listener = InlineAsyncResults(store)
            listener.holder = self._holder
            return listener

        return Listeners(results, notices, async_results)

    def _on_ended(self, run_ids: Sequence[str]) -> None:
        """Perform the canvas of runs at once."""
        self._canvas.perform(run_ids)
