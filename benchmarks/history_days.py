"""Repeats the one day that a history has, for each of the days before it: by statements of SQLite, without the writer.

A million runs by the feed's writer take many minutes; a day of them and its copies take two. A copy has ids, versions,
keys and batches of its own, and instants that lie whole days before; the counts of the day are copied and added up.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from taskflow.history.rollups import DAY, MINUTE

_FAST: Final = ("journal_mode = OFF", "synchronous = OFF", "temp_store = MEMORY", "cache_size = -600000")
_ID: Final = "'run_' || substr({0}, 5 + day) || substr({0}, 5, day)"
"""The id of a run's copy: its digits, rotated by the number of days."""
_OWN: Final[dict[str, dict[str, str]]] = {
    "taskflow_runs": {
        "id": _ID.format("id"),
        "created": f"created - day * {DAY}",
        "finished": f"finished - day * {DAY}",
        "record": f"json_set(record, '$.started', CAST(json_extract(record, '$.started') - day * {DAY} AS TEXT))",
        "version": "'2026.11.' || (30 - day)",
        "batch_id": "batch_id || '-' || day",
        "parent_id": _ID.format("parent_id"),
        "root_id": _ID.format("root_id"),
        "idempotency_key": "idempotency_key || '-' || day",
    },
    "taskflow_attempts": {
        "run_id": _ID.format("run_id"),
        "started": f"started - day * {DAY}",
        "finished": f"finished - day * {DAY}",
    },
    "taskflow_run_tags": {"run_id": _ID.format("run_id"), "created": f"created - day * {DAY}"},
    "taskflow_run_errors": {"number": "NULL", "run_id": _ID.format("run_id"), "created": f"created - day * {DAY}"},
    "taskflow_error_counts": {"start": f"start - day * {DAY}", "version": "'2026.11.' || (30 - day)"},
}
"""The columns of a copy that differ, by table: expressions of the row's columns and of ``day``, 1 for yesterday."""
_SORTED: Final = {"taskflow_attempts": "1, 2", "taskflow_run_tags": "1, 2, 3, 4"}
"""Tables that are stored by their key: sorted rows are appended to them."""


def repeat_days(path: Path, days: int) -> None:
    """Have a history of one day reach back over so many days. Each day has as many runs."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in _FAST:
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN")
        connection.execute("CREATE TEMP TABLE days (day INTEGER PRIMARY KEY)")
        connection.executemany("INSERT INTO days VALUES (?)", [(day,) for day in range(1, days)])
        indexes = _drop_indexes(connection)
        for table in _OWN:
            _copy(connection, table)
        connection.execute(f"UPDATE taskflow_error_groups SET first = first - ? * {DAY}", (days - 1,))
        _repeat_counts(connection, days)
        for statement in indexes:
            connection.execute(statement)
        connection.execute("COMMIT")
        connection.execute("PRAGMA analysis_limit = 1000")
        connection.execute("ANALYZE")
        connection.execute("PRAGMA journal_mode = WAL")


def _drop_indexes(connection: sqlite3.Connection) -> list[str]:
    """Drop the indexes of the tables that grow, and return the statements that make them again."""
    listing = "SELECT name, sql, tbl_name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    found = [(name, sql) for name, sql, table in connection.execute(listing) if table in _OWN]
    for name, _ in found:
        connection.execute(f"DROP INDEX {name}")
    return [sql for _, sql in found]


def _copy(connection: sqlite3.Connection, table: str) -> None:
    names: list[str] = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    values = ", ".join(_OWN[table].get(name, name) for name in names)
    order = f"ORDER BY {_SORTED[table]}" if table in _SORTED else ""
    connection.execute(f"INSERT INTO {table} ({', '.join(names)}) SELECT {values} FROM days CROSS JOIN {table} {order}")


def _repeat_counts(connection: sqlite3.Connection, days: int) -> None:
    """Add the counts of the copies. Those of minutes are kept for some hours only."""
    sums: dict[tuple[Any, ...], tuple[Counter[str], Counter[str], Counter[str]]] = {}
    for row in list(connection.execute(f"SELECT * FROM taskflow_rollups WHERE span != {MINUTE}")):
        environment, span, start, task, status, *numbers, took, waited = row
        for day in range(days):
            key = (environment, span, start - day * DAY, task, status)
            for known, more in zip(
                sums.setdefault(key, (Counter(), Counter(), Counter())),
                ({str(at): number for at, number in enumerate(numbers)}, json.loads(took), json.loads(waited)),
                strict=True,
            ):
                known.update(more)
    connection.execute(f"DELETE FROM taskflow_rollups WHERE span != {MINUTE}")
    connection.executemany("INSERT INTO taskflow_rollups VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", _rows(sums))


def _rows(
    sums: dict[tuple[Any, ...], tuple[Counter[str], Counter[str], Counter[str]]],
) -> Iterator[tuple[Any, ...]]:
    for key, (numbers, took, waited) in sums.items():
        yield (*key, numbers["0"], numbers["1"], numbers["2"], json.dumps(took), json.dumps(waited))
