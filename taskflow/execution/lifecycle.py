"""The steps of one attempt, with its hooks and middlewares, in the order of Trigger.dev's ``taskExecutor.ts``.

They are written once for ``def`` and ``async def`` tasks, because a ``Caller`` makes the calls (``calling.py``). An
error of a hook after the outcome is known is recorded and changes nothing.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from inspect import isawaitable
from typing import cast

from taskflow import clock
from taskflow.definition.caught import Caught
from taskflow.definition.signal import CANCELED, TIMED_OUT
from taskflow.definition.task_definition import TaskDefinition
from taskflow.errors import AbortRun, OutOfMemory, RetryAfter
from taskflow.errors.base import is_kind
from taskflow.execution.calling import Caller
from taskflow.execution.forks import leave_if_fork
from taskflow.execution.hook_runner import REASONS, HookRunner, end_hooks
from taskflow.execution.middleware import within
from taskflow.execution.outcome import Completed, Ended, Outcome, Retried, Tries, decide, is_catchable, timed_out
from taskflow.execution.reporting.spans import traced
from taskflow.execution.value_store import ValueStore, stored
from taskflow.models import RunError, RunStatus

BeforeFinalHooks = Callable[[Outcome], Awaitable[None] | None]
"""Writes an outcome before the final hooks are called."""
CANCELED_ERROR = RunError("Canceled", "The run was canceled.")


@dataclass(slots=True)
class Lifecycle:
    """The steps of one attempt.

    Attributes:
        complete: Turns the return value of the function into a ``Completed``.
        is_resumed: Whether the attempt goes on after a wait. It has started before.
        around_function: Surrounds the function alone: a durable run's journal.
    """

    definition: TaskDefinition
    tries: Tries
    hooks: HookRunner
    complete: Callable[[object], Completed]
    random: Callable[[], float]
    before_final_hooks: BeforeFinalHooks | None
    large_values: ValueStore | None = None
    is_resumed: bool = False
    around_function: Callable[[], AbstractContextManager[None]] = nullcontext
    _outcome: Outcome | None = None
    _raised: BaseException | None = None
    _stopped: BaseException | None = None
    _is_settled: bool = False

    async def run(self) -> Outcome:
        """Execute the attempt.

        Raises:
            BaseException: The attempt has no outcome. It was stopped from outside (SystemExit, CancelledError), or its
                outcome could not be written before the final hooks.
        """
        try:
            if self.hooks.plan.is_empty:  # the steps without hooks, for the speed of small tasks
                await self._try()
            else:
                await within(self.hooks.plan.of("middleware"), self.hooks.values, self._caller, self._steps)
        except BaseException as error:
            if self._caller.is_dropped(error):
                raise
            await self._judge_middleware_error(error)
        if self._stopped is not None:
            raise self._stopped
        return cast("Outcome", self._outcome)

    async def _steps(self) -> None:
        """Execute the steps within the middlewares, which get the error of the run."""
        try:
            await self._try()
        except BaseException as error:
            if not self._caller.is_dropped(error):
                await self._cleanup()
            raise
        await self._cleanup()
        if self._raised is not None:
            raise self._raised

    async def _try(self) -> None:
        try:
            if self.hooks.plan.is_empty:
                with self.around_function():
                    value = await self._invoke()
            else:
                await self._start()
                with traced("function", "run"), self.around_function():
                    value = await self._invoke()
            leave_if_fork()
            outcome = self.complete(value)
            if self.large_values is not None and self.large_values.is_large(outcome.output):
                run_id = self.hooks.context.run.id
                outcome = replace(outcome, output=await stored(self._caller, self.large_values, run_id, outcome.output))
        except BaseException as error:
            leave_if_fork(error)
            if self._caller.is_dropped(error):
                raise
            self._raised = error
            await self._failed(self._caller.cause(error))
        else:
            await self._end(outcome)

    async def _start(self) -> None:
        await self.hooks.init()
        if self.is_resumed:
            return
        if self.hooks.context.attempt.number == 1:
            await self.hooks.run("on_start")
        await self.hooks.run("on_start_attempt")

    def _invoke(self) -> Awaitable[object]:
        """Call the function. Not a coroutine, because that would turn the task's StopIteration into another error."""
        payload, context = self.hooks.payload, self.hooks.context
        if self.definition.is_async:
            return cast("Awaitable[object]", self.definition.invoke(payload, context))
        return self._caller.call(self.definition.invoke, {"payload": payload, "ctx": context})

    async def _failed(self, error: BaseException) -> None:
        if self._caller.is_stop(error):
            await self._stop(error)
        else:
            await self._decide(error, await self._catch(error))

    async def _catch(self, error: BaseException) -> Caught | None:
        """Call the ``catch_error`` hooks, the task's own first, until one answers."""
        if not is_catchable(error):
            return None
        self.hooks.values |= {"error": error, "retry": self.definition.retry}
        for hook in self.hooks.plan.of("catch_error"):
            try:
                answer = await self.hooks.call(hook)
                if isinstance(answer, Caught):
                    return _chained(answer, error)
                if answer is not None:
                    raise hook.refusal("returned neither Caught nor None", "Return Caught(...).", answer)
            except (AbortRun, RetryAfter, OutOfMemory) as signal:
                return _chained(Caught(error=signal), error)
            except BaseException as wrong:
                if self._caller.is_stop(wrong):
                    raise
                self.hooks.record(hook.label, self._caller.cause(wrong))
        return None

    async def _decide(self, error: BaseException, caught: Caught | None = None) -> None:
        outcome = self._outcome_of(error, caught)
        self.hooks.values["error"] = outcome.cause
        await self.hooks.run_safely(self.hooks.plan.of("on_error"))
        await self._end(outcome)

    async def _end(self, outcome: Outcome) -> None:
        """Write the outcome and call the final hooks, if the outcome ends the run."""
        reason = self.hooks.context.signal.reason
        self._outcome = timed_out(self.hooks.context.run.max_duration) if reason == TIMED_OUT else outcome
        if self.hooks.plan.is_empty:
            return
        if reason == CANCELED:  # the store has ended the run, and will refuse the outcome
            await self._canceled()
            return
        status = _final_status(self._outcome)
        if status is not None and end_hooks(self.hooks.plan, status) and await self._settle(self._outcome):
            await self._final_hooks(status, self._outcome)

    async def _settle(self, outcome: Outcome) -> bool:
        try:
            settling = self.before_final_hooks(outcome) if self.before_final_hooks else None
            if isawaitable(settling):
                await settling
        except Exception as refused:  # noqa: BLE001 - raised again after the hooks
            self._stopped = refused
            return False
        self._is_settled = True
        return True

    async def _final_hooks(self, status: RunStatus, outcome: Outcome) -> None:
        match outcome:
            case Completed(_, value):
                await self.hooks.call_end_hooks(status, REASONS[status], value)
            case Ended(error, _, cause, _) | Retried(error, _, _, cause, _):
                await self.hooks.call_end_hooks(status, REASONS[status], None, error, cause)

    async def _stop(self, error: BaseException) -> None:
        """Stop the attempt from outside: run the hooks that belong to the reason of its signal."""
        signal = self.hooks.context.signal
        if signal.reason == TIMED_OUT:
            await self._end(timed_out(self.hooks.context.run.max_duration))
            return
        self._stopped = error
        if signal.reason == CANCELED:
            await self._canceled()

    async def _canceled(self) -> None:
        if not self.hooks.report.final_hooks_ran:
            await self.hooks.call_end_hooks(RunStatus.CANCELED, CANCELED, None, CANCELED_ERROR)

    async def _cleanup(self) -> None:
        await self.hooks.run_safely(self.hooks.plan.of("cleanup"))

    async def _judge_middleware_error(self, error: BaseException) -> None:
        """Decide what an error raised by the middlewares means.

        Usually it is the run's own error, which was handled already.
        """
        is_stop = self._caller.is_stop(error)
        if self._is_the_runs(error) or (is_stop and (self._is_settled or self._stopped is not None)):
            return
        if is_stop:
            self._outcome = None
            await self._stop(error)
        elif self._outcome is None and self._stopped is None:
            await self._decide(self._caller.cause(error))
        elif isinstance(self._outcome, Retried):  # another attempt follows in any case, unless this error forbids it
            await self._end(self._outcome_of(self._caller.cause(error), None))
        else:
            self.hooks.record("middleware", self._caller.cause(error))

    def _is_the_runs(self, error: BaseException) -> bool:
        raised = self._raised
        return raised is not None and (
            error is raised or (is_kind(raised, (StopIteration, StopAsyncIteration)) and error.__cause__ is raised)
        )

    def _outcome_of(self, error: BaseException, caught: Caught | None) -> Retried | Ended:
        return decide(
            error, self.definition, self.tries, self.random, clock.now(), caught or Caught(), self._caller.is_stop
        )

    @property
    def _caller(self) -> Caller:
        return self.hooks.caller


def _final_status(outcome: Outcome) -> RunStatus | None:
    match outcome:
        case Completed():
            return RunStatus.COMPLETED
        case Ended(_, status):
            return status
        case Retried():
            return None


def _chained(caught: Caught, error: BaseException) -> Caught:
    """Make the original error the cause of the error that replaces it."""
    if caught.error is not None and caught.error is not error and caught.error.__cause__ is None:
        caught.error.__cause__ = error
    return caught
