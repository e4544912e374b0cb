"""Errors and outputs whose own code fails: their attempts have outcomes, in both ways to execute them."""

from typing import Any, cast

import pytest
from pydantic_core import from_json

from taskflow import Retry
from taskflow.definition.registry import declared
from taskflow.execution.outcome import Completed, Ended
from taskflow.models import RunError, RunStatus
from taskflow.verbs.decorator import task
from taskflow.verbs.task import Task
from taskflow.worker.attempt.shown import RunFailed, show
from tests.properties.hostile.values import ERRORS, MAKERS, Row
from tests.unit.execution.conftest import an_attempt, execute


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("name", ERRORS)
def test_an_error_whose_own_code_fails_is_the_failure_of_its_attempt(name: str, is_async: bool) -> None:
    """Python's own traceback asks an error for its truth. An attempt without an outcome would be repeated."""
    make = ERRORS[name]

    async def afails(payload: dict[str, int]) -> None:
        raise cast("Exception", make())

    def fails(payload: dict[str, int]) -> None:
        raise cast("Exception", make())

    outcome = execute(an_attempt(declare(afails if is_async else fails), number=3))
    assert isinstance(outcome, Ended)
    assert outcome.error.type == "Odd"


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("annotation", [Any, list[Any], list[Row]])
@pytest.mark.parametrize("name", MAKERS)
def test_an_output_whose_own_code_fails_is_stored_or_is_the_failure(name: str, annotation: Any, is_async: bool) -> None:
    """The attempt has an outcome, and is not repeated."""
    make = MAKERS[name]

    async def areturns(payload: dict[str, int]) -> Any:
        return [make()]

    def returns(payload: dict[str, int]) -> Any:
        return [make()]

    function: Any = areturns if is_async else returns
    function.__annotations__["return"] = annotation
    outcome = execute(an_attempt(declare(function), number=3))
    assert isinstance(outcome, Completed | Ended)
    if isinstance(outcome, Completed):
        from_json(outcome.output)
    else:
        assert outcome.error.type == "OutputError"


@pytest.mark.parametrize("name", ERRORS)
def test_celery_is_shown_no_error_whose_attributes_cannot_be_read(name: str) -> None:
    """Its tracer reads them, and what they raise there ends the child."""
    cause = cast("Exception", ERRORS[name]())
    with pytest.raises(Exception) as shown:  # noqa: PT011 - its class is the question
        show(Ended(RunError("Odd", "its message"), RunStatus.FAILED, cause))
    is_unread = name in {"class", "getattr", "getattribute", "traceback", "cause", "notes", "args", "bool", "setattr"}
    assert (type(shown.value) is RunFailed) is is_unread
    caused = ValueError("because of it")
    caused.__context__ = cause
    with pytest.raises(Exception) as shown:  # noqa: PT011 - as above
        show(Ended(RunError("ValueError", "because of it"), RunStatus.FAILED, caused))
    assert (type(shown.value) is RunFailed) is is_unread


def declare(function: Any) -> Task[Any, Any]:
    """Return a task of a function that is tried once."""
    with declared.isolated():
        return cast("Task[Any, Any]", task(id="odd-values", retry=Retry(1))(function))
