"""Errors of hooks and middlewares: they fail an attempt before its end, never after it."""
# A lambda that is a hook has no types: pyright.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from collections.abc import Callable, Generator
from datetime import UTC, datetime
from typing import Any

import pytest

from taskflow import AbortRun, Caught, Retry, RetryAfter, tasks
from taskflow.definition.hooks import HookKind
from taskflow.execution.outcome import Completed, Ended, Retried
from taskflow.models import RunStatus
from taskflow.verbs.decorator import task
from taskflow.verbs.task import Task
from tests.unit.execution.conftest import an_attempt, execute


def broken() -> None:
    raise KeyError("hook")


async def abroken() -> None:
    raise KeyError("hook")


def a_task(is_async: bool, error: BaseException | None = None) -> Task[Any, Any]:
    def run() -> str:
        if error:
            raise error
        return "done"

    async def arun() -> str:
        return run()

    return task(id=f"subject-{is_async}", retry=Retry(min_delay=1, factor=1, randomize=False))(
        arun if is_async else run
    )


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("hook", [broken, abroken])
@pytest.mark.parametrize("kind", ["init", "on_start", "on_start_attempt"])
def test_a_hook_before_the_run_fails_the_attempt(kind: HookKind, hook: Callable[..., Any], is_async: bool) -> None:
    """The run would miss what it was to get. ``on_error`` hears of it, ``cleanup`` closes what was opened."""
    heard: list[object] = []
    subject = a_task(is_async)
    subject.hook_set().add(kind, hook)
    subject.on_error(lambda error: heard.append(error))
    subject.cleanup(lambda: heard.append("cleanup"))
    outcome = execute(an_attempt(subject))
    assert isinstance(outcome, Retried)
    assert (outcome.error.type, heard) == ("KeyError", [outcome.cause, "cleanup"])


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("hook", [broken, abroken])
@pytest.mark.parametrize("kind", ["on_success", "on_complete", "cleanup"])
def test_a_hook_after_a_success_changes_nothing(kind: HookKind, hook: Callable[..., Any], is_async: bool) -> None:
    """The work is done: a failing notification must not do it again. Its error is kept under the hook's name."""
    told: list[str] = []
    subject = a_task(is_async)
    subject.hook_set().add(kind, hook)
    subject.hook_set().add(kind, lambda: told.append("next"))
    attempt = an_attempt(subject)
    assert isinstance(execute(attempt), Completed)
    (kept,) = attempt.report.hook_errors
    assert (kept.type, kept.message) == ("KeyError", f"{kind} '{hook.__name__}': 'hook'")
    assert "test_hook_errors.py" in kept.traceback
    assert told == ["next"]


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("kind", ["on_error", "on_failure", "on_complete", "cleanup", "catch_error"])
def test_a_hook_after_a_failure_does_not_hide_the_runs_error(kind: HookKind, is_async: bool) -> None:
    """People look for the first error."""
    subject = a_task(is_async, ValueError("the run"))
    subject.hook_set().add(kind, broken)
    attempt = an_attempt(subject, number=3)
    outcome = execute(attempt)
    assert isinstance(outcome, Ended)
    assert (outcome.error.type, outcome.status) == ("ValueError", RunStatus.FAILED)
    assert [kept.type for kept in attempt.report.hook_errors] == ["KeyError"]


def test_a_hook_that_exits_does_not_end_the_child() -> None:
    """``sys.exit`` in a hook is an error like others."""
    subject = a_task(is_async=False)

    @subject.on_success
    def leave() -> None:
        raise SystemExit(3)

    attempt = an_attempt(subject)
    assert isinstance(execute(attempt), Completed)
    assert attempt.report.hook_errors[0].type == "SystemExit"


@pytest.mark.parametrize("is_async", [False, True])
def test_a_middleware_that_raises_before_the_run_fails_the_attempt(is_async: bool) -> None:
    """Scenario 6: nothing else runs, and it is retried as usual."""
    told: list[str] = []
    subject = a_task(is_async)

    @subject.middleware
    def broken() -> Generator[None]:
        raise ConnectionError("no database")
        yield

    for kind in ("init", "on_start", "on_failure", "on_complete", "cleanup", "catch_error"):
        subject.hook_set().add(kind, lambda: told.append("called"))
    outcome = execute(an_attempt(subject))
    assert isinstance(outcome, Retried)
    assert (outcome.error.type, told) == ("ConnectionError", [])


@pytest.mark.parametrize("is_async", [False, True])
def test_a_run_that_ends_by_its_middleware_has_failed_and_is_told(is_async: bool) -> None:
    """People who are alerted by ``on_failure`` must be alerted in any case."""
    told: list[object] = []
    subject = a_task(is_async)

    @subject.middleware
    def broken() -> Generator[None]:
        raise AbortRun("no database")
        yield

    subject.on_failure(lambda error, reason: told.append((error, reason)))
    outcome = execute(an_attempt(subject))
    assert isinstance(outcome, Ended)
    assert told == [(outcome.cause, "failed")]


