"""The values that hooks get and hand on: init, locals, context variables, results."""
# A lambda that is a hook has no types: pyright.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextvars import ContextVar
from typing import Any

import pytest

from taskflow import Context, Local, LocalNotSetError, Signal, TaskResult, tasks
from taskflow.definition.context import current_context
from taskflow.execution.outcome import Completed
from taskflow.models import RunStatus
from taskflow.testing import context, local_values
from taskflow.verbs.decorator import task
from taskflow.verbs.task import Task
from tests.unit.execution.conftest import an_attempt, execute

Name = Local[str]("name")
variable: ContextVar[str] = ContextVar("variable", default="unset")


def test_what_init_returns_is_merged_and_the_task_wins() -> None:
    """Globals prepare what all tasks need; a task adds its own."""
    tasks.init(lambda: {"db": "global", "log": "global"})

    @task()
    def subject(payload: dict[str, int], init: dict[str, str], ctx: Context, signal: Signal) -> object:
        current = current_context()
        return [init, ctx.init is init, ctx.signal is signal, current is ctx, ctx.reason]

    @subject.init
    async def own(payload: dict[str, int], ctx: Context, signal: Signal) -> dict[str, str]:
        return {"db": f"own {payload} {ctx.init}"}

    outcome = execute(an_attempt(subject))
    assert isinstance(outcome, Completed)
    assert outcome.value == [{"db": "own {} None", "log": "global"}, True, True, True, None]


def test_an_init_that_is_no_mapping_is_given_as_it_is() -> None:
    """A dataclass of the project's own has types; a dict has not."""

    class Resources:
        pass

    made = Resources()

    @task(init=lambda: made, cleanup=lambda init: closed.append(init))
    def subject(payload: object, init: Resources) -> bool:
        return init is made

    closed: list[object] = []
    outcome = execute(an_attempt(subject))
    assert isinstance(outcome, Completed)
    assert (outcome.value, closed) == (True, [made])


@pytest.mark.parametrize("is_async", [False, True])
def test_hooks_of_the_end_get_the_value_and_the_result(is_async: bool) -> None:
    """The value as the function returned it, not its JSON."""
    told: dict[str, object] = {}

    def run(ctx: Context) -> object:
        return {1, 2}

    async def arun(ctx: Context) -> object:
        return {1, 2}

    subject: Task[Any, Any] = task(id="subject")(arun if is_async else run)

    @subject.on_complete
    def complete(
        payload: object, output: object, error: object, result: TaskResult[Any], reason: str, ctx: Context
    ) -> None:
        told.update(payload=payload, output=output, error=error, result=result, reason=reason, ctx=ctx.reason)

    execute(an_attempt(subject))
    result = TaskResult("run_test", RunStatus.COMPLETED, {1, 2})
    assert told == {
        "payload": None, "output": {1, 2}, "error": None, "result": result, "reason": "completed", "ctx": "completed",
    }  # fmt: skip
    assert result.ok
    assert result.unwrap() == {1, 2}


@pytest.mark.parametrize("is_async", [False, True])
def test_a_local_set_in_a_middleware_is_seen_by_all(is_async: bool) -> None:
    """Blocking hooks of coroutines run in threads: what they set is there for the run, its threads and the hooks."""
    seen: list[object] = []

    @tasks.middleware
    def name() -> Generator[None]:
        Name.set(f"set in {threading.current_thread() is threading.main_thread()}")
        yield
        seen.append(Name.get())

    @tasks.init
    async def look() -> None:
        seen.append(Name.get_or_raise())

    def run() -> object:
        seen.append(Name.get_or_raise())
        return Name.set("set by the run")

    async def arun() -> object:
        seen.append(await asyncio.to_thread(Name.get_or_raise))
        return Name.set("set by the run")

    subject: Any = task(id="subject")(arun if is_async else run)
    execute(an_attempt(subject))
    assert seen == [f"set in {not is_async}"] * 2 + ["set by the run"]
    with pytest.raises(LocalNotSetError, match="outside of a run"):
        Name.get_or_raise()


def test_each_attempt_starts_without_locals() -> None:
    """A child executes many runs: one must not see what another one set."""

    @task()
    def subject() -> object:
        before = Name.get()
        Name.set("used")
        return before

    for _ in range(2):
        outcome = execute(an_attempt(subject))
        assert isinstance(outcome, Completed)
        assert outcome.value is None


