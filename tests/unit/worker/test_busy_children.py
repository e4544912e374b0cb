"""The child that gets a job: an idle one before a busy one, and a busy one only while runs are short."""

import time
from unittest.mock import Mock

import pytest

from taskflow.worker.children import busy_children
from taskflow.worker.children.busy_children import BusyChildren


@pytest.fixture
def busy() -> BusyChildren:
    """The books of a pool of two children, with the pipes 3 and 4, whose runs have been short."""
    books = BusyChildren({3, 4})
    books.may_queue = True
    books.add(3)
    books.finish(3)
    return books


def may_get_a_job(busy: BusyChildren) -> set[int]:
    """Return the pipes that Celery's scheduler would write to."""
    return {pipe for pipe in (3, 4) if pipe not in busy} if len(busy) < 2 else set()


def test_idle_children_come_first(busy: BusyChildren) -> None:
    """A job at hand of a busy child would wait although another child is free."""
    assert may_get_a_job(busy) == {3, 4}
    busy.add(3)
    assert may_get_a_job(busy) == {4}
    busy.add(4)
    assert may_get_a_job(busy) == {3, 4}


def test_a_child_has_one_job_at_hand_at_most(busy: BusyChildren) -> None:
    """More would wait longer than it takes to fetch them."""
    for pipe in (3, 4, 3):
        busy.add(pipe)
    assert may_get_a_job(busy) == {4}
    busy.add(4)
    assert may_get_a_job(busy) == set()
    assert busy.queued == 2


def test_a_result_makes_room_for_one_job(busy: BusyChildren) -> None:
    """The child is still busy with the one it had at hand."""
    for pipe in (3, 4, 3, 4):
        busy.add(pipe)
    busy.finish(3)
    assert may_get_a_job(busy) == {3}
    assert busy.copy() == {3, 4}
    busy.finish(3)
    assert busy.copy() == {4}


def test_long_runs_keep_nothing_at_hand(busy: BusyChildren, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs behind them would wait as long."""
    clock = Mock(return_value=time.monotonic())
    monkeypatch.setattr(busy_children, "monotonic", clock)
    busy.add(3)
    clock.return_value += 1
    busy.finish(3)
    for pipe in (3, 4):
        busy.add(pipe)
    assert may_get_a_job(busy) == set()


def test_nothing_is_at_hand_before_a_run_has_been_short() -> None:
    """Nobody knows then how long they take."""
    books = BusyChildren({3})
    books.may_queue = True
    books.add(3)
    assert 3 in books


def test_a_reconnect_forgets_no_child_that_executes(busy: BusyChildren) -> None:
    """Celery keeps only those whose acceptance it has read: the others would get a job behind one they execute."""
    busy.add(3)
    busy.intersection_update(set[int]())
    assert may_get_a_job(busy) == {4}


def test_a_dead_child_has_no_jobs(busy: BusyChildren) -> None:
    """Its pipe's number is another child's soon."""
    for pipe in (3, 4, 3):
        busy.add(pipe)
    busy.discard(3)
    assert busy.queued == 0
    assert may_get_a_job(busy) == {3}
