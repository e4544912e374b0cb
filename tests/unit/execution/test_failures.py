"""The stored form of an exception."""

import sys
import threading
import time
from collections.abc import Callable

import pytest
from pydantic_core import from_json

from taskflow import AbortRun, ErrorCause, PayloadError, StepFailedError, logger
from taskflow.execution.failures import CAUSES, FRAMES, describe
from taskflow.execution.reporting.lines import LineCounter, LineLimits
from taskflow.execution.step_failures import failure_json, failure_of
from taskflow.models import RunError
from taskflow.store.operations.encoding import LARGEST_ERROR, error_json, errors_json, run_error
from tests.projects.hostile_tasks import BIG, ERRORS, LINE, SIZES, TextError


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


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_of_any_kind_has_a_small_description_at_once(name: str) -> None:
    """Of a long text the head and the tail are kept, with how much was cut."""
    error = raised(ERRORS[name]())
    began = time.monotonic()
    told = describe(error)
    assert time.monotonic() - began < 10  # an hour, or for ever, by itself
    assert len(error_json(told).encode()) <= LARGEST_ERROR
    assert "test_failures.py" in told.traceback
    if name in SIZES and name not in ("type", "module", "frames"):
        assert "were cut]" in f"{told.message}{told.traceback}"
    assert len(failure_json(error)) < LARGEST_ERROR if isinstance(error, Exception) else True


def test_a_long_message_says_how_much_of_it_was_cut() -> None:
    """Head and tail are what one looks for: the first line says what, the last ones why."""
    told = describe(raised(ValueError(f"first\n{BIG}last")))
    assert told.message.startswith("first\n")
    assert told.message.endswith(f"{LINE}last")
    marker = next(line for line in told.message.splitlines() if line.startswith("... ["))
    cut = len(f"first\n{BIG}last") - len(told.message) + len(f"\n{marker}\n")
    assert marker.startswith(f"... [{cut:,} characters on 999,7")


def test_many_members_and_causes_and_frames_are_counted() -> None:
    """The first ones and the last ones stay."""
    told = describe(raised(ExceptionGroup("many", [ValueError(f"member {number}") for number in range(100)])))
    assert "90 of its 100 members were cut" in told.traceback
    assert "member 0" in told.traceback
    assert "member 99" in told.traceback
    told = describe(SIZES["causes"]())
    assert len(told.causes) == CAUSES
    assert "89 causes before this one were cut" in told.causes[-1].message
    assert told.causes[-1].message.endswith("cause 0")

    def one(left: int) -> None:
        other(left - 1)

    def other(left: int) -> None:
        if not left:
            raise ValueError("deep")
        one(left)

    try:
        one(100)
    except ValueError as error:
        told = describe(error)
    assert f"{201 - FRAMES} frames were cut" in told.traceback
    assert told.traceback.rstrip().endswith("ValueError: deep")


def test_a_text_is_made_in_time_in_any_thread() -> None:
    """A coroutine's error is described on the thread of its node's loop, where no alarm rings."""
    told: list[RunError] = []
    thread = threading.Thread(target=lambda: told.append(describe(raised(ERRORS["endless"]()))))
    thread.start()
    thread.join(10)
    assert "took longer than 1 s" in told[0].message
    assert "took longer than 1 s" in describe(raised(ERRORS["slow"]())).message
    assert "too much memory" in describe(raised(ERRORS["greedy"]())).message


def test_the_alarm_of_the_attempt_ends_the_making_of_a_text() -> None:
    """It is let through, so that the attempt is stopped as it was asked to."""

    def leave() -> str:
        raise SystemExit(-15)

    with pytest.raises(SystemExit):
        describe(raised(TextError(leave)), lambda error: isinstance(error, SystemExit))
    assert "SystemExit was raised instead" in describe(raised(TextError(leave))).message


def test_a_step_that_failed_with_a_large_error_fails_with_one_of_its_class_again() -> None:
    """The journal is in the store; the code may catch the class."""
    again = failure_of("step", failure_json(ValueError(BIG, 5)))
    assert isinstance(again, ValueError)
    assert str(again.args[0]).startswith(LINE)
    assert again.args[1] == 5
    unreadable = failure_of("step", failure_json(ValueError("x", 10**5000)))
    assert "cannot be read" in str(unreadable)


def test_many_errors_of_hooks_are_as_large_as_one() -> None:
    """They are one field of the record."""
    error = describe(raised(SIZES["group"]()))
    assert len(errors_json([error] * 20).encode()) <= LARGEST_ERROR
    assert sys.getsizeof(error.traceback) > 10_000