async def test_the_locals_of_runs_in_one_loop_do_not_mix() -> None:
    """A thousand coroutines share a thread."""

    @task()
    async def subject(payload: str) -> str:
        Name.set(payload)
        await asyncio.sleep(0.001)
        return Name.get_or_raise()

    attempts = [an_attempt(subject, f'"{number}"'.encode()) for number in range(50)]
    outcomes = await asyncio.gather(*(attempt.aexecute() for attempt in attempts))
    assert [o.value for o in outcomes if isinstance(o, Completed)] == [str(number) for number in range(50)]


def test_locals_outside_of_a_run_say_what_to_do() -> None:
    """Tests call functions in place."""
    with pytest.raises(LocalNotSetError, match=r"local_values\(\)"):
        Name.set("x")
    with local_values():
        assert Name.get() is None
        with pytest.raises(LocalNotSetError, match="was not set in this attempt"):
            Name.get_or_raise()
        assert Name.set("x") == Local[str]("name").get()


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("middleware_is_async", [False, True])
def test_a_context_variable_of_a_middleware_reaches_the_run_and_can_be_reset(
    is_async: bool, middleware_is_async: bool
) -> None:
    """Loggers bind their fields like that; a token may only be used in the context it is from."""

    def bound() -> Generator[None]:
        token = variable.set("bound")
        yield
        variable.reset(token)

    async def abound() -> AsyncGenerator[None]:
        token = variable.set("bound")
        yield
        variable.reset(token)

    def run() -> str:
        return variable.get()

    async def arun() -> str:
        return variable.get()

    subject: Any = task(id="subject")(arun if is_async else run)
    subject.middleware(abound if middleware_is_async else bound)
    attempt = an_attempt(subject)
    outcome = execute(attempt)
    assert isinstance(outcome, Completed)
    assert (outcome.value, attempt.report.hook_errors) == ("bound", [])


def test_a_def_task_runs_without_a_loop_within_an_async_middleware() -> None:
    """Its blocking verbs would be refused in a running loop."""
    loops: list[asyncio.AbstractEventLoop] = []

    @task()
    def subject() -> bool:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        return asyncio.run(asyncio.sleep(0, True))

    @subject.middleware
    async def around(next: Callable[[], Awaitable[None]]) -> None:
        loops.append(asyncio.get_running_loop())
        await next()
        loops.append(asyncio.get_running_loop())

    @subject.init
    async def init() -> None:
        loops.append(asyncio.get_running_loop())

    outcome = execute(an_attempt(subject))
    assert isinstance(outcome, Completed)
    assert outcome.value is True
    assert len({id(loop) for loop in loops}) == 1
    assert len(loops) == 3
    assert loops[0].is_closed()


def test_a_blocking_hook_does_not_block_the_loop() -> None:
    """Other runs share it."""
    released = threading.Event()

    @task()
    async def subject() -> None: ...

    @subject.on_start
    def blocks() -> None:
        assert released.wait(5)

    async def both() -> None:
        attempt = asyncio.create_task(an_attempt(subject).aexecute())
        await asyncio.sleep(0.01)
        released.set()
        assert isinstance(await attempt, Completed)

    asyncio.run(both())


def test_tasks_that_fill_the_loops_threads_do_not_keep_hooks_waiting() -> None:
    """A hook of a cancelation must not wait for ten minutes of somebody else's work."""
    released = threading.Event()

    @task()
    async def subject() -> None: ...

    subject.on_start(lambda: None)

    async def crowded() -> None:
        loop = asyncio.get_running_loop()
        others = [loop.run_in_executor(None, released.wait, 5) for _ in range(40)]
        assert isinstance(await asyncio.wait_for(an_attempt(subject).aexecute(), 4), Completed)
        released.set()
        assert all(await asyncio.gather(*others))

    asyncio.run(crowded())


def test_the_context_of_a_test_can_have_what_hooks_need() -> None:
    """Hooks are functions: a project's tests call them in place."""
    signal = Signal()
    ctx = context(init={"db": 1}, signal=signal, reason="failed")
    assert (ctx.init, ctx.signal, ctx.reason) == ({"db": 1}, signal, "failed")
