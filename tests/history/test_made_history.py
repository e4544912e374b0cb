"""The history that the tour and the benchmarks look at is what the feed would have written."""

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from benchmarks.history_cache import copy_history, kept_history
from benchmarks.history_maker import made_history
from benchmarks.history_slices import SLICE
from taskflow.history.rollups import DAY, MINUTE
from taskflow.history.rows import rows_of
from taskflow.history.writer import RowBatch, Writer
from tests.history.conftest import ENVIRONMENT, open_database

RUNS: Final = 1600
DAYS: Final = 2
FIELDS: Final[Mapping[str, str]] = {
    "task_id": "task",
    "batch_id": "batch",
    "schedule_id": "schedule",
    "parent_id": "parent",
    "root_id": "root",
    "idempotency_key": "key",
}
"""Columns whose field in the store's record has another name."""
SAME: Final = ("created", "finished", "status", "queue", "version", "tags", "error", "payload", "output")
DOCUMENTS: Final = ("took", "waited", "record")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days, of which six hours were written by the feed's writer."""
    return made_history(tmp_path_factory.mktemp("made") / "made.db", ENVIRONMENT, RUNS, days=DAYS)


def test_a_multiplied_history_is_the_one_that_the_writer_makes_of_its_runs(made: Path, tmp_path: Path) -> None:
    """Pages that show counts, groups of errors and durations show those of the runs that are there."""
    runs = [*read(made, "taskflow_runs")]
    attempts = {row["run_id"]: row for row in read(made, "taskflow_attempts")}
    fed = tmp_path / "fed.db"
    database = open_database(f"sqlite:///{fed}")
    database.prepare()
    writer = Writer(database, ENVIRONMENT)
    writer.set_position(0, 0, is_complete=True)
    rows = [rows_of(ENVIRONMENT, row["id"], 1, record_of(row, attempts[row["id"]])) for row in runs]
    for start in range(0, RUNS, 500):
        writer.write(RowBatch(rows[start : start + 500]), 0)
    database.close()
    assert len(runs) == RUNS
    tables = {name for kind, name, _ in schema(made) if kind == "table" and "_trigrams_" not in name}
    for table in tables - {"taskflow_rollups"}:
        assert in_order(read(made, table)) == in_order(read(fed, table)), table
    newest = max(row["finished"] for row in runs) - SLICE + 2 * MINUTE  # minutes are kept for six hours
    rollups = [
        in_order(row for row in read(path, "taskflow_rollups") if row["span"] != MINUTE or row["start"] > newest)
        for path in (made, fed)
    ]
    assert rollups[0] == rollups[1]
    assert schema(made) == schema(fed)
    assert (found := searched(made, "connection refused")) == searched(fed, "connection refused")
    assert found > 0


def test_a_multiplied_history_reaches_over_its_days_without_gaps(made: Path) -> None:
    """Each six hours have as many runs, and no two runs have one id."""
    ends = sorted(row["finished"] for row in read(made, "taskflow_runs"))
    newest = ends[-1]
    counts = [
        sum(newest - SLICE * (number + 1) < end <= newest - SLICE * number for end in ends) for number in range(8)
    ]
    assert all(abs(count - RUNS / 8) <= 5 for count in counts), counts
    assert DAYS * DAY - SLICE < newest - ends[0] <= DAYS * DAY
    with closing(sqlite3.connect(made)) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert raw.execute("PRAGMA journal_mode").fetchall() == [("wal",)]


def test_a_kept_history_is_made_once_and_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of a copy is none of the kept one, and a history of another maker goes."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "taskflow" / "histories"
    folder.mkdir(parents=True)
    (folder / f"{ENVIRONMENT}-240-older.db").touch()
    (folder / f"{ENVIRONMENT}-2400-other.db").touch()
    kept = kept_history(ENVIRONMENT, 240)
    assert {each.name for each in folder.iterdir()} == {kept.name, f"{ENVIRONMENT}-2400-other.db"}
    made_ns = kept.stat().st_mtime_ns
    copy = copy_history(kept, tmp_path / "copy.db")
    with closing(sqlite3.connect(copy)) as raw, raw:
        raw.execute("DELETE FROM taskflow_runs")
    assert len(read(kept, "taskflow_runs")) == 240
    assert kept_history(ENVIRONMENT, 240).stat().st_mtime_ns == made_ns


def record_of(row: Mapping[str, Any], attempt: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the record that the store would have of a run in the history."""
    fields = json.loads(row["record"]) | {name: row[name] for name in SAME}
    fields |= {field: row[column] for column, field in FIELDS.items()}
    fields |= {"class": f"{row['machine']}.{row['executor']}", "test": row["is_test"] or None}
    fields |= {"attempt": attempt["number"], "attempt_started": attempt["started"]}
    fields |= {"claim": attempt["claim"], "node": attempt["node"]}
    return {name: str(value).encode() for name, value in fields.items() if value is not None}


def read(path: Path, table: str) -> list[dict[str, Any]]:
    """Return a table's rows, without numbers that only count them, and documents as their values."""
    with closing(sqlite3.connect(path)) as raw:
        raw.row_factory = sqlite3.Row
        rows = [dict(row) for row in raw.execute(f"SELECT * FROM {table}")]
    for row in rows:
        if table == "taskflow_run_errors":
            row.pop("number")
        row |= {name: json.loads(row[name]) for name in DOCUMENTS if table != "taskflow_runs" and name in row}
    return rows


def in_order(rows: Any) -> list[str]:
    """Return rows as texts, sorted."""
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


def schema(path: Path) -> list[tuple[str, str, str]]:
    """Return all tables, indexes and triggers with their statements."""
    listing = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_stat%' ORDER BY type, name"
    with closing(sqlite3.connect(path)) as raw:
        return raw.execute(listing).fetchall()


def searched(path: Path, text: str) -> int:
    """Return how many errors the index of texts finds, after it was compared with them."""
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("INSERT INTO taskflow_error_trigrams(taskflow_error_trigrams, rank) VALUES ('integrity-check', 1)")
        wanted = "SELECT COUNT(*) FROM taskflow_error_trigrams WHERE text MATCH ?"
        return int(raw.execute(wanted, (f'"{text}"',)).fetchone()[0])
