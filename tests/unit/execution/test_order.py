"""The order of everything around a function, for ``def`` and ``async def`` tasks with hooks of either kind."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Any

import pytest

from taskflow import Caught, tasks
from taskflow.definition.hook_sets import declared_hooks
from taskflow.definition.hooks import HookKind
from taskflow.execution.outcome import Completed, Ended, Outcome, Retried
from taskflow.verbs.decorator import task
from taskflow.verbs.task import Task
from tests.unit.execution.conftest import an_attempt, execute

AROUND = ["g1-before", "g2-before", "task-before"]
LEFT = ["task-after", "g2-after", "g1-after"]
SIMPLE: tuple[HookKind, ...] = (
    "init", "on_start", "on_start_attempt", "on_success", "on_error", "on_failure", "on_complete", "cleanup",
)  # fmt: skip


class Story:
    """The calls in their order, and hooks that record them, in turn ``def`` and ``async def``."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._is_async = itertools.cycle([False, True])

    def hook(self, line: str) -> Callable[..., object]:
        def told() -> None:
            self.lines.append(line)

        async def atold() -> None:
            await asyncio.sleep(0)
            self.lines.append(line)

        return atold if next(self._is_async) else told

    def middleware(self, name: str, form: str) -> Callable[..., object]:
        def generator() -> Generator[None]:
            self.lines.append(f"{name}-before")
            try:
                yield
            finally:
                self.lines.append(f"{name}-after")

        async def async_generator() -> AsyncGenerator[None]:
            self.lines.append(f"{name}-before")
            try:
                await asyncio.sleep(0)
                yield
            finally:
                self.lines.append(f"{name}-after")

        def function(next: Callable[[], None]) -> None:
            self.lines.append(f"{name}-before")
            try:
                next()
            finally:
                self.lines.append(f"{name}-after")

        async def coroutine(next: Callable[[], Awaitable[None]]) -> None:
            self.lines.append(f"{name}-before")
            try:
                await asyncio.sleep(0)
                await next()
            finally:
                self.lines.append(f"{name}-after")

        forms: dict[str, Callable[..., object]] = {
            "generator": generator, "async generator": async_generator, "def": function, "async def": coroutine,
        }  # fmt: skip
        return forms[form]


def a_task(story: Story, *, is_async: bool, error: Exception | None = None, forms: list[str]) -> Task[Any, Any]:
    """Return a task with every hook, its own and two for all tasks."""
    for place in ("g1", "g2"):
        for kind in SIMPLE:
            declared_hooks.add(kind, story.hook(f"{kind}-{place}"))
    tasks.middleware("g1")(story.middleware("g1", forms[0]))
    tasks.middleware(story.middleware("g2", forms[1]))

    def run(payload: object) -> str:
        story.lines.append("run")
        if error:
            raise error
        return "done"

    async def arun(payload: object) -> str:
        await asyncio.sleep(0)
        return run(payload)

    made: Task[Any, Any] = task(id="subject")(arun if is_async else run)
    for kind in SIMPLE:
        made.hook_set().add(kind, story.hook(f"{kind}-task"))
    made.middleware(story.middleware("task", forms[2]))
    return made


def each(*kinds: str) -> list[str]:
    return [f"{kind}-{place}" for kind in kinds for place in ("g1", "g2", "task")]


FORMS = [
    (is_async, forms)
    for is_async in (False, True)
    for forms in itertools.permutations(["generator", "async generator", "async def", "def"], 3)
    if not (is_async and "def" in forms)
]


@pytest.mark.parametrize("is_async, forms", FORMS)
def test_a_success_goes_through_everything_in_order(is_async: bool, forms: list[str]) -> None:
    """Scenario 6 of Trigger.dev's own tests, in every mix of sync and async."""
    story = Story()
    outcome = execute(an_attempt(a_task(story, is_async=is_async, forms=forms)))
    assert isinstance(outcome, Completed)
    assert outcome.output == b'"done"'
    assert story.lines == [
        *AROUND, *each("init", "on_start", "on_start_attempt"), "run",
        *each("on_success", "on_complete", "cleanup"), *LEFT,
    ]  # fmt: skip


