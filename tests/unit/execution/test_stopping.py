"""An attempt that is stopped from outside: canceled, out of time, or taken away."""
# A lambda that is a hook has no types: pyright.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

import asyncio
import os
import signal as signals
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from contextvars import ContextVar
from types import FrameType
from typing import Any

import pytest

from taskflow import BlockingCallError, Context, RunCanceledError, Signal, TaskResult
from taskflow.execution.attempt import AttemptRunner
from taskflow.execution.outcome import Completed, Ended, Outcome, Retried
from taskflow.models import RunStatus
from taskflow.verbs.decorator import task
from taskflow.verbs.task import Task
from tests.unit.execution.conftest import an_attempt

SIGTERM_EXIT = -(256 - signals.SIGTERM)
"""The exit code of a billiard child that SIGTERM has ended."""


@pytest.fixture
def sigterm_exits() -> Iterator[None]:
    """Make SIGTERM do what it does in a prefork child."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(-(256 - number))

    before = signals.signal(signals.SIGTERM, leave)
    yield
    signals.signal(signals.SIGTERM, before)


def tell(subject: Task[Any, Any], told: list[object]) -> None:
    """Add every hook that a stop could reach."""

    @subject.middleware
    def around() -> Generator[None]:
        try:
            yield
        except BaseException as error:
            told.append(type(error).__name__)
            raise

    subject.on_error(lambda: told.append("on_error"))
    subject.catch_error(lambda: told.append("catch_error"))
    subject.on_failure(lambda reason, ctx: told.append(("on_failure", reason, ctx.reason)))
    subject.on_cancel(lambda reason, ctx: told.append(("on_cancel", reason, ctx.reason)))
    subject.on_complete(lambda reason: told.append(("on_complete", reason)))
    subject.cleanup(lambda: told.append("cleanup"))


CANCELED = [("on_cancel", "canceled", "canceled"), ("on_complete", "canceled"), "cleanup"]
TIMED_OUT = [("on_failure", "timed out", "timed out"), ("on_complete", "timed out"), "cleanup"]


begun: ContextVar[asyncio.Event] = ContextVar("begun")


async def begin_and_sleep() -> None:
    """Let ``stop`` go on, and wait to be stopped."""
    begun.get().set()
    await asyncio.sleep(60)


async def stop(attempt: AttemptRunner, reason: str, settled: list[Outcome] | None = None) -> Outcome:
    """Cancel an attempt as a node does, the signal first, once its code is in ``begin_and_sleep``."""

    async def settle(outcome: Outcome) -> None:
        if settled is not None:
            settled.append(outcome)

    begun.set(asyncio.Event())
    executing = asyncio.create_task(attempt.aexecute(settle))
    await asyncio.wait_for(begun.get().wait(), 5)
    attempt.signal.set(reason)
    executing.cancel()
    return await executing


async def test_a_canceled_coroutine_runs_its_cancel_hooks_and_has_no_outcome() -> None:
    """Within its middlewares, before they close what it used; nothing else hears of it."""
    told: list[object] = []

    @task()
    async def subject() -> None:
        await begin_and_sleep()

    tell(subject, told)
    attempt = an_attempt(subject)
    settled: list[Outcome] = []
    with pytest.raises(asyncio.CancelledError):
        await stop(attempt, "canceled", settled)
    assert told == [*CANCELED, "CancelledError"]
    assert (settled, attempt.report.final_hooks_ran) == ([], True)


async def test_a_coroutine_that_was_taken_away_only_cleans_up() -> None:
    """The run goes on elsewhere: it has not ended."""
    told: list[object] = []

    @task()
    async def subject() -> None:
        await begin_and_sleep()

    tell(subject, told)
    attempt = an_attempt(subject)
    with pytest.raises(asyncio.CancelledError):
        await stop(attempt, "interrupted")
    assert (told, attempt.report.final_hooks_ran) == (["cleanup", "CancelledError"], False)


@pytest.mark.parametrize("way", ["raises", "returns", "fails"])
async def test_a_coroutine_whose_time_is_up_has_timed_out_whatever_it_does(way: str) -> None:
    """``max_duration`` is a promise to whoever waits; no retry follows."""
    told: list[object] = []

    @task()
    async def subject() -> None:
        try:
            await begin_and_sleep()
        except asyncio.CancelledError:
            if way == "raises":
                raise
            if way == "fails":
                raise ValueError("while stopping") from None

    tell(subject, told)
    settled: list[Outcome] = []
    outcome = await stop(an_attempt(subject), "timed out", settled)
    assert isinstance(outcome, Ended)
    assert (outcome.status, outcome.error.type, settled) == (RunStatus.TIMED_OUT, "TimedOut", [outcome])
    assert [line for line in told if line in TIMED_OUT] == TIMED_OUT


async def test_a_cancelation_that_nobody_asked_for_is_a_failure() -> None:
    """The task awaited something that was canceled; taken for a stop, the run would start again for ever."""

    @task()
    async def subject() -> None:
        inner = asyncio.ensure_future(asyncio.sleep(60))
        inner.cancel()
        await inner

    outcome = await asyncio.create_task(an_attempt(subject).aexecute())
    assert isinstance(outcome, Retried)
    assert outcome.error.type == "CancelledError"


async def test_a_cancel_waits_for_the_hook_in_a_thread() -> None:
    """A thread cannot be stopped: what it works with is closed after it."""
    told: list[object] = []
    began = threading.Event()

    @task()
    async def subject() -> None:
        told.append("run")

    @subject.on_start
    def slow() -> None:
        began.set()
        time.sleep(0.05)
        told.append("started")

    tell(subject, told)
    attempt = an_attempt(subject)
    executing = asyncio.create_task(attempt.aexecute())
    await asyncio.to_thread(began.wait, 5)
    attempt.signal.set("canceled")
    executing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await executing
    assert told == ["started", *CANCELED, "CancelledError"]


async def test_a_cancel_in_a_middleware_runs_the_cancel_hooks_too() -> None:
    """The run is canceled wherever its code is."""
    told: list[object] = []

    @task()
    async def subject() -> None: ...

    @subject.middleware
    async def slow(next: Callable[[], Any]) -> None:
        await begin_and_sleep()
        await next()

    subject.on_cancel(lambda reason: told.append(reason))
    with pytest.raises(asyncio.CancelledError):
        await stop(an_attempt(subject), "canceled")
    assert told == ["canceled"]


async def test_a_stop_within_the_hooks_of_the_end_leaves_the_settled_outcome() -> None:
    """It is written down already; the report says that the hooks have not finished."""

    @task()
    async def subject() -> str:
        return "done"

    @subject.on_success
    async def slow() -> None:
        await begin_and_sleep()

    attempt = an_attempt(subject)
    assert isinstance(await stop(attempt, "interrupted"), Completed)
    assert not attempt.report.final_hooks_ran


@pytest.mark.parametrize("reason", ["canceled", "timed out"])
def test_sigterm_in_a_child_does_the_same(reason: str, sigterm_exits: None) -> None:
    """SIGTERM is SystemExit in the function; the node knows why it sent it."""
    told: list[object] = []

    @task()
    def subject(payload: object, signal: Signal) -> None:
        threading.Timer(0.01, os.kill, (os.getpid(), signals.SIGTERM)).start()
        assert not signal.wait("5s")

    tell(subject, told)
    attempt = an_attempt(subject, stop_reason=lambda: reason)
    if reason == "canceled":
        with pytest.raises(SystemExit) as leaving:
            attempt.execute()
        assert leaving.value.code == SIGTERM_EXIT
        assert told == [*CANCELED, "SystemExit"]
    else:
        outcome = attempt.execute()
        assert isinstance(outcome, Ended)
        assert (outcome.status, told) == (RunStatus.TIMED_OUT, [*TIMED_OUT, "SystemExit"])
    assert attempt.signal.reason == reason


@pytest.mark.parametrize("reason", ["canceled", "timed out"])
def test_sigterm_in_a_child_cancels_an_async_function(reason: str, sigterm_exits: None) -> None:
    """``async def`` with ``executor="process"``: the loop is the child's own."""
    told: list[object] = []

    @task(executor="process")
    async def subject(payload: object, signal: Signal) -> None:
        threading.Timer(0.01, os.kill, (os.getpid(), signals.SIGTERM)).start()
        await asyncio.sleep(5)

    tell(subject, told)
    attempt = an_attempt(subject, stop_reason=lambda: reason)
    if reason == "canceled":
        with pytest.raises(SystemExit) as leaving:
            attempt.execute()
        assert leaving.value.code == SIGTERM_EXIT
        assert told == [*CANCELED, "CancelledError"]
    else:
        outcome = attempt.execute()
        assert isinstance(outcome, Ended)
        assert (outcome.status, told) == (RunStatus.TIMED_OUT, [*TIMED_OUT, "CancelledError"])


