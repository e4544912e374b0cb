"""Waits of an ``async def`` task: several at a time, without a slot while its code can only wait."""

import asyncio
import contextvars
import itertools
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, Literal, cast

from taskflow.definition.blocking import refuse_in_event_loop
from taskflow.errors import WaitError
from taskflow.execution.hook_runner import HookRunner
from taskflow.execution.reporting.spans import traced
from taskflow.execution.waiting.parked import can_only_wait
from taskflow.execution.waiting.traced_waits import facts_of, traced_wait
from taskflow.execution.waiting.wait_store import NO_ENTRIES, AsyncWaitStore, Done, Opening
from taskflow.models import RunStatus
from taskflow.seams.waits import Wait, Waiter, WaitRequest, current_waits

_SETTLING_TURNS: Final = 3
"""Turns of the loop until a task's end has reached the task that awaits it: done callback, gather's, wake-up."""
_UNSEEN_SECONDS: Final = 0.05
"""Pause between two looks while a task awaits something else than a wait, because nothing notifies of its end."""
_OWN_TASKS: Final = "taskflow-"
_cancel: Final = cast("Callable[[asyncio.Task[None]], bool]", cast("Any", asyncio.Task).cancel)


class CoroutineWaits:
    """The waits of one attempt.

    The slot is given back when each of the attempt's tasks can only wait, see ``parked.py``. Once a wait is done the
    run takes a slot first, then that wait returns. If no task can go on afterwards, the slot is given back once more.
    """

    __slots__ = (
        "_first_claim",
        "_hooks",
        "_is_notified",
        "_look",
        "_notice",
        "_numbers",
        "_open",
        "_parking",
        "_read",
        "_tasks",
        "_wait_store",
    )  # fmt: skip
    is_durable = False

    def __init__(self, wait_store: AsyncWaitStore, hooks: HookRunner) -> None:
        self._wait_store, self._hooks = wait_store, hooks
        self._first_claim = wait_store.claim
        self._numbers = itertools.count(1)
        self._open: dict[str, asyncio.Future[Sequence[bytes]]] = {}
        self._read: list[str] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._parking: asyncio.Task[None] | None = None
        self._is_notified = False
        self._notice: asyncio.Future[None] | None = None  # an asyncio.Event would take 1 KB more
        self._look: asyncio.Handle | None = None

    def wait(self, request: WaitRequest) -> Sequence[bytes]:
        """Refuse, because nothing may block the loop, and a thread is not the run's code."""
        refuse_in_event_loop("wait", "await")
        raise WaitError(
            f"A thread of an async def task can't wait (a wait of type {request.what.type!r}). Await the verb's twin "
            "with an a in front in the task's own coroutine."
        )

    async def await_(self, request: WaitRequest) -> Sequence[bytes]:
        """Wait, and return the JSON of each item."""
        with traced_wait(request) as span:
            return await self._opened(request, span)

    async def _opened(self, request: WaitRequest, span: traced) -> Sequence[bytes]:
        name = self._name()
        forgotten, self._read = tuple(self._read), []
        waiter = Waiter(self._wait_store.run_id, name, place=self._wait_store.place)
        await self._wait_store.open(Opening(name, request.items, request.due, forgotten, what=request.described))
        try:
            what = await request.abegin(waiter) if request.abegin else request.what
            span.tell(facts_of(what))
            await self._call("on_wait", what)
            values = await self._done(name)
        except BaseException:
            await self._give_up(name)
            raise
        self._read.append(name)
        await self._call("on_resume", what)
        return values

    def context(self, given: contextvars.Context | None) -> contextvars.Context | None:
        """Return the context of a task that is being made."""
        return given

    def _name(self) -> str:
        return f"{self._first_claim}.{next(self._numbers)}"

    def track(self, task: "asyncio.Task[Any]") -> None:
        """Register a task of the run."""
        self._tasks.add(task)  # its name comes later: before Python 3.13.3 a factory does not get it
        task.add_done_callback(self._forget_task)

    def has(self, task: "asyncio.Task[Any]") -> bool:
        """Whether a task is one of the run's."""
        return task in self._tasks

    def stop(self) -> None:
        """Stop looking at the waits: the attempt has ended. In the loop."""
        self._open.clear()
        if self._look is not None:
            self._look.cancel()
        if self._parking is not None:
            _cancel(self._parking)  # not by its own method: a node's task refuses what comes from another context

    def notify(self) -> None:
        """Look at the waits: the run may go on, or one of its waits is done. In the loop."""
        self._ring()
        if self._parking is None and self._open:
            self._start(self._collect())

    def _ring(self) -> None:
        self._is_notified = True
        if self._notice is not None and not self._notice.done():
            self._notice.set_result(None)

    async def _done(self, name: str) -> Sequence[bytes]:
        future: asyncio.Future[Sequence[bytes]] = asyncio.get_running_loop().create_future()
        self._open[name] = future
        self._look_soon(1)
        return await future

    async def _give_up(self, name: str) -> None:
        """Close a wait that the code has left, for example by a timeout of its own. The run takes a slot first."""
        await self._leave_wait(name)
        self._wait_store.close([name])

    async def _leave_wait(self, name: str) -> None:
        self._open.pop(name, None)
        signal = self._hooks.context.signal
        parking = self._parking
        if parking is not None and not signal.is_set():
            unparked = _own_task(self._unpark(parking), "unpark")
            await asyncio.shield(unparked)

    async def _unpark(self, parking: "asyncio.Task[None]") -> None:
        await self._wait_store.resume()
        await asyncio.wait([parking])

    def _forget_task(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if self._open:
            self._look_soon(_SETTLING_TURNS)

    def _look_soon(self, turns: int) -> None:
        if self._look is not None:
            self._look.cancel()
        self._look = asyncio.get_running_loop().call_soon(self._look_now, turns)

    def _look_now(self, turns: int) -> None:
        self._look = None
        if not self._open or self._parking is not None:
            return
        if turns > 1:
            self._look_soon(turns - 1)
        elif can_only_wait((task for task in self._tasks if not _is_ours(task)), self._open.values()):
            self._start(self._park())
        else:
            self._look = asyncio.get_running_loop().call_later(_UNSEEN_SECONDS, self._look_now, 1)

    def _start(self, steps: Coroutine[Any, Any, None]) -> None:
        self._parking = _own_task(self._safely(steps), "waits")

    async def _safely(self, steps: Coroutine[Any, Any, None]) -> None:
        try:
            await steps
        except Exception as error:  # noqa: BLE001 - usually a StaleClaimError: the run has ended, or is another node's
            for future in self._open.values():
                if not future.done():
                    future.set_exception(error)
            self._open.clear()
        finally:
            self._parking = None
        if self._is_notified and self._open:  # of another wait, meanwhile
            self.notify()
        self._look_soon(_SETTLING_TURNS)

    async def _park(self) -> None:
        self._is_notified = False
        if await self._wait_store.park(list(self._open), self._entries()):
            self._wait_store.pause()
            if not await self._rest():
                return
            self._wait_store.unpause()
        else:
            self._take(await self._wait_store.read(list(self._open)))

    def _entries(self) -> Mapping[str, bytes]:
        """Return the journal entries to write with the waits: none, except of a durable run."""
        return NO_ENTRIES

    async def _rest(self) -> bool:
        """Return True once the run executes again, False when it never will here."""
        while not await self._is_resumed():
            continue
        return True

    async def _is_resumed(self) -> bool:
        await self._await_notice()
        self._is_notified = False
        done = await self._wait_store.read(list(self._open))
        if done.is_resumed:
            self._take(done)
        return done.is_resumed

    async def _await_notice(self) -> None:
        """Return when the run was notified since its waits were last read."""
        if not self._is_notified:
            self._notice = asyncio.get_running_loop().create_future()
            await self._notice

    async def _collect(self) -> None:
        """Return waits that are done while the run executes."""
        self._is_notified = False
        self._take(await self._wait_store.read(list(self._open)))

    def _take(self, done: Done) -> None:
        if done.status is not RunStatus.EXECUTING:
            return
        for name, values in done.values.items():
            future = self._open.pop(name, None)
            if future is not None and not future.done():
                future.set_result(values)

    async def _call(self, kind: Literal["on_wait", "on_resume"], what: Wait) -> None:
        if self._hooks.plan.of(kind):
            await self._hooks.waits(kind, what)


def _is_ours(task: "asyncio.Task[Any]") -> bool:
    return task.get_name().startswith(_OWN_TASKS)


def _own_task(steps: Coroutine[Any, Any, None], name: str) -> "asyncio.Task[None]":
    """Make a task that is not the run's: its context belongs to no run."""
    return asyncio.create_task(steps, name=f"{_OWN_TASKS}{name}", context=contextvars.Context())


def is_task_of_run(task: "asyncio.Task[Any]") -> bool:
    """Whether a task belongs to the run whose code asks. True outside of a run's function, where nothing is known."""
    waits = current_waits(None)
    return not isinstance(waits, CoroutineWaits) or waits.has(task)


def track_tasks(loop: asyncio.AbstractEventLoop, task_type: type["asyncio.Task[Any]"] = asyncio.Task) -> None:
    """Register the tasks that the code of runs makes in a loop with the waits of each run.

    Args:
        task_type: The class of all tasks of the loop.
    """

    def make(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> "asyncio.Task[Any]":
        waits = current_waits(options.get("context"))
        if not isinstance(waits, CoroutineWaits):
            return task_type(coroutine, loop=loop, **options)
        options["context"] = waits.context(options.get("context"))
        task: asyncio.Task[Any] = task_type(coroutine, loop=loop, **options)
        waits.track(task)
        return task

    loop.set_task_factory(make)
