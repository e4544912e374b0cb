"""Execute one attempt of a task's function and return its outcome. Errors of user code are never raised."""

import asyncio
import random
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from taskflow import clock
from taskflow.definition.context import Context, entered
from taskflow.definition.local import fresh_locals
from taskflow.definition.signal import Signal
from taskflow.definition.task_definition import TaskDefinition
from taskflow.errors import OutputError
from taskflow.execution.calling import Caller, ChildStop
from taskflow.execution.hook_runner import HookRunner, Report
from taskflow.execution.in_loop import Coroutines, Escape
from taskflow.execution.in_place import InPlace, run_unsuspended
from taskflow.execution.lifecycle import BeforeFinalHooks, Lifecycle
from taskflow.execution.outcome import Completed, Outcome, Tries, decide
from taskflow.execution.own_loop import run_in_own_loop
from taskflow.execution.value_store import ValueStore, loaded
from taskflow.execution.waiting.coroutines import CoroutineWaits, track_tasks
from taskflow.execution.waiting.durable_blocking import DurableBlockingWaits
from taskflow.execution.waiting.durable_coroutines import DurableCoroutineWaits
from taskflow.seams.waits import Waits, using_waits


@dataclass(frozen=True, slots=True)
class AttemptRunner:
    """One attempt and all that it needs.

    Attributes:
        payload: The stored JSON.
        stop_reason: Called when a child's code raises SystemExit and the signal is not set. Returns ``"canceled"``,
            ``"timed out"``, any other word when the run has not ended, or an empty text when nobody asked for a stop.
        escape: The place for an exit of one of the coroutine's own tasks.
        report: Events of the attempt in addition to its outcome.
        make_waits: Makes the waits of its code; None when its code cannot wait.
        large_values: The store of large payloads and outputs; None keeps all values in the record.
        is_resumed: Whether it goes on after a wait without a process, which is not a new try.
    """

    definition: TaskDefinition
    payload: bytes
    context: Context
    tries: Tries
    output_limit: int
    random: Callable[[], float] = random.random
    stop_reason: Callable[[], str] = lambda: ""
    report: Report = field(default_factory=Report)
    make_waits: Callable[[HookRunner], Waits] | None = None
    large_values: ValueStore | None = None
    is_resumed: bool = False
    escape: Escape = field(default_factory=Escape)

    @property
    def signal(self) -> Signal:
        """The attempt's stop signal. Set it before the attempt's coroutine is canceled."""
        return self.context.signal

    def execute(self, before_final_hooks: BeforeFinalHooks | None = None) -> Outcome:
        """Run a ``def`` function, or an ``async def`` one under an event loop of its own.

        Args:
            before_final_hooks: Called with the outcome when it ends the run and the run has final hooks. It writes the
                outcome, so that the function is not executed again if the process dies within a hook. An error that it
                raises is raised from here, and the hooks are not called.

        Raises:
            SystemExit: The child was asked to leave: the attempt has no outcome.
        """
        if self.definition.is_async:
            stop = ChildStop(self.signal, self.stop_reason)
            return run_in_own_loop(self.aexecute(before_final_hooks), stop, self.escape, track_tasks)
        with entered(self.context), fresh_locals(), InPlace(ChildStop(self.signal, self.stop_reason)) as caller:
            return run_unsuspended(self._run(caller, before_final_hooks))

    async def aexecute(self, before_final_hooks: BeforeFinalHooks | None = None) -> Outcome:
        """Run an ``async def`` function in the running loop. See ``execute``.

        Raises:
            asyncio.CancelledError: The attempt was canceled from outside, not because its time was up.
        """
        with entered(self.context), fresh_locals(), Coroutines(self.signal, self.escape) as caller:
            return await self._run(caller, before_final_hooks)

    async def _run(self, caller: Caller, before_final_hooks: BeforeFinalHooks | None) -> Outcome:
        try:
            payload_type = self.definition.payload
            payload = payload_type.load(await loaded(caller, self.large_values, self.payload)) if payload_type else None
            plan = self.definition.plan()
        except Exception as error:  # noqa: BLE001 - no hook is called: the values for it do not fit
            now = clock.now()
            return decide(error, self.definition, self.tries, self.random, now, is_stop=caller.is_stop)
        hooks = HookRunner(plan, caller, payload, self.context, self.report)
        waits = self.make_waits(hooks) if self.make_waits else None
        lifecycle = Lifecycle(
            self.definition,
            self.tries,
            hooks,
            self._completed,
            self.random,
            before_final_hooks,
            large_values=self.large_values,
            is_resumed=self.is_resumed,
            around_function=self._journal(waits),
        )
        with using_waits(waits):
            if not isinstance(waits, CoroutineWaits):
                return await lifecycle.run()
            waits.track(cast("asyncio.Task[Any]", asyncio.current_task()))
            try:
                return await lifecycle.run()
            finally:
                waits.stop()

    def _journal(self, waits: Waits | None) -> "Callable[[], AbstractContextManager[None]]":
        if isinstance(waits, DurableBlockingWaits | DurableCoroutineWaits):
            return partial(waits.journal.around, waits, self.signal)
        return nullcontext

    def _completed(self, value: object) -> Completed:
        output = self.definition.output.dump(value)
        if len(output) > self.output_limit:
            raise OutputError(
                f"The output's JSON is {len(output):,} bytes and the limit is {self.output_limit:,}. Store the data "
                "elsewhere and return its address, or raise TASKFLOW_OUTPUT_LIMIT."
            )
        return Completed(output, value)
