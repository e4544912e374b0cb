"""Call the final hooks of a run that has no living attempt: it was canceled in its queue, or its worker died."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from taskflow.definition.context import Context, entered
from taskflow.definition.hooks import HookKind
from taskflow.definition.local import fresh_locals
from taskflow.definition.task_definition import TaskDefinition
from taskflow.execution.calling import Caller, ChildStop
from taskflow.execution.failures import describe
from taskflow.execution.hook_runner import END_HOOK, REASONS, HookRunner, Report
from taskflow.execution.in_loop import Coroutines, Escape
from taskflow.execution.in_place import InPlace, run_unsuspended
from taskflow.execution.middleware import within
from taskflow.execution.own_loop import run_in_own_loop
from taskflow.execution.value_store import ValueStore, loaded
from taskflow.models import RunError, RunStatus

_FINAL: tuple[HookKind, ...] = ("on_success", "on_failure", "on_cancel", "on_complete")


def final_hook_kinds(definition: TaskDefinition) -> frozenset[HookKind]:
    """Return the kinds of final hooks that the task has, its own and those of all tasks."""
    plan = definition.plan()
    return frozenset(kind for kind in _FINAL if plan.of(kind))


def has_final_hooks(definition: TaskDefinition, status: RunStatus | None = None) -> bool:
    """Whether a task has hooks to call when a run of it ends: with the given status, or with any status."""
    kinds = final_hook_kinds(definition)
    return bool(kinds if status is None else kinds & {END_HOOK.get(status, "on_failure"), "on_complete"})


def run_final_hooks(
    definition: TaskDefinition,
    payload: bytes,
    context: Context,
    *,
    status: RunStatus,
    error: RunError | None = None,
    output: bytes | None = None,
    reason: str | None = None,
    large_values: ValueStore | None = None,
    stop_reason: Callable[[], str] = lambda: "",
) -> list[RunError]:
    """Call the final hooks of a run in a child, within its middlewares, after ``init``, before ``cleanup``.

    Args:
        payload: The stored JSON.
        error: The stored error; hooks get it as the exception that ``handle.result()`` raises.
        output: The stored JSON of a completed run.
        reason: ``ctx.reason``. Default: the one of the status, e.g. ``"worker lost"`` for SYSTEM_FAILURE.
        stop_reason: Returns why the child was asked to leave, or an empty text when it was not.

    Raises:
        SystemExit: The child was asked to leave.

    Returns:
        The errors of the hooks, each with the hook's name. Nothing is raised, because the run has ended in any case.
        If a middleware or ``init`` fails, the hooks are called all the same.
    """
    end = _End(definition, payload, context, status, error, output, reason or REASONS[status], large_values)
    stop = ChildStop(context.signal, stop_reason)
    if definition.is_async:
        return run_in_own_loop(end.acall(), stop, end.escape)
    with end.entered(), InPlace(stop) as caller:
        return run_unsuspended(end.call(caller))


async def arun_final_hooks(
    definition: TaskDefinition,
    payload: bytes,
    context: Context,
    *,
    status: RunStatus,
    error: RunError | None = None,
    output: bytes | None = None,
    reason: str | None = None,
    large_values: ValueStore | None = None,
) -> list[RunError]:
    """Call the final hooks of a run of an ``async def`` task, in the running loop. See ``run_final_hooks``."""
    return await _End(
        definition, payload, context, status, error, output, reason or REASONS[status], large_values
    ).acall()


@dataclass(slots=True)
class _End:
    """A run that has ended, and the values for its hooks."""

    definition: TaskDefinition
    payload: bytes
    context: Context
    status: RunStatus
    error: RunError | None
    output: bytes | None
    reason: str
    large_values: ValueStore | None
    was_reached: bool = False
    escape: Escape = field(default_factory=Escape)

    @contextmanager
    def entered(self) -> Generator[None]:
        with entered(self.context), fresh_locals():
            yield

    async def acall(self) -> list[RunError]:
        with self.entered(), Coroutines(self.context.signal, self.escape) as caller:
            return await self.call(caller)

    async def call(self, caller: Caller) -> list[RunError]:
        try:
            payload_type = self.definition.payload
            payload = payload_type.load(await loaded(caller, self.large_values, self.payload)) if payload_type else None
            stored = None if self.output is None else await loaded(caller, self.large_values, self.output)
            output = None if stored is None else self.definition.output.load(stored)
            plan = self.definition.plan()
        except Exception as wrong:  # noqa: BLE001 - what user code or stored data raises is the error of the hooks
            return [describe(wrong, caller.is_stop)]
        hooks = HookRunner(plan, caller, payload, replace(self.context, reason=self.reason), Report())

        async def steps() -> None:
            await self._steps(hooks, output)

        try:
            await within(plan.of("middleware"), hooks.values, caller, steps)
        except BaseException as wrong:
            if caller.is_stop(wrong):
                raise
            hooks.record("middleware", caller.cause(wrong))
        if not self.was_reached:
            await self._hooks(hooks, output)
        return hooks.report.hook_errors

    async def _steps(self, hooks: HookRunner, output: object) -> None:
        try:
            await hooks.init()
        except BaseException as wrong:
            if hooks.caller.is_stop(wrong):
                raise
            hooks.record("init", hooks.caller.cause(wrong))
        await self._hooks(hooks, output)
        await hooks.run_safely(hooks.plan.of("cleanup"))

    async def _hooks(self, hooks: HookRunner, output: object) -> None:
        self.was_reached = True
        await hooks.call_end_hooks(self.status, self.reason, output, self.error)
