"""Writing is idempotent, also when entries come twice, late or broken."""

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from taskflow.definition.calls.run_filter import RunFilter
from taskflow.engine.lookup import Lookup
from taskflow.errors import HistoryUnavailableError, RunNotFoundError
from taskflow.history.database import Database
from taskflow.history.migrate import VERSION_TABLE
from taskflow.history.reader import Reader
from taskflow.history.schema import Base
from taskflow.history.writer import RowBatch, Writer
from taskflow.models import AttemptOutcome, RunStatus
from taskflow.settings import Settings
from tests.history.conftest import an_error, open_database, rows, write

STEPS = [
    {"status": "QUEUED", "attempt": "0", "finished": ""},
    {"status": "EXECUTING", "attempt": "1", "finished": ""},
    {"status": "FAILED", "attempt": "1", "error": an_error("late")},
]


def dump(database: Database) -> dict[str, list[Any]]:
    """Return all rows of all tables."""
    with database.reading() as connection:
        return {
            name: sorted(map(repr, connection.execute(text(f"SELECT * FROM {name}")))) for name in Base.metadata.tables
        }


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
def test_the_migrations_make_the_tables_that_the_code_uses(database: Database) -> None:
    """A column that only one of the two has must fail here, not on users' machines."""

    def is_ours(_: Any, name: str | None, kind: str, reflected: bool, other: Any) -> bool:
        own = ("ix_taskflow_run_errors_text", "ix_taskflow_runs_id_end")
        return not (reflected and other is None and ("trigrams" in str(name) or name in own))

    with database.reading() as connection:
        options = {"version_table": VERSION_TABLE, "include_object": is_ours}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []


def test_workers_that_start_together_migrate_once(url: str) -> None:
    """Every worker applies the migrations at its start."""
    databases = [open_database(url) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(Database.prepare, databases))
    with databases[0].reading() as connection:
        assert len(connection.execute(text(f"SELECT * FROM {VERSION_TABLE}")).all()) == 1
    for database in databases:
        database.close()


def test_batches_in_any_order_and_number_leave_the_same_rows(database: Database, writer: Writer) -> None:
    """Entries come at least once, and two feeders may overlap."""
    batches = [
        RowBatch([rows(f"run_{run}", step + 1, **{k: v for k, v in fields.items() if v}, tags=f'["{run}"]')],
              events=[(f"run_{run}", step + 1, "status", fields["status"])])
        for run in range(3)
        for step, fields in enumerate(STEPS)
    ]  # fmt: skip
    for batch in batches:
        writer.write(batch, 0)
    expected = dump(database)
    assert all("FAILED" in row for row in expected["taskflow_runs"])
    with database.writing() as connection:
        for name in ("runs", "attempts", "events", "run_tags", "run_errors", "rollups", "error_groups", "error_counts"):
            connection.execute(text(f"DELETE FROM taskflow_{name}"))
    again = batches * 2
    random.shuffle(again)
    for batch in again:
        writer.write(batch, 0)
    tables = dump(database)
    for table in tables:  # the database chooses the numbers of searchable errors
        if table != "taskflow_run_errors":
            assert tables[table] == expected[table]


def test_a_run_comes_back_as_it_was(writer: Writer, reader: Reader) -> None:
    """Retrieving a run must not change when the run moves to the history."""
    lost = '{"claim":1,"node":"n0","started":1,"finished":2,"outcome":"LOST","error":null}'
    write(writer, rows("run_1", attempt="2", claim="2", **{"attempt:1": lost, "priority": "5000000", "test": "1"},
                       key="k", metadata='{"a":[1]}', parent="run_0"))  # fmt: skip
    run = reader.retrieve("run_1")
    assert run is not None
    assert (run.payload, run.output, run.metadata) == ({"a": 1}, "x", {"a": [1]})
    assert (run.priority, run.is_test, run.idempotency_key, run.parent_id) == (5.0, True, "k", "run_0")
    assert [attempt.outcome for attempt in run.attempts] == [AttemptOutcome.LOST, AttemptOutcome.COMPLETED]
    assert reader.retrieve("run_2") is None


def test_text_that_a_database_cannot_hold_stops_nothing(writer: Writer, reader: Reader) -> None:
    """NUL and lone surrogates are valid JSON, but neither PostgreSQL's text nor UTF-8 can hold them."""
    write(writer, rows("run_1", tags='["a\\u0000b", "\\ud800"]', key="k\0", error=an_error("x\0y"), status="FAILED"),
          events=[("run_1", 1, "log", "\0")])  # fmt: skip
    run = reader.retrieve("run_1")
    assert run is not None
    assert run.error is not None
    assert run.error.message == "x\0y"
    assert run.idempotency_key == "k\N{REPLACEMENT CHARACTER}"


