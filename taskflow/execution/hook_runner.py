"""Call the hooks of an attempt with the values of that moment, and record the failures that change nothing."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, cast

from taskflow.definition.calls.task_result import TaskResult, run_failed
from taskflow.definition.context import Context, enter
from taskflow.definition.hook_sets import HookPlan
from taskflow.definition.hooks import Hook, HookKind
from taskflow.definition.signal import CANCELED, TIMED_OUT
from taskflow.execution.calling import Caller
from taskflow.execution.failures import describe
from taskflow.execution.reporting.spans import traced
from taskflow.models import RunError, RunStatus
from taskflow.seams.waits import Wait

log = logging.getLogger("taskflow.run")

REASONS: Final[Mapping[RunStatus, str]] = {
    RunStatus.COMPLETED: "completed",
    RunStatus.CANCELED: CANCELED,
    RunStatus.FAILED: "failed",
    RunStatus.CRASHED: "crashed",
    RunStatus.SYSTEM_FAILURE: "worker lost",
    RunStatus.EXPIRED: "expired",
    RunStatus.TIMED_OUT: TIMED_OUT,
}
"""``ctx.reason`` and ``reason`` in the hooks of a run that has ended, by its status."""
END_HOOK: Final[Mapping[RunStatus, HookKind]] = {RunStatus.COMPLETED: "on_success", RunStatus.CANCELED: "on_cancel"}


@dataclass(slots=True)
class Report:
    """Events of an attempt in addition to its outcome.

    Attributes:
        hook_errors: Errors of hooks that changed nothing, each with the hook's name.
        final_hooks_ran: Whether the final hooks have run to their end.
    """

    hook_errors: list[RunError] = field(default_factory=list[RunError])
    final_hooks_ran: bool = False


def _merged(made: object, returned: object) -> object:
    if isinstance(returned, Mapping) and isinstance(made, Mapping):
        return {**cast("Mapping[str, object]", made), **cast("Mapping[str, object]", returned)}
    return made if returned is None else returned  # pyright: ignore[reportUnknownVariableType] - whatever it is


def end_hooks(plan: HookPlan, status: RunStatus) -> tuple[Hook, ...]:
    """Return the hooks that run once when a run has ended with a status, in their order."""
    return (*plan.of(END_HOOK.get(status, "on_failure")), *plan.of("on_complete"))


class HookRunner:
    """The caller of an attempt's hooks, with the values of that moment."""

    def __init__(self, plan: HookPlan, caller: Caller, payload: object, context: Context, report: Report) -> None:
        self.plan = plan
        self.caller = caller
        self.payload = payload
        self.report = report
        self.context = context
        self.values: dict[str, object] = {"payload": payload, "signal": context.signal, "ctx": context}

    def use(self, context: Context) -> None:
        """Replace the context that hooks and the function get."""
        self.context = context
        self.values |= {"ctx": context, "init": context.init, "reason": context.reason}
        enter(context)

    async def call(self, hook: Hook) -> object:
        """Call one hook."""
        with traced("hook", hook.kind, hook.name):
            return await self.caller.call(hook.function, hook.arguments(self.values))

    async def init(self) -> None:
        """Call the ``init`` hooks and merge the mappings that they return; another value replaces those before it."""
        made = self.context.init
        for hook in self.plan.of("init"):
            made = _merged(made, await self.call(hook))
        if made is not self.context.init:
            self.use(replace(self.context, init=made))

    async def run(self, kind: HookKind) -> None:
        """Call hooks whose errors fail the attempt."""
        for hook in self.plan.of(kind):
            await self.call(hook)

    async def waits(self, kind: Literal["on_wait", "on_resume"], wait: Wait) -> None:
        """Call the hooks before or after a wait. Several waits may go on at a time."""
        for hook in self.plan.of(kind):
            with traced("hook", hook.kind, hook.name):
                await self.caller.call(hook.function, hook.arguments(self.values | {"wait": wait}))

    async def run_safely(self, hooks: Sequence[Hook]) -> None:
        """Call hooks whose errors are only recorded."""
        for hook in hooks:
            try:
                await self.call(hook)
            except BaseException as error:
                if self.caller.is_stop(error):
                    raise
                self.record(hook.label, self.caller.cause(error))

    async def call_end_hooks(
        self,
        status: RunStatus,
        reason: str,
        output: object,
        error: RunError | None = None,
        cause: BaseException | None = None,
    ) -> None:
        """Call the final hooks, once the run's outcome is settled.

        Args:
            cause: The exception of the code, where it is known; ``error`` is its stored form.
        """
        run_id = self.context.run.id
        self.use(replace(self.context, reason=reason))
        if cause is None and status is not RunStatus.COMPLETED:
            cause = run_failed(run_id, status, error)
        self.values |= {
            "output": output,
            "error": cause,
            "result": TaskResult(run_id, status, output, error),
        }
        await self.run_safely(end_hooks(self.plan, status))
        self.report.final_hooks_ran = True

    def record(self, label: str, error: BaseException) -> None:
        """Record and log an error that changes nothing."""
        described = describe(error, self.caller.is_stop)
        self.report.hook_errors.append(replace(described, message=f"{label}: {described.message}"))
        log.error("hook.failed: %s of run %s\n%s", label, self.context.run.id, described.traceback)
