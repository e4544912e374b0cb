"""Waits of a ``def`` task: its child blocks, without a slot."""

import itertools
import threading
from collections.abc import Sequence
from typing import Literal

from taskflow.errors import WaitError
from taskflow.execution.hook_runner import HookRunner
from taskflow.execution.in_place import run_unsuspended
from taskflow.execution.reporting.spans import traced
from taskflow.execution.waiting.traced_waits import facts_of, traced_wait
from taskflow.execution.waiting.wait_store import LOOK_SECONDS, Opening, WaitStore
from taskflow.seams.waits import Wait, Waiter, WaitRequest


class BlockingWaits:
    """The waits of one attempt, one at a time."""

    is_durable = False

    def __init__(self, wait_store: WaitStore, hooks: HookRunner) -> None:
        self._wait_store, self._hooks = wait_store, hooks
        self._first_claim = wait_store.claim
        self._numbers = itertools.count(1)
        self._read: list[str] = []
        self._waiting = threading.Lock()

    def wait(self, request: WaitRequest) -> Sequence[bytes]:
        """Wait, and return the JSON of each item."""
        if not self._waiting.acquire(blocking=False):
            raise WaitError(
                "Another thread of this run waits already, and a def task waits for one thing at a time. "
                "Write the task as async def and use asyncio.gather."
            )
        try:
            return self._wait(request, self._name())
        finally:
            self._waiting.release()

    async def await_(self, request: WaitRequest) -> Sequence[bytes]:
        """Refuse, because the coroutine that awaits would not be the run's own."""
        raise WaitError(
            f"A def task can't await a wait (it is one of type {request.what.type!r}). Call the blocking verb, without "
            "the a in front, outside of event loops; or write the task as async def."
        )

    def _name(self) -> str:
        return f"{self._first_claim}.{next(self._numbers)}"

    def _wait(self, request: WaitRequest, name: str) -> Sequence[bytes]:
        with traced_wait(request) as span:
            return self._opened(request, name, span)

    def _opened(self, request: WaitRequest, name: str, span: traced) -> Sequence[bytes]:
        wait_store = self._wait_store
        wait_store.open(Opening(name, request.items, request.due, tuple(self._read), what=request.described))
        self._read.clear()
        try:
            what = (
                request.begin(Waiter(wait_store.run_id, name, place=wait_store.place))
                if request.begin
                else request.what
            )
            span.tell(facts_of(what))
            self._call("on_wait", what)
            values = self._until_done(name)
        except Exception:
            wait_store.close([name])
            raise
        self._read.append(name)
        self._call("on_resume", what)
        return values

    def _until_done(self, name: str) -> Sequence[bytes]:
        wait_store = self._wait_store
        is_parked = self._park(name)
        while True:
            if is_parked:
                self._listen(name)
            done = wait_store.read([name])
            if is_parked and not done.is_resumed:
                continue  # it still waits, maybe for its slot; or it has ended, and this child is about to be stopped
            if name in done.values:
                return done.values[name]
            is_parked = self._park(name)

    def _park(self, name: str) -> bool:
        return self._wait_store.park([name])

    def _listen(self, name: str) -> None:
        self._wait_store.listen(LOOK_SECONDS)

    def _call(self, kind: Literal["on_wait", "on_resume"], what: Wait) -> None:
        if self._hooks.plan.of(kind):
            run_unsuspended(self._hooks.waits(kind, what))
