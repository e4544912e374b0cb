"""Hooks as they are declared: what is accepted, and what is refused at import with its remedy."""

import functools
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from types import ModuleType
from typing import Any, cast

import pytest

from taskflow import Caught, Context, Retry, Signal, task, tasks
from taskflow.definition.hook_sets import declared_hooks
from taskflow.definition.hooks import HOOK_KINDS, PARAMETERS, HookKind, read_hook
from taskflow.errors import DefinitionError


@pytest.fixture(autouse=True)
def isolated_hooks() -> Iterator[None]:
    """Undo what a test declares for all tasks."""
    with declared_hooks.isolated():
        yield


def kinds_of(subject: Any) -> list[str]:
    """Return what a task's attempts call: kind and name."""
    plan = subject.definition.plan()
    return [f"{kind} {hook.name}" for kind in HOOK_KINDS for hook in plan.of(kind)]


def first() -> None: ...
def second() -> None: ...
def third() -> None: ...


def test_hooks_are_options_or_decorators_one_or_several() -> None:
    """Options first, then the decorators below the task; a decorated function stays what it was."""

    @task(on_failure=first, on_success=[first, second])
    def subject() -> None: ...

    @subject.on_failure
    def told() -> str:
        return "told"

    assert told() == "told"
    subject.on_success("third, by name")(third)
    assert kinds_of(subject) == [
        "on_success first",
        "on_success second",
        "on_success third, by name",
        "on_failure first",
        f"on_failure {told.__qualname__}",
    ]


def test_hooks_of_all_tasks_come_first_but_for_catch_error() -> None:
    """Also for tasks declared before them."""

    @task(on_failure=second, catch_error=second)
    def subject() -> None: ...

    assert kinds_of(subject) == ["on_failure second", "catch_error second"]
    tasks.on_failure("alert")(first)
    tasks.catch_error(first)
    assert kinds_of(subject) == ["on_failure alert", "on_failure second", "catch_error second", "catch_error first"]


def test_a_module_imported_twice_declares_its_hooks_once() -> None:
    """A script that is run and imported would alert twice; closures of one factory are several hooks, though."""
    source = "def alert(): ...\n"
    for name in ("__main__", "shop.hooks"):
        module = ModuleType(name)
        exec(compile(source, "shop/hooks.py", "exec"), module.__dict__)
        tasks.on_failure(cast("Callable[[], None]", module.alert))
    for _ in range(2):
        tasks.on_failure(lambda: None)

    @task()
    def subject() -> None: ...

    assert len(kinds_of(subject)) == 3


@pytest.mark.parametrize("kind", HOOK_KINDS)
def test_every_kind_takes_its_parameters_in_any_order(kind: HookKind) -> None:
    """Names are what counts."""
    names = ", ".join(reversed(PARAMETERS[kind]))
    scope: dict[str, Any] = {}
    exec(f"def hook({names}): ...\nasync def ahook(*, {names}): ...", scope)
    for name, is_async in (("hook", False), ("ahook", True)):
        hook = read_hook(kind, scope[name], "a test")
        assert (set(hook.wants), hook.is_async) == (set(PARAMETERS[kind]), is_async)


def eror(eror: object) -> None: ...
def star(*payload: object) -> None: ...
def positional(payload: object, /) -> None: ...
def yields() -> Generator[None]:
    yield


def yields_twice() -> Generator[None]:
    try:
        yield
    finally:
        yield


async def ayields_twice() -> AsyncGenerator[None]:
    yield
    yield


def yields_and_next(next: object) -> Generator[None]:
    yield


def neither(payload: object) -> None: ...
def with_init(init: object) -> Generator[None]:
    yield


@pytest.mark.parametrize(
    "kind, function, words",
    [
        ("on_failure", eror, r"The on_failure 'eror' of task 'subject' has an unknown parameter 'eror'.*mean 'error'"),
        ("on_start", star, r"has a parameter that is not passed by name.*ctx"),
        ("on_start", positional, "not passed by name"),
        ("on_success", yields, "Only a middleware may yield"),
        ("on_success", 5, "is not a function"),
        ("on_success", [first, 5], "is not a function"),
        ("middleware", yields_twice, "has more than one yield.*with the branches around it"),
        ("middleware", ayields_twice, "has more than one yield"),
        ("middleware", yields_and_next, "leave next out"),
        ("middleware", neither, "Write yield where the run is to happen"),
        ("middleware", with_init, "unknown parameter 'init'"),
        ("init", with_init, "unknown parameter 'init'"),
    ],
)
def test_a_hook_that_could_not_be_called_is_refused_at_import(kind: HookKind, function: Any, words: str) -> None:
    """It would fail when something else has failed already."""

    def run() -> None: ...

    with pytest.raises(DefinitionError, match=words) as refused:
        task(id="subject", **{kind: function})(run)
    assert refused.value.remedy


def test_a_finally_around_the_yield_is_one_yield() -> None:
    """The compiler makes copies; what counts is the source."""

    @task()
    def subject() -> None: ...

    @subject.middleware
    def careful(ctx: Context, signal: Signal) -> Generator[None]:
        try:
            with functools.partial(open, __file__)():
                yield
        except ValueError:
            raise
        finally:
            signal.is_set()


def test_a_blocking_middleware_around_a_coroutine_names_the_generator_form() -> None:
    """It would hold the event loop until the run has ended."""

    @task()
    async def subject() -> None: ...

    def blocking(next: Callable[[], None]) -> None:
        next()

    with pytest.raises(DefinitionError, match=r"around the async def task 'subject'.*or a generator"):
        subject.middleware(blocking)
    tasks.middleware(blocking)
    with pytest.raises(DefinitionError, match="of all tasks"):
        subject.definition.prepare()


def test_objects_and_partials_can_be_hooks() -> None:
    """A configured notifier is one."""

    class Notifier:
        async def __call__(self, error: Exception) -> None: ...

    def notify(channel: str, error: Exception) -> None: ...

    assert read_hook("on_failure", Notifier(), "a test").is_async
    hook = read_hook("on_failure", functools.partial(notify, "#alerts"), "a test")
    assert (hook.wants, hook.is_async) == (("error",), False)


@pytest.mark.parametrize(
    "options", [{"skip_retry": True, "retry_delay": 5}, {"retry_delay": 5, "retry": Retry()}, {"retry_delay": "soon"}]
)
def test_an_answer_that_contradicts_itself_is_refused(options: dict[str, Any]) -> None:
    """One of both would be ignored."""
    with pytest.raises(DefinitionError):
        Caught(**options)


def test_a_function_takes_init_and_signal_by_name_in_any_order() -> None:
    """After its payload; a task without one has them in ``ctx``."""

    @task()
    def subject(payload: int, signal: Signal, *, init: object, ctx: Context) -> None: ...

    assert subject.definition.wants == ("signal", "init", "ctx")

    def without(signal: Signal) -> None: ...

    with pytest.raises(DefinitionError, match=r"takes signal before its payload.*ctx\.signal"):
        task()(without)
