"""The log of a node that gets tickets of a task that it does not declare."""

import pytest

from taskflow.worker.tickets.unknown_tasks import ForeignTickets


def test_tickets_of_a_run_are_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """A run of a task that was renamed filled the terminal with two lines a second."""
    now = 0.0
    tickets = ForeignTickets(lambda: now)
    for second in range(119):
        now = float(second)
        tickets.log("run_1", "old-name")
    tickets.log("run_2", "old-name")
    assert [record.getMessage().split(" which")[0] for record in caplog.records] == [
        "ticket.foreign: run_1 of task 'old-name',",
        "ticket.foreign: run_1 of task 'old-name',",
        "ticket.foreign: run_2 of task 'old-name',",
    ]
