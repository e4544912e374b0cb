"""The stored form of an exception."""

from collections.abc import Callable

import pytest
from pydantic_core import from_json

from taskflow import AbortRun, ErrorCause, PayloadError, StepFailedError, logger
from taskflow.execution.failures import CAUSES, describe
from taskflow.execution.reporting.lines import LineCounter, LineLimits
from taskflow.execution.step_failures import failure_json, failure_of
from taskflow.models import RunError
from taskflow.store.operations.encoding import error_json, run_error


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise error from cause
    except BaseException as caught:  # noqa: BLE001 - it was raised here
        return caught


def test_causes_are_kept_the_nearest_first() -> None:
    """Whether they were meant or happened on the way, as Python shows them."""
    try:
        try:
            raise KeyError("row")
        except KeyError:
            raise ConnectionError("lost")  # noqa: B904 - the context is the test
    except ConnectionError as lost:
        told = describe(raised(AbortRun("hopeless"), lost))
    assert (told.type, told.message) == ("AbortRun", "hopeless")
    assert told.causes == (ErrorCause("ConnectionError", "lost"), ErrorCause("KeyError", "'row'"))
    assert "test_failures.py" in told.traceback


def test_a_cause_that_was_suppressed_is_not_kept() -> None:
    """``from None`` says that it explains nothing."""
    try:
        raise KeyError("row")
    except KeyError:
        told = describe(raised(ValueError("no")))
    assert told.causes == ()


def test_how_taskflow_found_out_says_nothing_about_the_task() -> None:
    """Its own errors say all themselves."""
    assert describe(raised(PayloadError("task", "wrong"), KeyError("inner"))).causes == ()


def test_a_chain_that_is_a_loop_ends() -> None:
    """Reused exceptions make them."""
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    assert len(describe(one).causes) == CAUSES


def test_a_message_that_cannot_be_read_is_said_to_be_so() -> None:
    """Its ``__str__`` is user code; it must not hide that the attempt failed."""

    class UnreadableError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    told = describe(raised(UnreadableError()))
    assert told.type.endswith("UnreadableError")
    assert "cannot be read" in told.message


@pytest.mark.parametrize("causes", [(), (ErrorCause("KeyError", "'row'"), ErrorCause("OSError", "disk"))])
def test_what_is_stored_reads_back(causes: tuple[ErrorCause, ...]) -> None:
    """An empty list is not written: Lua would make it an object."""
    error = RunError("ValueError", "no", "Traceback", causes)
    document = error_json(error)
    assert run_error(document) == error
    assert ("causes" in document) == bool(causes)


def test_texts_that_utf_8_cannot_express_are_stored_so_that_they_are_seen() -> None:
    """An error about a file whose name is no UTF-8 could not be printed, and not be given to a parent."""
    kind = type("Odd", (ValueError,), {})
    kind.__qualname__ = "Odd\udc80\0"
    told = describe(raised(kind("no file a\udc80\0"), OSError("b\udc80")))
    assert (told.type, told.message) == ("Odd\\udc80", "no file a\\udc80")
    assert told.causes == (ErrorCause("OSError", "b\\udc80"),)
    assert "no file a\\udc80" in told.traceback


class Unshown:
    """A value whose code fails when it is shown."""

    def __repr__(self) -> str:
        raise LookupError("detached")


@pytest.mark.parametrize(
    "make, shown",
    [
        (lambda: "a\udc80", "a\\udc80"),
        (lambda: 10**5000, "(a int that can't be shown)"),
        (Unshown, "(a Unshown that can't be shown)"),
        (lambda: {(1, 2): 3}, {"(1, 2)": 3}),
        (lambda: [Unshown(), "b", 1.5, None], ["(a Unshown that can't be shown)", "b", 1.5, None]),
    ],
)
def test_a_log_line_takes_any_value(make: Callable[[], object], shown: object) -> None:
    """A line is never worth a failed run."""
    lines = LineCounter(LineLimits())
    line = from_json(lines.line(1, 1, "INFO", "a\udc80", "b\udc80", {"value": make(), "c\udc80": 1}))
    assert (line["logger"], line["message"]) == ("a\\udc80", "b\\udc80")
    assert line["fields"] == {"value": shown, "c\\udc80": 1}
    logger.info("outside of a run", value=make())


@pytest.mark.parametrize("argument", ["a\udc80", 10**400])
def test_the_error_of_a_step_is_kept_whatever_its_arguments_are(argument: object) -> None:
    """The error of the step is to be seen, and not that of its journal."""
    kept = failure_of("charge", failure_json(ValueError(argument, 10**5000)))
    assert isinstance(kept, StepFailedError)
    assert kept.type == "ValueError"
