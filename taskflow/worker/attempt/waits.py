"""The store as attempts that wait use it: coroutines of the node, and the code of a child."""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar

from taskflow.errors import StaleClaimError, StoreUnavailableError
from taskflow.execution.reporting.live_run import LiveRun
from taskflow.execution.waiting.coroutines import CoroutineWaits
from taskflow.execution.waiting.wait_store import LOOK_SECONDS, NO_ENTRIES, Done, Opening
from taskflow.models import RunStatus
from taskflow.store.keys import resumes_of_run
from taskflow.store.operations.claims import ClaimedRun
from taskflow.store.operations.journal import suspend_run, write_journal
from taskflow.store.operations.operation import Operation
from taskflow.store.operations.waits import DoneWaits, OpenedWait, close_waits, read_waits, resume_run, wait_run
from taskflow.store.wire import locate
from taskflow.worker.attempt.insist import insist
from taskflow.worker.attempt.runtime import Runtime

log = logging.getLogger("taskflow.node")
ResultT = TypeVar("ResultT")
Submit = Callable[[Operation[Any]], "asyncio.Future[Any]"]
Send = Callable[[LiveRun], None]
"""Sends the reports of a run, however long the store is away."""
_UNNAMED_SHARD_SECONDS: Final = 0.2


class WaitObserver(Protocol):
    """Follows an attempt: its code only waits, executes again, or is left so that the run waits without a process."""

    def park(self) -> None: ...

    def resume(self) -> None: ...

    def suspend(self) -> None: ...


def _retrieve_error(future: "asyncio.Future[Any]") -> None:
    """Retrieve the exception, so that asyncio does not log it as unhandled."""
    if not future.cancelled():
        future.exception()


class _Claim:
    """The claim under which an attempt writes. It changes at each resume, for all writers."""

    __slots__ = ("_claimed", "_live", "place", "run_id")

    def __init__(self, claimed: ClaimedRun, live: LiveRun) -> None:
        self._claimed, self._live = claimed, live
        self.run_id, self.place = claimed.run_id, claimed.place

    @property
    def claim(self) -> int:
        """The claim under which the attempt writes now."""
        return self._claimed.claim

    def open_operation(self, opening: Opening) -> Operation[str]:
        wait = OpenedWait(opening.name, opening.items, opening.due, opening.what)
        forgotten, entries, is_durable = opening.forgotten, opening.entries, opening.is_durable
        return wait_run(self.run_id, self.claim, [wait], forgotten=forgotten, entries=entries, is_durable=is_durable)

    def close_operation(self, names: Sequence[str], entries: Mapping[str, bytes]) -> Operation[Any]:
        if entries:
            return wait_run(self.run_id, self.claim, [], forgotten=names, entries=entries, is_durable=True)
        return close_waits(self.run_id, self.claim, names)

    def adopt(self, waits: DoneWaits) -> Done:
        """Adopt a new claim, if there is one."""
        is_resumed = waits.status is RunStatus.EXECUTING and waits.claim > self.claim
        if is_resumed:
            self._claimed.claim = waits.claim
            self._live.adopt_claim(waits.claim)
        return Done(waits.status, is_resumed, waits.values)


class NodeWaitStore(_Claim):
    """For a coroutine of this node, which the node's inbox notifies."""

    __slots__ = ("_observer", "_send", "_submit")

    def __init__(self, claimed: ClaimedRun, live: LiveRun, submit: Submit, observer: WaitObserver, send: Send) -> None:
        super().__init__(claimed, live)
        self._submit, self._observer, self._send = submit, observer, send

    async def open(self, opening: Opening) -> None:
        if self._live.is_dirty:  # a run that waits shows what it has reported before
            await asyncio.to_thread(self._send, self._live)
        await self._submit(self.open_operation(opening))

    async def park(self, names: Sequence[str], entries: Mapping[str, bytes] = NO_ENTRIES) -> bool:
        answer: str = await self._submit(wait_run(self.run_id, self.claim, [], names, entries=entries))
        return answer == "WAITING"

    async def write(self, entries: Mapping[str, bytes]) -> None:
        await self._submit(write_journal(self.run_id, self.claim, entries))

    async def suspend(self) -> bool:
        is_suspended: bool = await self._submit(suspend_run(self.run_id, self.claim))
        if is_suspended:
            self._observer.suspend()
        return is_suspended

    async def read(self, names: Sequence[str]) -> Done:
        return self.adopt(await self._submit(read_waits(self.run_id, names, claim=self.claim)))

    async def resume(self) -> None:
        await self._submit(resume_run(self.run_id, self.claim))

    def close(self, names: Sequence[str], entries: Mapping[str, bytes] = NO_ENTRIES) -> None:
        self._submit(self.close_operation(names, entries)).add_done_callback(_retrieve_error)

    def pause(self) -> None:
        """Note that the run's code only waits."""
        self._observer.park()

    def unpause(self) -> None:
        """Note that it executes again."""
        self._observer.resume()


