"""Times that Celery's users give: in ``task.retry``, and in plain messages."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from taskflow.errors import RetryAfter, WaitError
from taskflow.worker.children.run_task import RunTask
from taskflow.worker.tickets.plain_message import PlainMessage, UnreadableMessageError, read_plain

FAR = "9999-01-01T00:00:00+00:00"


@pytest.mark.parametrize("eta", [datetime(2040, 1, 1), datetime.max.replace(tzinfo=UTC)])
def test_a_retry_at_a_time_that_is_not_possible_is_refused(eta: datetime) -> None:
    """A naive instant was taken for one in UTC, which is hours away elsewhere."""
    with pytest.raises(WaitError, match=r"no time zone|too far ahead"):
        RunTask().retry(eta=eta)


def test_a_retry_at_an_instant_is_one_at_that_instant() -> None:
    """As Celery's manual has it."""
    eta = datetime.now(UTC) + timedelta(minutes=5)
    with pytest.raises(RetryAfter) as asked:
        RunTask().retry(eta=eta)
    assert asked.value.when == eta


def decoded() -> list[Any]:
    """Return a body without arguments."""
    return [[], {}, {}]


def read(**headers: object) -> PlainMessage:
    """Read a message of protocol 2."""
    message: Any = SimpleNamespace(
        headers={"id": "a", "task": "t", **headers}, properties={}, delivery_info={}, decode=decoded
    )
    return read_plain(message)


def test_a_message_that_is_due_too_far_ahead_is_refused_and_one_that_expires_then_never_does() -> None:
    """Its run could not be read back, and no list that holds it."""
    with pytest.raises(UnreadableMessageError, match="100 years"):
        read(eta=FAR)
    assert read(expires=FAR).expires is None
