"""Runs as Celery's clients read them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from celery import states
from celery.exceptions import TaskRevokedError

from taskflow.broker.run_states import STATES, exception_of, task_meta
from taskflow.models import Attempt, AttemptOutcome, Run, RunError, RunStatus

AT = datetime(2030, 1, 1, tzinfo=UTC)
ERROR = RunError("ValueError", "no such order", "Traceback: here")
RUN = Run("run_1", "t", RunStatus.QUEUED, "task/t", "small-1x", "process", AT, 3, payload={"a": 1})


def attempt(number: int, outcome: AttemptOutcome | None, error: RunError | None = None) -> Attempt:
    """Return an attempt on a node as nodes are named."""
    return Attempt(number, number, "fleet@a.b.77.deadbeef", AT, None, outcome, error)


def test_every_status_has_a_state_of_celery_and_finished_ones_a_ready_state() -> None:
    """A status without one would make ``AsyncResult.state`` fail; an unready final one, ``get()`` hang."""
    assert set(STATES) == set(RunStatus)
    assert {status for status in RunStatus if status.is_finished} == {
        status for status, state in STATES.items() if state in states.READY_STATES
    }
    assert {status for status in RunStatus if status.is_failed} == {
        status for status, state in STATES.items() if state == states.FAILURE
    }


@pytest.mark.parametrize("status", RunStatus)
def test_the_metadata_of_a_run_in_any_status_is_complete(status: RunStatus) -> None:
    """Celery raises KeyError for a missing one."""
    meta = task_meta(replace(RUN, status=status, error=None))
    assert meta["status"] == STATES[status]
    assert isinstance(meta["result"], Exception) == (meta["status"] in states.PROPAGATE_STATES)
    assert (meta["task_id"], meta["name"], meta["args"], meta["kwargs"]) == ("run_1", "t", [{"a": 1}], {})


def test_a_finished_run_tells_when_where_and_after_how_many_retries() -> None:
    """The extended metadata of Celery's own backends."""
    attempts = (
        attempt(1, AttemptOutcome.LOST),
        attempt(2, AttemptOutcome.FAILED),
        attempt(3, AttemptOutcome.COMPLETED),
    )
    finished = replace(
        RUN, status=RunStatus.COMPLETED, output=[1], attempts=attempts, finished_at=AT + timedelta(seconds=1)
    )
    meta = task_meta(finished)
    assert (meta["result"], meta["traceback"], meta["retries"]) == ([1], None, 1)
    assert (meta["worker"], meta["date_done"]) == ("fleet@a.b", "2030-01-01T00:00:01+00:00")


def test_a_retried_run_shows_its_last_error() -> None:
    """As Celery's RETRY state does."""
    meta = task_meta(replace(RUN, status=RunStatus.REATTEMPTING, attempts=(attempt(1, AttemptOutcome.FAILED, ERROR),)))
    assert (meta["status"], str(meta["result"]), meta["traceback"]) == ("RETRY", "no such order", "Traceback: here")


@pytest.mark.parametrize(
    "type_name, raised, shown",
    [
        ("ValueError", ValueError, "ValueError"),
        ("Order.Missing", Exception, "Missing"),
        ("UnicodeDecodeError", Exception, "Exception"),
        ("SystemExit", Exception, "SystemExit"),
        ("eval", Exception, "eval"),
        ("print", Exception, "print"),
    ],
)
def test_what_get_raises_has_the_original_name_and_message(type_name: str, raised: type[Exception], shown: str) -> None:
    """Stored names choose an exception class, and nothing else: neither ``eval`` nor an exit of the process."""
    error = exception_of(RunStatus.FAILED, RunError(type_name, "told"))
    assert isinstance(error, raised)
    assert (type(error).__name__, "told" in str(error)) == (shown, True)


def test_a_canceled_run_raises_what_a_revoked_task_does() -> None:
    """People catch that."""
    assert isinstance(exception_of(RunStatus.CANCELED, RunError("Canceled", "by user")), TaskRevokedError)