class ChildWaitStore(_Claim):
    """For the blocking code of a child, which listens to a list of its own."""

    def __init__(self, runtime: Runtime, claimed: ClaimedRun, live: LiveRun, observer: WaitObserver) -> None:
        super().__init__(claimed, live)
        self._runtime, self._observer = runtime, observer
        self._is_parked = False

    def open(self, opening: Opening) -> None:
        if self._live.is_dirty:  # a run that waits shows what it has reported before
            self._runtime.reports.send(self._live)
        self._insist(self.open_operation(opening))

    def park(self, names: Sequence[str], entries: Mapping[str, bytes] = NO_ENTRIES) -> bool:
        is_parked = self._insist(wait_run(self.run_id, self.claim, [], names, entries=entries)) == "WAITING"
        if is_parked and not self._is_parked:
            self._is_parked = True
            self._observer.park()
        return is_parked

    def write(self, entries: Mapping[str, bytes]) -> None:
        self._insist(write_journal(self.run_id, self.claim, entries))

    def suspend(self) -> bool:
        is_suspended = self._insist(suspend_run(self.run_id, self.claim))
        if is_suspended:
            self._observer.suspend()
        return is_suspended

    def listen(self, seconds: float) -> None:
        shard, *others = locate(self.run_id, self._runtime.settings.shards)
        if others:  # an adopted run's id names no shard
            time.sleep(_UNNAMED_SHARD_SECONDS)
            return
        try:
            self._runtime.store.pop(resumes_of_run(self.run_id), shard=shard, seconds=seconds)
        except StoreUnavailableError as error:
            log.warning("store.unavailable: %s", error)
            time.sleep(_UNNAMED_SHARD_SECONDS)

    def read(self, names: Sequence[str]) -> Done:
        done = self.adopt(self._insist(read_waits(self.run_id, names, claim=self.claim)))
        if done.is_resumed and self._is_parked:
            self._is_parked = False
            self._observer.resume()
        return done

    def resume(self) -> None:
        """Have the run go on although no wait is done."""
        self._insist(resume_run(self.run_id, self.claim))

    def close(self, names: Sequence[str], entries: Mapping[str, bytes] = NO_ENTRIES) -> None:
        with contextlib.suppress(StaleClaimError):
            self._insist(self.close_operation(names, entries))

    def _insist(self, operation: Operation[ResultT]) -> ResultT:
        return insist(self._runtime, operation, run_id=self.run_id)


class ChildLoopWaitStore:
    """For the coroutine of a child. Calls ``ChildWaitStore`` in threads."""

    def __init__(self, wait_store: ChildWaitStore) -> None:
        self._wait_store = wait_store
        self.run_id, self.place = wait_store.run_id, wait_store.place
        self._listener: threading.Thread | None = None
        self.waits: CoroutineWaits | None = None

    @property
    def claim(self) -> int:
        return self._wait_store.claim

    async def open(self, opening: Opening) -> None:
        await asyncio.to_thread(self._wait_store.open, opening)
        if self._listener is None:
            loop = asyncio.get_running_loop()
            self._listener = threading.Thread(target=self._listen, args=(loop,), name="taskflow-waits", daemon=True)
            self._listener.start()

    async def park(self, names: Sequence[str], entries: Mapping[str, bytes] = NO_ENTRIES) -> bool:
        return await asyncio.to_thread(self._wait_store.park, names, entries)

    async def write(self, entries: Mapping[str, bytes]) -> None:
        await asyncio.to_thread(self._wait_store.write, entries)

    async def suspend(self) -> bool:
        return await asyncio.to_thread(self._wait_store.suspend)

    async def read(self, names: Sequence[str]) -> Done:
        return await asyncio.to_thread(self._wait_store.read, names)

    async def resume(self) -> None:
        await asyncio.to_thread(self._wait_store.resume)

    def close(self, names: Sequence[str], entries: Mapping[str, bytes] = NO_ENTRIES) -> None:
        asyncio.get_running_loop().run_in_executor(None, self._wait_store.close, names, entries)

    def pause(self) -> None:
        """Do nothing: the wait store in the thread has noted it."""

    def unpause(self) -> None:
        """Do nothing: the wait store in the thread has noted it."""

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        while not loop.is_closed():
            self._wait_store.listen(LOOK_SECONDS)
            try:
                loop.call_soon_threadsafe(self._notify)
            except RuntimeError:  # closed meanwhile
                return

    def _notify(self) -> None:
        if self.waits is not None:
            self.waits.notify()
