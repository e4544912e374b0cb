"""The options that `@task` accepts and refuses at import, and the words of the refusals."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from taskflow.definition.context import Context
from taskflow.definition.registry import declared
from taskflow.definition.retry import Retry
from taskflow.errors import DefinitionError
from taskflow.testing import context
from taskflow.verbs.decorator import task

untyped: Callable[..., Any] = task
"""The decorator as callers without a type checker use it."""


class Greeting(BaseModel):
    message: str


def test_the_defaults_come_from_the_function() -> None:
    """A task needs no options: its name, its docstring and its kind say enough."""

    @task()
    def hello_world(payload: Greeting, ctx: Context) -> str:
        """Greet someone."""
        return payload.message.upper()

    definition = hello_world.definition
    assert (definition.id, definition.description) == ("hello-world", "Greet someone.")
    assert (definition.class_name, definition.queue.name) == ("small-1x.process", "task/hello-world")
    assert definition.retry == Retry()
    assert declared.get("hello-world") is hello_world.definition


def test_every_option_arrives() -> None:
    """Workers read the same options that the task declares."""

    @task(id="a", description="b", machine="micro", executor="process", tags=["x", "x"], retry=Retry(max_attempts=9))
    async def hello() -> None: ...

    definition = hello.definition
    assert (definition.id, definition.description, definition.class_name) == ("a", "b", "micro.process")
    assert (definition.tags, definition.retry.max_attempts) == (("x",), 9)


def test_async_def_runs_in_the_async_executor() -> None:
    """Hundreds of them share one process."""

    @task()
    async def hello() -> None: ...

    assert hello.definition.executor == "async"


def test_calling_a_task_runs_its_function_in_place() -> None:
    """Unit tests of a project need no store and no worker."""

    @task()
    def hello(payload: Greeting, ctx: Context) -> str:
        return f"{payload.message} {ctx.attempt.number}"

    @task()
    def only_context(ctx: Context) -> bool:
        return ctx.attempt.is_last

    assert hello(Greeting(message="hi"), context(attempt=2)) == "hi 2"
    assert hello(Greeting(message="hi"), ctx=context()) == "hi 1"
    assert only_context(context(attempt=3, max_attempts=3))
    assert inspect.signature(hello).parameters.keys() == {"payload", "ctx"}


async def test_calling_an_async_task_gives_its_coroutine() -> None:
    """It is awaited as any other function is."""

    @task()
    async def double(payload: int) -> int:
        return 2 * payload

    assert await double(4) == 8


def test_invoke_gives_a_function_only_what_it_wants() -> None:
    """The executor knows one way of calling for four shapes of function."""

    @task()
    def neither() -> str:
        return "neither"

    @task()
    def one(payload: int) -> int:
        return payload

    @task()
    def only_context(ctx: Context) -> str:
        return ctx.run.id

    @task()
    def both(payload: int, *, ctx: Context) -> tuple[int, str]:
        return payload, ctx.run.id

    ctx = context(run_id="run_1")
    called = [made.definition.invoke(5, ctx) for made in (neither, one, only_context, both)]
    assert called == ["neither", 5, "run_1", (5, "run_1")]


@pytest.mark.parametrize(
    "option, meant",
    [
        ("retires", "retry"),
        ("queu", "queue"),
        ("Machine", "machine"),
        ("descripton", "description"),
        ("excutor", "executor"),
    ],
)
def test_a_misspelt_option_names_the_near_miss(option: str, meant: str) -> None:
    """A limit or a retry that is silently not there shows in production first."""
    with pytest.raises(DefinitionError, match=f"Did you mean '{meant}'") as refused:
        untyped(**{option: 1})
    assert (refused.value.option, refused.value.value) == (option, 1)


def test_an_option_like_no_other_lists_what_there_is() -> None:
    """`acks_late=True` is Celery's; whoever comes from there learns the words of here."""
    with pytest.raises(DefinitionError, match=r"durable, executor, id, .*machine, .*queue, retry, suspend_after, tags"):
        untyped(acks_late=True)


def test_the_decorator_without_parentheses_says_what_is_missing() -> None:
    """It is the first thing that everybody tries."""
    with pytest.raises(DefinitionError, match=r"@task\(\) with parentheses"):

        @untyped
        def hello() -> None: ...


@pytest.mark.parametrize("bad", ["", "a b", "ü", "x" * 129, "a\n", 5])
def test_an_id_that_keys_cannot_hold_is_refused(bad: object) -> None:
    """The id is the name of a Celery task, a queue and a key."""

    def hello() -> None: ...

    with pytest.raises(DefinitionError, match="not a task id"):
        untyped(id=bad)(hello)


def has_context_first(ctx: Context, payload: int) -> None: ...
def has_wrong_context(ctx: int) -> None: ...
def has_wrong_context_after(payload: int, ctx: "Greeting") -> None: ...
def has_renamed_context(context: Context) -> None: ...
def has_star(*payload: int) -> None: ...
def has_stars(**payload: int) -> None: ...
def has_more_stars(payload: int, **options: int) -> None: ...
def has_positional_context(payload: int, ctx: Context, /) -> None: ...
def has_self(self: object, payload: int) -> None: ...
def has_yield(payload: int) -> Any:
    yield payload


@pytest.mark.parametrize(
    "function, words",
    [
        (has_context_first, "ctx before its payload"),
        (has_wrong_context, "a ctx that is not a Context"),
        (has_wrong_context_after, "a ctx that is not a Context"),
        (has_renamed_context, "Call the parameter ctx"),
        (has_star, "no run can pass"),
        (has_stars, "no run can pass"),
        (has_more_stars, "parameters without names"),
        (has_positional_context, "ctx by name"),
        (has_self, "is a method"),
        (has_yield, "is a generator"),
        (print, "is not a function"),
        (Greeting, "is not a function"),
    ],
)
def test_a_function_that_no_run_could_call_is_refused_at_import(function: Callable[..., Any], words: str) -> None:
    """Type checkers cannot see these; a worker would, at the first run."""
    with pytest.raises(DefinitionError, match=words) as refused:
        task(id="subject")(function)
    assert "'subject'" in str(refused.value)
    assert refused.value.remedy


@pytest.mark.parametrize("executor, words", [("async", "plain def"), ("thread", "no such executor")])
def test_an_executor_that_cannot_run_the_function_is_refused(executor: str, words: str) -> None:
    """A blocking function in the event loop would stop a thousand other runs."""

    def hello() -> None: ...

    with pytest.raises(DefinitionError, match=words):
        untyped(executor=executor)(hello)


@pytest.mark.parametrize(
    "options, words",
    [
        ({"retry": 5}, r"Use Retry\(max_attempts=5\)"),
        ({"queue": 5}, r'Use Queue\("name"'),
        ({"machine": "tiny"}, "Unknown machine"),
        ({"tags": ["x" * 129]}, "1 to 128 characters"),
        ({"tags": [str(n) for n in range(11)]}, "at most 10"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_with_the_right_one(options: dict[str, object], words: str) -> None:
    """Import is the last moment at which such a mistake costs nothing."""

    def hello() -> None: ...

    with pytest.raises(DefinitionError, match=words):
        untyped(**options)(hello)