def test_sigterm_closes_async_middlewares_in_order_too() -> None:
    """An inner one may use what an outer one has opened."""
    told: list[str] = []

    @task()
    def subject() -> None:
        raise SystemExit(SIGTERM_EXIT)

    @subject.middleware
    def outer() -> Generator[None]:
        try:
            yield
        finally:
            told.append("outer")

    @subject.middleware
    async def inner(next: Callable[[], Awaitable[None]]) -> None:
        try:
            await next()
        finally:
            await asyncio.sleep(0)
            told.append("inner")

    @subject.middleware
    async def innermost() -> AsyncGenerator[None]:
        try:
            yield
        finally:
            told.append("innermost")

    with pytest.raises(SystemExit):
        an_attempt(subject, stop_reason=lambda: "interrupted").execute()
    assert told == ["innermost", "inner", "outer"]


def test_an_async_function_may_exit_in_a_child() -> None:
    """``sys.exit`` is a failure of the code, not the node's word."""

    @task(executor="process")
    async def subject() -> None:
        raise SystemExit(3)

    outcome = an_attempt(subject).execute()
    assert isinstance(outcome, Retried)
    assert outcome.error.type == "SystemExit"


def test_a_child_that_swallows_sigterm_has_been_canceled_all_the_same() -> None:
    """A bare ``except`` is common; the store will refuse what the function returns."""
    told: list[object] = []

    @task()
    def subject(ctx: Context) -> str:
        ctx.signal.set("canceled")
        return "never mind"

    tell(subject, told)
    assert isinstance(an_attempt(subject).execute(), Completed)
    assert told == CANCELED


