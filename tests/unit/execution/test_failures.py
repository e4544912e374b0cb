"""The stored form of an exception."""

import pytest

from taskflow import AbortRun, ErrorCause, PayloadError
from taskflow.execution.failures import CAUSES, describe
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
