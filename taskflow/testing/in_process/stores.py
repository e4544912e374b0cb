"""The store of a test, which executes what each operation has made startable before the operation returns."""

import asyncio
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, Final, TypeVar

from taskflow.engine.results import AsyncResultListener, Result, ResultListener
from taskflow.errors import ResultTimeoutError, StandstillError
from taskflow.execution.reporting.current import OWN_THREADS
from taskflow.store.async_store import AsyncStore
from taskflow.store.followers import LOOK_AGAIN_SECONDS
from taskflow.store.notices import Notices
from taskflow.store.operations.operation import Operation
from taskflow.store.sync_store import Store
from taskflow.testing.in_process.watched_loop import WatchedLoop
from taskflow.testing.in_process.world import World

ResultT = TypeVar("ResultT")
_READS: Final = ("read_", "watch_", "list_", "count_", "find_", "explain_", "check_")
_PAUSE_S: Final = 0.01
_is_later: Final = ContextVar("taskflow_start_later", default=False)


def is_own_thread() -> bool:
    """Whether the calling thread is one of taskflow's own, and no test's."""
    return threading.current_thread().name.startswith(OWN_THREADS)


class WorldHolder:
    """The world that the stores of an app drive: None until it is made, and after it has ended."""

    def __init__(self) -> None:
        self.world: World | None = None

    def needs_drive(self, operations: Sequence[Operation[Any]]) -> bool:
        """Whether the calling code is a test's, and these operations may have made something startable."""
        return self.may_drive() and not all(operation.script.startswith(_READS) for operation in operations)

    def may_drive(self) -> bool:
        """Whether the calling code is a test's, and outside of ``StartLater``."""
        world = self.world
        return not (world is None or world.is_driven_here or is_own_thread() or _is_later.get())

    def before(self) -> None:
        """Execute code that began in the calling thread, and that another thread's verbs have let go on."""
        world = self.world
        if world is not None and world.has_left_here and not world.is_driven_here:
            world.drive()

    def after(self, operations: Sequence[Operation[Any]]) -> None:
        """Execute what operations have made startable."""
        if self.world is not None and self.needs_drive(operations):
            self.world.drive()


class StartLater:
    """A block, ``with`` or ``async with``: what becomes startable in it is executed at its end."""

    def __init__(self, holder: WorldHolder) -> None:
        self._holder = holder

    def __enter__(self) -> None:
        self._token = _is_later.set(True)

    def __exit__(self, *_: object) -> None:
        _is_later.reset(self._token)
        if self._holder.world is not None and self._holder.may_drive():
            self._holder.world.drive()

    async def __aenter__(self) -> None:
        self._token = _is_later.set(True)

    async def __aexit__(self, *_: object) -> None:
        _is_later.reset(self._token)
        if self._holder.world is not None and self._holder.may_drive():
            await self._holder.world.call(self._holder.world.drive)


class InlineStore(Store):
    """The blocking shell."""

    holder: WorldHolder

    def run(self, operation: Operation[ResultT], *, shard: int = 0) -> ResultT:
        self.holder.before()
        result = super().run(operation, shard=shard)
        self.holder.after([operation])
        return result

    def start_many(self, operations: Sequence[tuple[Operation[Any], int]]) -> Callable[[], list[Any]]:
        finish = super().start_many(operations)

        def finish_and_drive() -> list[Any]:
            results = finish()
            self.holder.after([operation for operation, _ in operations])
            return results

        return finish_and_drive


@contextmanager
def _call_of_loop() -> Generator[None]:
    """Note, in the loop of runs, that the store was asked: it answers, however busy the machine is."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, WatchedLoop):
        yield
        return
    loop.call_began()
    try:
        yield
    finally:
        loop.call_ended()


class InlineAsyncStore(AsyncStore):
    """The shell of an event loop. Runs are executed in a thread, because their blocking code may not stop the loop."""

    holder: WorldHolder

    async def run(self, operation: Operation[ResultT], *, shard: int = 0) -> ResultT:
        with _call_of_loop():
            result = await super().run(operation, shard=shard)
        await self._drive([operation])
        return result

    async def run_many(self, operations: Sequence[tuple[Operation[Any], int]]) -> list[Any]:
        with _call_of_loop():
            results = await super().run_many(operations)
        await self._drive([operation for operation, _ in operations])
        return results

    async def _drive(self, operations: Sequence[Operation[Any]]) -> None:
        world = self.holder.world
        if world is not None and self.holder.needs_drive(operations):
            await world.call(world.drive)


class _Turns(threading.Event):
    """An event whose waiter lets the runs of the test go on."""

    def __init__(self, holder: WorldHolder, waited_for: str) -> None:
        super().__init__()
        self._holder, self._waited_for = holder, waited_for
        self._had_nothing = False

    def wait(self, timeout: float | None = None) -> bool:
        world = self._holder.world
        if world is None or self.is_set():
            return super().wait(timeout)
        has_acted = world.turn()
        if has_acted or not self._had_nothing:
            self._had_nothing = not has_acted  # a coroutine may have ended just before the turn: the caller looks again
            return True
        if timeout is not None and timeout < LOOK_AGAIN_SECONDS:  # until the caller's own deadline
            return super().wait(timeout)
        raise StandstillError(self._waited_for, world.waiting())


class InlineResults(ResultListener):
    """Waits for the ends of runs."""

    holder: WorldHolder

    @contextmanager
    def watching(self, run_id: str) -> Generator[threading.Event]:
        yield _Turns(self.holder, f"the end of run {run_id}")


class InlineAsyncResults(AsyncResultListener):
    """Waits for the ends of runs, in the loop of a test or of a run."""

    holder: WorldHolder

    async def wait(self, run_id: str, timeout: timedelta | None) -> Result:
        world = self.holder.world
        if world is None or is_own_thread():  # code of a run
            return await super().wait(run_id, timeout)
        deadline = None if timeout is None else time.monotonic() + timeout.total_seconds()
        while True:
            result = await self._look(run_id)
            if result[0].is_finished:
                return result
            has_acted = await world.call(world.drive)
            if has_acted or (await self._look(run_id))[0].is_finished:
                continue
            if deadline is None or deadline - time.monotonic() >= LOOK_AGAIN_SECONDS:
                raise StandstillError(f"the end of run {run_id}", world.waiting())
            if time.monotonic() >= deadline:
                raise ResultTimeoutError(run_id, timeout or timedelta(0), result[0])
            await asyncio.sleep(_PAUSE_S)


class InlineNotices(Notices):
    """Waits for items of streams."""

    holder: WorldHolder

    @contextmanager
    def listening(self, channel: bytes) -> Generator[threading.Event]:
        yield _Turns(self.holder, "an item of a stream")