@pytest.mark.parametrize("is_async, forms", FORMS[:: len(FORMS) // 4])
def test_a_failure_for_good_goes_through_everything_in_order(is_async: bool, forms: list[str]) -> None:
    """``on_error`` for the attempt, ``on_failure`` for the run."""
    story = Story()
    subject = a_task(story, is_async=is_async, error=ValueError("no"), forms=forms)
    outcome = execute(an_attempt(subject, number=3))
    assert isinstance(outcome, Ended)
    assert story.lines == [
        *AROUND, *each("init", "on_start_attempt"), "run",
        *each("on_error", "on_failure", "on_complete", "cleanup"), *LEFT,
    ]  # fmt: skip


@pytest.mark.parametrize("is_async", [False, True])
def test_a_failed_attempt_that_is_tried_again_runs_no_hook_of_the_end(is_async: bool) -> None:
    """The run has not ended: it would be told twice."""
    story = Story()
    subject = a_task(story, is_async=is_async, error=ValueError("no"), forms=["generator"] * 3)
    assert isinstance(execute(an_attempt(subject, number=2)), Retried)
    assert story.lines == [
        *AROUND, *each("init", "on_start_attempt"), "run", *each("on_error", "cleanup"), *LEFT,
    ]  # fmt: skip


def test_catch_error_asks_the_task_first_and_stops_at_the_first_answer() -> None:
    """Scenario 5: the task knows its errors best."""
    asked: list[str] = []

    @tasks.catch_error
    def g1() -> Caught:
        asked.append("g1")
        return Caught(skip_retry=True)

    @tasks.catch_error
    def g2() -> None:
        asked.append("g2")

    @task()
    def subject() -> None:
        raise ValueError("no")

    @subject.catch_error
    async def own() -> None:
        asked.append("task")

    assert isinstance(execute(an_attempt(subject)), Ended)
    assert asked == ["task", "g1"]


def test_a_payload_that_does_not_fit_runs_nothing() -> None:
    """Scenario 7: no hook could be given what it asks for, and trying again would not help."""
    story = Story()
    tasks.middleware(story.middleware("g1", "generator"))
    for kind in (*SIMPLE, "on_cancel"):
        declared_hooks.add(kind, story.hook(kind))

    @task()
    def subject(payload: int) -> None:
        story.lines.append("run")

    outcome = execute(an_attempt(subject, b'"text"'))
    assert isinstance(outcome, Ended)
    assert outcome.error.type == "PayloadError"
    assert story.lines == []


@pytest.mark.parametrize("is_async", [False, True])
def test_the_outcome_is_settled_before_the_hooks_of_the_end(is_async: bool) -> None:
    """A worker that dies within such a hook must not execute the function again."""
    story = Story()
    subject = a_task(story, is_async=is_async, forms=["generator"] * 3)
    settled: list[Outcome] = []

    def settle(outcome: Outcome) -> None:
        settled.append(outcome)
        story.lines.append("settle")

    attempt = an_attempt(subject)
    outcome = execute(attempt, settle)
    assert settled == [outcome]
    assert story.lines.index("settle") == story.lines.index("run") + 1
    assert attempt.report.final_hooks_ran


@pytest.mark.parametrize("is_async", [False, True])
def test_without_hooks_of_the_end_nothing_is_settled_early(is_async: bool) -> None:
    """It would be one more round trip for each run."""
    settled: list[Outcome] = []

    def run() -> None: ...
    async def arun() -> None: ...

    subject: Task[Any, Any] = task(id="subject")(arun if is_async else run)
    subject.cleanup(lambda: None)
    assert isinstance(execute(an_attempt(subject), settled.append), Completed)
    assert settled == []


@pytest.mark.parametrize("is_async", [False, True])
def test_a_refused_settlement_ends_the_attempt_without_the_hooks_of_the_end(is_async: bool) -> None:
    """The run was taken from this node, or canceled: another one tells its end. What was opened is closed."""
    story = Story()
    subject = a_task(story, is_async=is_async, forms=["generator"] * 3)

    def settle(outcome: Outcome) -> None:
        raise ConnectionError("refused")

    with pytest.raises(ConnectionError, match="refused"):
        execute(an_attempt(subject), settle)
    assert story.lines[-6:] == [*each("cleanup"), *LEFT]
    assert not any(line.startswith(("on_success", "on_complete")) for line in story.lines)
