"""The hooks of a run's end when no attempt is alive: canceled while queued, expired, worker lost."""
# A lambda that is a hook has no types: pyright.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

import asyncio
from collections.abc import Callable, Generator
from typing import Any

import pytest

from taskflow import Context, Local, RunFailedError, tasks
from taskflow.definition.hooks import HookKind
from taskflow.execution.final_hooks import arun_final_hooks, final_hook_kinds, has_final_hooks, run_final_hooks
from taskflow.models import RunError, RunStatus
from taskflow.testing import context
from taskflow.verbs.decorator import task
from taskflow.verbs.task import Task

S = RunStatus
Db = Local[str]("db")
ENDS: tuple[HookKind, ...] = ("on_success", "on_failure", "on_cancel")
OTHERS: tuple[HookKind, ...] = ("on_start", "on_start_attempt", "on_error", "catch_error")


def a_task(is_async: bool) -> Task[Any, Any]:
    def run(payload: dict[str, int]) -> set[int]:
        raise AssertionError("the function is never executed")

    async def arun(payload: dict[str, int]) -> set[int]:
        raise AssertionError("the function is never executed")

    return task(id=f"subject-{is_async}")(arun if is_async else run)


def run_hooks(subject: Task[Any, Any], status: RunStatus, **told: Any) -> list[RunError]:
    """Call them as a node of either kind would."""
    arguments = (subject.definition, told.pop("payload", b'{"a": 1}'), context())
    if subject.definition.is_async and status is S.CANCELED:
        return asyncio.run(arun_final_hooks(*arguments, status=status, **told))
    return run_final_hooks(*arguments, status=status, **told)


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize(
    "status, called, reason",
    [
        (S.COMPLETED, "on_success", "completed"),
        (S.CANCELED, "on_cancel", "canceled"),
        (S.FAILED, "on_failure", "failed"),
        (S.CRASHED, "on_failure", "crashed"),
        (S.SYSTEM_FAILURE, "on_failure", "worker lost"),
        (S.EXPIRED, "on_failure", "expired"),
        (S.TIMED_OUT, "on_failure", "timed out"),
    ],
)
def test_each_end_has_its_hooks(status: RunStatus, called: str, reason: str, is_async: bool) -> None:
    """Within the middlewares, with init and locals, as in an attempt; the function itself is not called."""
    told: list[object] = []
    subject = a_task(is_async)

    @tasks.middleware
    def db() -> Generator[None]:
        told.append(Db.set("opened"))
        yield
        told.append("closed")

    def named(name: str) -> Callable[..., object]:
        async def hook(payload: object, init: object, ctx: Context) -> None:
            told.append((name, payload, init, ctx.reason, Db.get()))

        return hook

    for kind in ENDS:
        subject.hook_set().add(kind, named(kind))
    for kind in OTHERS:
        subject.hook_set().add(kind, lambda: told.append("never"))
    subject.init(lambda: {"made": True})
    subject.cleanup(lambda: told.append("cleanup"))
    subject.on_complete(lambda reason: told.append(reason))
    assert run_hooks(subject, status) == []
    assert told == ["opened", (called, {"a": 1}, {"made": True}, reason, "opened"), reason, "cleanup", "closed"]


def test_hooks_get_the_stored_error_as_the_exception_that_a_handle_raises() -> None:
    """There is no other one left."""
    told: list[Any] = []
    subject = a_task(is_async=False)
    subject.on_failure(lambda error, reason: told.extend([error, reason]))
    run_hooks(subject, S.SYSTEM_FAILURE, error=RunError("WorkerLost", "its lease ended"), reason="out of luck")
    error, reason = told
    assert isinstance(error, RunFailedError)
    assert (error.type, error.message, error.status, reason) == (
        "WorkerLost", "its lease ended", "SYSTEM_FAILURE", "out of luck",
    )  # fmt: skip


def test_hooks_of_a_success_get_the_output_of_its_type() -> None:
    """The worker died within them, so they are called again: from what is stored."""
    told: list[object] = []
    subject = a_task(is_async=False)
    subject.on_success(lambda output: told.append(output))
    run_hooks(subject, S.COMPLETED, output=b"[1,2]")
    assert told == [{1, 2}]


@pytest.mark.parametrize("is_async", [False, True])
def test_whatever_fails_is_returned_and_the_hooks_are_called(is_async: bool) -> None:
    """An alert matters more than a database connection."""
    told: list[str] = []
    subject = a_task(is_async)

    def broken() -> None:
        raise OSError("broken")

    subject.init(broken)
    subject.cleanup(broken)
    subject.on_failure(broken)
    subject.on_failure(lambda: told.append("told"))
    assert [error.message.split(" ")[0].rstrip(":") for error in run_hooks(subject, S.FAILED)] == [
        "init", "on_failure", "cleanup",
    ]  # fmt: skip

    @subject.middleware
    def no_database() -> Generator[None]:
        raise OSError("broken")
        yield

    assert [error.message.split(" ")[0].rstrip(":") for error in run_hooks(subject, S.FAILED)] == [
        "middleware", "on_failure",
    ]  # fmt: skip
    assert told == ["told", "told"]


def test_a_payload_that_does_not_fit_any_more_is_returned_as_the_error() -> None:
    """No hook can be given what it asks for."""
    told: list[str] = []
    subject = a_task(is_async=False)
    subject.on_failure(lambda payload: told.append("told"))
    assert [error.type for error in run_hooks(subject, S.FAILED, payload=b"5")] == ["PayloadError"]
    assert told == []


def test_a_worker_can_know_which_tasks_have_such_hooks() -> None:
    """No ticket is made for a run that nobody wants to hear of."""
    subject = a_task(is_async=False)
    subject.on_start(lambda: None)
    assert (final_hook_kinds(subject.definition), has_final_hooks(subject.definition)) == (frozenset(), False)
    subject.on_failure(lambda: None)
    assert final_hook_kinds(subject.definition) == {"on_failure"}
    assert [has_final_hooks(subject.definition, status) for status in (S.FAILED, S.EXPIRED, S.CANCELED)] == [
        True, True, False,
    ]  # fmt: skip
    tasks.on_complete(lambda: None)
    assert final_hook_kinds(subject.definition) == {"on_failure", "on_complete"}
    assert has_final_hooks(subject.definition, S.CANCELED)