def test_an_id_that_a_database_cannot_hold_names_its_run(writer: Writer, reader: Reader) -> None:
    """Celery lets a producer choose any id, and PostgreSQL's text holds no NUL."""
    write(writer, rows("a\0b", tags='["x"]'), events=[("a\0b", 1, "status", "COMPLETED")])
    for run_id in ("a\0b", "a\N{REPLACEMENT CHARACTER}b"):
        run = reader.retrieve(run_id)
        assert run is not None
        assert len(run.attempts) == len(reader.events(run_id)) == 1
    assert len(reader.list_runs(RunFilter(tag="x"))) == 1
    assert writer.known({"a\0b", "c"}) == {"a\0b"}
    assert reader.retrieve("a\ud800") is None


def test_what_can_be_no_id_is_not_looked_for(writer: Writer, reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller without a type checker gives a number: there is no such run, as in the store."""
    write(writer, rows("run_1"))
    lookup = Lookup(Settings.read(redis_url="redis://127.0.0.1:1/0"))
    monkeypatch.setattr(lookup, "_reader", lambda: reader)
    assert lookup.retrieve("run_1").id == "run_1"
    for given in (5, "a\ud800", None):
        with pytest.raises(RunNotFoundError):
            lookup.retrieve(given)  # type: ignore[arg-type]  # the point
        assert list(lookup.events(given)) == []  # type: ignore[arg-type]  # the point


def test_values_that_cannot_be_read_back_are_shown_as_far_as_they_can(writer: Writer, reader: Reader) -> None:
    """Earlier versions stored such values: their runs are in the history, and each page shows them."""
    huge = "9" * 5000
    write(writer, rows("run_1", payload=f"[{huge}]", output=huge, metadata=f'{{"n":{huge}}}', due="253402300800000"))
    run = reader.retrieve("run_1")
    assert run is not None
    shown = "(an integer of 5,000 digits)"
    assert (run.payload, run.output, run.metadata) == ([shown], shown, {"n": shown})
    assert run.due_at is not None
    assert run.due_at.year == 9999
    assert [each.id for each in reader.list_runs(RunFilter())] == ["run_1"]


def test_the_end_of_a_run_that_left_the_store_is_kept(writer: Writer, reader: Reader) -> None:
    """The database was away for longer than the store keeps runs. The entry still has the end of the run."""
    write(writer, rows("run_1", 1, status="EXECUTING"))
    write(writer, gone={"run_1": ("COMPLETED", 1_800_000_000_500, 2)})
    write(writer, gone={"run_1": ("EXECUTING", 1_800_000_000_400, 1)})
    run = reader.retrieve("run_1")
    assert run is not None
    assert run.status is RunStatus.COMPLETED
    assert run.finished_at is not None


def test_retention_deletes_every_row_of_what_is_old_and_nothing_else(database: Database, writer: Writer) -> None:
    """It deletes in bounded batches of 500 runs a transaction."""
    old = [rows(f"run_{n:04}", finished="1000", tags='["a"]', error=an_error("x"), status="FAILED") for n in range(501)]
    write(writer, *old, rows("run_new"), rows("run_live", **{"status": "FAILED"}))
    with database.writing() as connection:
        connection.execute(text("UPDATE taskflow_runs SET finished = NULL WHERE id = 'run_live'"))
    assert [writer.trim(2000), writer.trim(2000), writer.trim(2000)] == [500, 1, 0]
    writer.tidy()
    tables = dump(database)
    assert len(tables["taskflow_runs"]) == len(tables["taskflow_attempts"]) == 2
    assert tables["taskflow_run_tags"] == tables["taskflow_run_errors"] == []


def test_environments_in_one_database_do_not_meet(database: Database, reader: Reader, writer: Writer) -> None:
    """One PostgreSQL often serves dev and prod."""
    write(writer, rows("run_1"))
    Writer(database, "prod").set_position(0, 0, is_complete=True)
    other = Reader(database, "prod")
    assert (other.retrieve("run_1"), len(other.list_runs(RunFilter()))) == (None, 0)
    assert len(reader.list_runs(RunFilter())) == 1


def test_a_schema_of_a_newer_version_is_left_alone(database: Database) -> None:
    """During a rolling update the old workers wait, and their entries stay in the stream."""
    with database.writing() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(HistoryUnavailableError, match="not one that this version knows"):
        database.prepare()
