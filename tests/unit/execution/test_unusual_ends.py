"""Unusual ends: any exception of a task's function ends its attempt, unless the node has asked for a stop."""
# A lambda that is a hook has no types: pyright.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

import asyncio
import contextvars
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from typing import Any

import pytest

from taskflow.execution.outcome import Ended, Outcome
from taskflow.verbs.decorator import task
from taskflow.verbs.task import Task
from tests.unit.execution.conftest import an_attempt, execute


class Mine(BaseException):
    """As gevent's Timeout, and the outcomes of test frameworks."""


UNUSUAL: list[Callable[[], BaseException]] = [
    lambda: Mine("mine"),
    lambda: GeneratorExit(),
    lambda: KeyboardInterrupt(),
    lambda: SystemExit(-200),
    lambda: SystemExit(-241),  # the code with which billiard's child leaves on SIGTERM
    lambda: SystemExit("text"),
    lambda: asyncio.CancelledError(),
    lambda: BaseExceptionGroup("several", [Mine(), KeyboardInterrupt()]),
]
NAMES = [repr(make()) for make in UNUSUAL]


def middleware_of_each_kind(subject: Task[Any, Any], seen: list[str]) -> None:
    """Surround a task by each kind of middleware, and add hooks."""

    @subject.middleware
    def generator() -> Generator[None]:
        try:
            yield
        finally:
            seen.append("generator")

    @subject.middleware
    async def async_generator() -> AsyncGenerator[None]:
        try:
            yield
        finally:
            await asyncio.sleep(0)
            seen.append("async generator")

    @subject.middleware
    async def calls_next(next: Callable[[], Awaitable[None]]) -> None:
        try:
            await next()
        finally:
            seen.append("next")

    subject.cleanup(lambda: seen.append("cleanup"))
    subject.on_failure(lambda: seen.append("on_failure"))


def the_error(outcome: Outcome) -> str:
    """Return the type of the error of a run that has failed."""
    assert isinstance(outcome, Ended)
    assert outcome.status == "FAILED"
    return outcome.error.type


@pytest.mark.parametrize("has_hooks", [False, True], ids=["alone", "with hooks"])
@pytest.mark.parametrize("kind", ["def", "async def", "async def in a child"])
@pytest.mark.parametrize("make", UNUSUAL, ids=NAMES)
def test_whatever_the_function_raises_is_the_failure_of_its_attempt(
    make: Callable[[], BaseException], kind: str, has_hooks: bool
) -> None:
    """Nobody asked for a stop, so the exception by which one comes means nothing."""
    seen: list[str] = []
    subject: Task[Any, Any]
    if kind == "def":

        @task(id="unusual-def")
        def plain() -> None:
            raise make()

        subject = plain
    else:

        @task(id="unusual", executor="process" if kind == "async def in a child" else "async")
        async def coroutine() -> None:
            raise make()

        subject = coroutine
    if has_hooks:
        middleware_of_each_kind(subject, seen)
    attempt = an_attempt(subject, most=1)
    outcome = attempt.execute() if kind == "async def in a child" else execute(attempt)
    assert the_error(outcome) == type(make()).__name__
    assert not attempt.signal.is_set()
    if has_hooks:
        assert sorted(seen) == ["async generator", "cleanup", "generator", "next", "on_failure"]


async def watchdog() -> None:
    """Cancel the task that has made this one."""
    me = asyncio.current_task()

    async def watch() -> None:
        await asyncio.sleep(0)
        assert me is not None
        me.cancel("the feed is stale")

    asyncio.get_running_loop().create_task(watch())
    await asyncio.sleep(5)


async def test_a_coroutine_that_its_own_code_cancels_has_failed() -> None:
    """Taken for a stop it would start again for ever. Its hooks can await as usual."""
    seen: list[str] = []

    @task()
    async def subject() -> None:
        await watchdog()

    @subject.cleanup
    async def tidy() -> None:
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(0))
        seen.append("tidy")

    attempt = an_attempt(subject, most=1)
    assert the_error(await asyncio.create_task(attempt.aexecute())) == "CancelledError"
    assert (seen, attempt.report.hook_errors) == (["tidy"], [])


async def leave() -> None:
    """Exit, as argparse and click do."""
    sys.exit(3)


async def awaited() -> None:
    await asyncio.create_task(leave())


async def gathered() -> None:
    await asyncio.gather(leave(), asyncio.sleep(5))


async def grouped() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(leave())
        await asyncio.sleep(5)


async def forgotten() -> None:
    task = asyncio.create_task(leave())
    await asyncio.sleep(5)
    del task


async def called_soon() -> None:
    asyncio.get_running_loop().call_soon(sys.exit, 3)
    await asyncio.sleep(5)


async def in_a_thread() -> None:
    await asyncio.to_thread(sys.exit, 3)


@pytest.mark.parametrize("way", [awaited, gathered, grouped, forgotten, called_soon, in_a_thread])
def test_an_exit_of_a_task_of_its_own_ends_the_attempt_in_a_child(
    way: Callable[[], Coroutine[Any, Any, None]],
) -> None:
    """asyncio lets a SystemExit of any task out of the loop, which would end the child without an outcome."""

    @task(executor="process")
    async def subject() -> None:
        await way()

    assert the_error(an_attempt(subject, most=1).execute()) == "SystemExit"


def test_a_task_that_exits_after_the_end_changes_nothing() -> None:
    """The loop of a child cancels what is left, and that may raise anything."""

    @task(executor="process")
    async def subject() -> str:
        async def stubborn() -> None:
            try:
                await asyncio.sleep(5)
            finally:
                sys.exit(3)

        left = asyncio.create_task(stubborn())
        await asyncio.sleep(0)
        return f"left {left.get_name() != ''}"

    outcome = an_attempt(subject, most=1).execute()
    assert getattr(outcome, "value", outcome) == "left True"


async def test_a_coroutine_that_is_dropped_calls_nothing() -> None:
    """A loop that has ended closes its coroutines: a hook could not await there."""
    seen: list[str] = []

    @task()
    async def subject() -> None:
        await asyncio.sleep(5)

    subject.cleanup(lambda: seen.append("cleanup"))
    attempt = an_attempt(subject).aexecute()

    async def begin() -> None:
        attempt.send(None)

    context = contextvars.copy_context()
    await asyncio.create_task(begin(), context=context)
    context.run(attempt.close)
    assert seen == []
