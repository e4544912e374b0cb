"""The event loop of the runs of a test, which measures for how long it has waited for something outside of the test.

The wall clock does not tell that: on a busy machine a loop that could go on at once waits for a processor.
"""

import asyncio
import selectors
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple, cast

from taskflow.worker.coroutines.node_loop import NodeLoop

_Result = TypeVar("_Result")
_Args = TypeVarTuple("_Args")


class _WatchedSelector(selectors.DefaultSelector):
    """Adds up the time of waits during which nothing of the test's own is under way."""

    def __init__(self) -> None:
        super().__init__()
        self.is_served: Callable[[], bool] = lambda: False
        self._waited_s = 0.0
        self._since: float | None = None

    @property
    def waited_s(self) -> float:
        """The time of all such waits, the present one included. From any thread."""
        since = self._since
        return self._waited_s + (0.0 if since is None else time.monotonic() - since)

    @property
    def is_waiting(self) -> bool:
        """Whether such a wait is under way. From any thread."""
        return self._since is not None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for events."""
        if self.is_served() or (timeout is not None and timeout <= 0):
            return super().select(timeout)
        began = self._since = time.monotonic()
        try:
            return super().select(timeout)
        finally:
            self._since = None
            self._waited_s += time.monotonic() - began


class WatchedLoop(NodeLoop):
    """The loop."""

    def __init__(self) -> None:
        self._watched = _WatchedSelector()
        self._calls = 0
        super().__init__(self._watched)
        self._watched.is_served = lambda: self._calls > 0

    @property
    def waited_s(self) -> float:
        """The seconds for which it has waited for the network, a timer or the test. From any thread.

        Waits for the store, and for functions that it has called in threads, do not count: these come back.
        """
        return self._watched.waited_s

    @property
    def is_at_rest(self) -> bool:
        """Whether no code can go on here before something happens outside of it. From any thread."""
        ready = cast("Any", self)._ready  # of BaseEventLoop: has what another thread asks for at once
        return self._watched.is_waiting and not ready

    def call_began(self) -> None:
        """Note a call, of the store for example, that will come back."""
        self._calls += 1

    def call_ended(self, _: object = None) -> None:
        """Note that it has come back."""
        self._calls -= 1

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*_Args], _Result], *args: *_Args
    ) -> "asyncio.Future[_Result]":
        """Call a function in a thread."""
        future = super().run_in_executor(executor, func, *args)
        self.call_began()
        future.add_done_callback(self.call_ended)
        return future
