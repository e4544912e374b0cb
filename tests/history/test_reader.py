"""Lists: every filter, stable pages, and an index behind each of them."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from taskflow import RunFilterError
from taskflow.definition.calls.run_filter import RunFilter, RunPosition
from taskflow.history import query
from taskflow.history.database import Database
from taskflow.history.reader import Reader
from taskflow.history.writer import Writer
from taskflow.models import RunStatus
from taskflow.store.operations.encoding import instant
from tests.history.conftest import ENVIRONMENT, an_error, rows, write

CREATED = instant(1_800_000_000_000)
FILTERS = {
    "runs_created": RunFilter(created_from=CREATED, created_to=CREATED + timedelta(milliseconds=1)),
    "runs_status": RunFilter(status=RunStatus.FAILED),
    "runs_task_id": RunFilter(task="special"),
    "ix_taskflow_runs_": RunFilter(task="special", status=RunStatus.FAILED),
    "runs_queue": RunFilter(queue="special"),
    "runs_machine": RunFilter(machine="large-1x"),
    "runs_version": RunFilter(version="v1"),
    "runs_batch_id": RunFilter(batch="batch_1"),
    "runs_schedule_id": RunFilter(schedule="nightly"),
    "runs_parent_id": RunFilter(parent="run_p"),
    "runs_root_id": RunFilter(root="run_r"),
    "runs_idempotency_key": RunFilter(idempotency_key="k"),
    "runs_test": RunFilter(is_test=True),
    "run_tags": RunFilter(tag="special"),
    "error_trigrams": RunFilter(error="N EEDLE 100%"),
}
"""Filters that one run matches, each keyed by a part of the name of the index that must answer it."""


@pytest.fixture
def filled(database: Database, writer: Writer, reader: Reader) -> Reader:
    """A history of 2,000 plain runs, and an oldest run that matches every filter."""
    special = rows("run_special", 1, 0, task="special", status="FAILED", queue="special", version="v1",
                   batch="batch_1", schedule="nightly", parent="run_p", root="run_r", key="k", test="1",
                   tags='["special", "x"]', error=an_error("a n eedle 100% Found"), **{"class": "large-1x.process"},
                   )  # fmt: skip
    failed = {"error": an_error("other"), "status": "CRASHED"}
    plain = [rows(f"run_{n:04}", 1, n, tags='["x"]', **(failed if n % 9 == 0 else {})) for n in range(1, 2000)]
    write(writer, special, *plain)
    with database.writing() as connection:
        connection.execute(text("ANALYZE"))
    return reader


def test_runs_are_counted_by_their_fields(filled: Reader) -> None:
    """Every filter counts as it lists."""
    assert filled.count(["status", "task"], RunFilter(status=["FAILED", "CRASHED"])) == {
        ("FAILED", "special"): 1, ("CRASHED", "t"): 222,
    }  # fmt: skip
    for index, wanted in FILTERS.items():
        assert filled.count(["queue"], wanted) == {("special",): 1}, index


def test_each_filter_finds_the_run_by_an_index(filled: Reader, database: Database) -> None:
    """Reading a million runs to find one would take seconds. Both databases name the index that they use."""
    unread: list[str] = []
    for index, wanted in FILTERS.items():
        assert [run.id for run in filled.list_runs(wanted)] == ["run_special"], index
        with database.reading() as connection:
            if not database.is_sqlite:
                connection.execute(text("SET LOCAL enable_seqscan = off"))  # otherwise PostgreSQL scans so few rows
                index = index.replace("error_trigrams", "run_errors")
            is_rare = query.is_rare(connection, wanted.error)
            statement = query.listing(ENVIRONMENT, wanted, 51, None, is_error_rare=is_rare)
            plan = "\n".join(query.explain(connection, statement))
        if index not in plan or "SCAN taskflow_runs\n" in plan or "Seq Scan" in plan:
            unread.append(f"{index}: {plan}")
    assert not unread, "\n\n".join(unread)


COMBINED = [
    (RunFilter(), 2000),
    (RunFilter(status=[RunStatus.FAILED, RunStatus.CRASHED]), 223),
    (RunFilter(tag=["special", "x"]), 2000),
    (RunFilter(tag="x", status=RunStatus.CRASHED, error="OTHER"), 222),
    (RunFilter(error="ot"), 222),
    (RunFilter(error="eedle", tag="special", task="special"), 1),
    (RunFilter(error="e%e"), 0),
    (RunFilter(error='"', is_test=True), 0),
    (RunFilter(is_test=False), 1999),
    (RunFilter(task=["special", "nothing"], status=[RunStatus.FAILED, RunStatus.QUEUED]), 1),
    (RunFilter(created_from=CREATED + timedelta(seconds=1)), 1000),
    (RunFilter(queue="task/t\0"), 0),
]


def test_filters_combine(filled: Reader) -> None:
    """Conditions are joined by and, the values of one by or. A run with two of the tags is listed once."""
    for wanted, count in COMBINED:
        ids = everything(filled, wanted, page=700)
        assert len(ids) == len(set(ids)) == count, wanted
        assert ids == sorted(ids, key=lambda run_id: "" if run_id == "run_special" else run_id, reverse=True)


def everything(reader: Reader, wanted: RunFilter, page: int) -> list[str]:
    """Return the ids of all pages."""
    ids: list[str] = []
    cursor = None
    while True:
        listed = reader.list_runs(wanted, page, cursor)
        ids += [run.id for run in listed]
        cursor = listed.cursor
        if cursor is None:
            return ids


def test_pages_are_stable_while_runs_are_made(writer: Writer, reader: Reader) -> None:
    """A page must neither repeat nor skip a run, not even one of the same millisecond."""
    write(writer, *(rows(f"run_{n:03}", 1, n // 10) for n in range(100)))
    first = reader.list_runs(RunFilter(), 25)
    write(writer, *(rows(f"run_{n:03}", 1, n) for n in range(100, 130)))
    second = reader.list_runs(RunFilter(), 25, first.cursor)
    write(writer, rows("run_014", 2, 1, status="CANCELED"))
    third = reader.list_runs(RunFilter(), 60, second.cursor)
    assert [run.id for run in (*first, *second, *third)] == [f"run_{n:03}" for n in reversed(range(100))]
    assert third.cursor is None


def test_windows_lie_on_either_side_of_a_run_newest_first(filled: Reader) -> None:
    """The HTTP API pages in both directions, with every filter."""
    for wanted in (RunFilter(), RunFilter(status=["CRASHED", "FAILED"]), RunFilter(tag=["x", "special"])):
        everything = [run.id for run in filled.list_runs(wanted, 100)]
        middle = filled.list_runs(wanted, 100)[50]
        behind = [run.id for run in filled.window(wanted, 20, RunPosition.of(middle))]
        before = [run.id for run in filled.window(wanted, 20, RunPosition.of(middle, is_before=True))]
        assert (before, behind) == (everything[30:50], everything[51:71])
        newest = filled.window(wanted, 5, RunPosition.of(filled.list_runs(wanted, 3)[2], is_before=True))
        assert [run.id for run in newest] == everything[:2]
        assert [run.id for run in filled.window(wanted, 5, None)] == everything[:5]


def test_lists_leave_out_what_is_large(writer: Writer, reader: Reader) -> None:
    """Fifty payloads may be 25 MB."""
    write(writer, rows("run_1"))
    run = reader.list_runs(RunFilter(), 1)[0]
    assert (run.payload, run.output, run.attempts) == (None, None, ())


def test_a_cursor_that_no_page_gave_is_refused(reader: Reader) -> None:
    """Cursors come from URLs, so wrong ones will come."""
    for cursor in ("", "nonsense", "bnVsbA", "WzEsMiwzXQ"):
        with pytest.raises(RunFilterError, match="Pass the cursor of the page before"):
            reader.list_runs(RunFilter(), 10, cursor)


def test_too_many_combinations_are_refused(reader: Reader) -> None:
    """Each combination is a query of its own."""
    with pytest.raises(RunFilterError, match="at most 100"):
        reader.list_runs(RunFilter(task=[str(n) for n in range(101)]))


def test_events_come_in_order_and_in_parts(writer: Writer, reader: Reader) -> None:
    """The timeline of a run, followed while it grows."""
    write(writer, rows("run_1"), events=[("run_1", n << 20, "log", str(n)) for n in range(1, 6)])
    first = reader.events("run_1", limit=3)
    second = reader.events("run_1", after=first[-1].position)
    assert [event.value for event in (*first, *second)] == ["1", "2", "3", "4", "5"]
    assert first[0].at_ms == 1