@pytest.mark.parametrize("is_async", [False, True])
def test_a_middleware_that_raises_after_a_success_changes_nothing(is_async: bool) -> None:
    """The hooks of the end have told of a success."""
    subject = a_task(is_async)

    @subject.middleware
    def broken() -> Generator[None]:
        yield
        raise ConnectionError("lost")

    attempt = an_attempt(subject)
    assert isinstance(execute(attempt), Completed)
    assert [kept.type for kept in attempt.report.hook_errors] == ["ConnectionError"]


@pytest.mark.parametrize("is_async", [False, True])
def test_a_middleware_sees_what_the_run_raised_and_cannot_swallow_it(is_async: bool) -> None:
    """It may log, roll back or count; whether the attempt has failed is not its decision."""
    seen: list[BaseException] = []
    error = ValueError("the run")
    subject = a_task(is_async, error)

    @subject.middleware
    def swallow() -> Generator[None]:
        try:
            yield
        except ValueError as raised:
            seen.append(raised)

    outcome = execute(an_attempt(subject))
    assert isinstance(outcome, Retried)
    assert (outcome.cause, seen) == (error, [error])


@pytest.mark.parametrize("is_async", [False, True])
def test_a_middleware_that_raises_another_error_decides_about_the_retry(is_async: bool) -> None:
    """A middleware can know which errors are hopeless; ``on_failure`` then follows after all."""
    told: list[object] = []
    subject = a_task(is_async, ValueError("the run"))

    @subject.middleware
    def translate() -> Generator[None]:
        try:
            yield
        except ValueError as error:
            raise AbortRun("hopeless") from error

    subject.on_error(lambda error: told.append(type(error)))
    subject.on_failure(lambda error: told.append(type(error)))
    outcome = execute(an_attempt(subject))
    assert isinstance(outcome, Ended)
    assert (outcome.error.type, told) == ("AbortRun", [ValueError, AbortRun])
    assert [cause.type for cause in outcome.error.causes] == ["ValueError"]


def test_a_middleware_that_does_not_let_the_run_happen_is_named() -> None:
    """The run would be a success that did nothing."""
    subject = a_task(is_async=False)
    subject.middleware(lambda next: None)
    outcome = execute(an_attempt(subject))
    assert isinstance(outcome, Ended)
    assert "returned without calling next()" in outcome.error.message

    other = a_task(is_async=True)

    @other.middleware
    def never() -> Generator[None]:
        if other.definition.id == "":
            yield

    outcome = execute(an_attempt(other))
    assert isinstance(outcome, Ended)
    assert "'test_a_middleware_that_does_not_let_the_run_happen_is_named.<locals>.never'" in outcome.error.message


@pytest.mark.parametrize("is_async", [False, True])
def test_a_middleware_that_wants_the_run_twice_is_named(is_async: bool) -> None:
    """A retry within an attempt would be counted nowhere."""
    subject = a_task(is_async)

    @subject.middleware
    async def twice(next: Callable[[], Any]) -> None:
        await next()
        await next()

    attempt = an_attempt(subject)
    assert isinstance(execute(attempt), Completed)
    assert "calls next() twice" in attempt.report.hook_errors[0].message


def test_a_middleware_of_all_tasks_that_cannot_be_around_a_coroutine_says_so() -> None:
    """It would block the loop of a thousand other runs; a worker finds it when it starts."""

    @tasks.middleware("db")
    def blocking(next: Callable[[], None]) -> None:
        next()

    subject = a_task(is_async=True)
    outcome = execute(an_attempt(subject))
    assert isinstance(outcome, Ended)
    assert "middleware 'db' of all tasks is a def that calls next()" in outcome.error.message
    assert isinstance(execute(an_attempt(a_task(is_async=False))), Completed)


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize(
    "caught, seconds",
    [
        (Caught(retry_delay="5m"), 300),
        (Caught(retry=Retry(min_delay=7, randomize=False)), 7),
        (Caught(error=OSError("clearer")), 1),
        (Caught(error=RetryAfter("2s")), 2),
        (Caught(), 1),
    ],
)
def test_catch_error_says_when_the_next_attempt_is(caught: Caught, seconds: float, is_async: bool) -> None:
    """A new error alone keeps the retries, unlike Trigger.dev's."""
    error = ValueError("the run")
    subject = a_task(is_async, error)
    subject.catch_error(lambda error, retry: caught)
    outcome = execute(an_attempt(subject))
    assert isinstance(outcome, Retried)
    assert outcome.delay.total_seconds() == seconds
    if caught.error:
        assert outcome.cause is caught.error
        assert outcome.error.causes[0].message == "the run"