def test_hooks_are_told_of_a_cancelation_as_the_handle_is() -> None:
    """``error`` is what ``handle.result()`` raises."""
    told: list[Any] = []

    @task()
    def subject() -> None:
        raise SystemExit(SIGTERM_EXIT)

    subject.on_complete(lambda error, result: told.extend([error, result]))
    with pytest.raises(SystemExit):
        an_attempt(subject, stop_reason=lambda: "canceled").execute()
    error, result = told
    assert isinstance(error, RunCanceledError)
    assert isinstance(result, TaskResult)
    assert (result.ok, error.type) == (False, "Canceled")
    with pytest.raises(RunCanceledError):
        result.unwrap()


def test_a_signal_wakes_threads_and_coroutines() -> None:
    """Any thread or coroutine that a task has started can listen."""
    signal = Signal()
    assert not signal.wait(0)
    assert (signal.is_set(), signal.reason) == (False, None)

    async def listen() -> bool:
        assert not await signal.await_(0.001)
        with pytest.raises(BlockingCallError, match=r"signal\.await_"):
            signal.wait()
        threading.Timer(0.01, signal.set, ("canceled",)).start()
        return await signal.await_("5s") and await signal.await_()

    assert asyncio.run(listen())
    signal.set("timed out")
    assert (signal.wait(), signal.reason) == (True, "canceled")