@pytest.mark.parametrize(
    "caught", [Caught(skip_retry=True), Caught(error=AbortRun("no use")), Caught(retry=Retry(max_attempts=1))]
)
def test_catch_error_can_end_the_run(caught: Caught) -> None:
    """It knows what is hopeless."""
    subject = a_task(is_async=False, error=ValueError("the run"))
    subject.catch_error(lambda: caught)
    assert isinstance(execute(an_attempt(subject)), Ended)


def test_catch_error_gives_no_more_attempts_than_there_are() -> None:
    """On the last one its delay means nothing, and the hooks of the end run; its error is kept."""
    told: list[object] = []
    subject = a_task(is_async=False, error=ValueError("the run"))
    subject.catch_error(lambda: Caught(retry_delay=1, error=OSError("clearer")))
    subject.on_failure(lambda error: told.append(str(error)))
    outcome = execute(an_attempt(subject, number=3))
    assert isinstance(outcome, Ended)
    assert (outcome.error.type, told) == ("OSError", ["clearer"])


def test_catch_error_may_raise_a_signal_instead_of_returning() -> None:
    """It is how the function itself would say it."""
    subject = a_task(is_async=False, error=ValueError("the run"))

    @subject.catch_error
    def hopeless(error: Exception) -> None:
        raise AbortRun("hopeless") from error

    outcome = execute(an_attempt(subject))
    assert isinstance(outcome, Ended)
    assert outcome.error.type == "AbortRun"


def test_catch_error_that_answers_nonsense_is_recorded() -> None:
    """A dict is what one writes who comes from Trigger.dev."""
    subject = a_task(is_async=False, error=ValueError("the run"))
    subject.catch_error(lambda: {"skip_retrying": True})
    attempt = an_attempt(subject)
    assert isinstance(execute(attempt), Retried)
    assert "Return Caught(...)" in attempt.report.hook_errors[0].message


@pytest.mark.parametrize("error", [AbortRun("no"), SystemExit(3)])
def test_catch_error_is_not_asked_where_its_answer_is_known(error: BaseException) -> None:
    """``AbortRun`` has decided; an exit is no exception that one handles."""
    asked: list[str] = []
    subject = a_task(is_async=False, error=error)
    subject.catch_error(lambda: asked.append("asked"))
    execute(an_attempt(subject))
    assert asked == []


def test_a_retry_after_nonsense_does_not_lose_the_run() -> None:
    """The attempt failed anyway; the backoff says when the next one is."""
    outcome = execute(an_attempt(a_task(is_async=False, error=RetryAfter("tomorrow"))))
    assert isinstance(outcome, Retried)
    assert outcome.delay.total_seconds() == 1


NAIVE = datetime(2040, 1, 1)
FAR = datetime.max.replace(tzinfo=UTC)


class Unset(RetryAfter):
    """A signal whose own constructor forgets that of its base class."""

    def __init__(self) -> None:
        pass


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize(
    "error, caught, reason",
    [
        (RetryAfter(NAIVE), None, "RetryAfter: The datetime has no time zone"),
        (RetryAfter(FAR), None, "RetryAfter: That instant is too far ahead"),
        (RetryAfter("tomorrow"), None, "RetryAfter: That text is not a duration"),
        (RetryAfter(10**400), None, "RetryAfter: That is not a possible number of seconds"),
        (Unset(), None, "RetryAfter: its time can't be read"),
        (ValueError("the run"), Caught(retry_at=NAIVE), "Caught: The datetime has no time zone"),
        (ValueError("the run"), Caught(retry_at=FAR), "Caught: That instant is too far ahead"),
        (ValueError("the run"), Caught(error=RetryAfter(NAIVE)), "RetryAfter: The datetime has no time zone"),
    ],
)
def test_a_time_that_is_not_possible_is_the_reason_of_the_failure(
    error: Exception, caught: Caught | None, reason: str, number: int, is_async: bool
) -> None:
    """A naive instant was taken for one in UTC: a retry nine hours late in Tokyo, and at once in New York."""
    subject = a_task(is_async, error)
    subject.catch_error(lambda: caught)
    outcome = execute(an_attempt(subject, number=number))
    assert isinstance(outcome, Ended if number == 3 else Retried)
    assert outcome.error.type == "WaitError"
    assert outcome.error.message.startswith(reason)
    if isinstance(outcome, Retried):
        assert outcome.delay.total_seconds() == number


def test_a_stop_iteration_of_the_function_keeps_its_type() -> None:
    """``next()`` of an empty iterator is the usual way to get one; coroutines turn it into something else."""
    subject = a_task(is_async=False, error=StopIteration("empty"))
    subject.middleware(lambda next: next())
    outcome = execute(an_attempt(subject))
    assert isinstance(outcome, Retried)
    assert outcome.error.type == "StopIteration"
