"""Repeats the one slice of time that a history has, for each of the slices before it: by statements of SQLite.

A million runs by the feed's writer take many minutes; six hours of them and their copies take seconds. A copy has ids,
keys and batches of its own, and instants that lie whole slices before; the counts of the slice are copied and added up.
The rows are written in the order in which their tables keep them, because SQLite appends those without a search.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from taskflow.history.rollups import DAY, MINUTE, QUARTER

SLICE: Final = DAY // 4
"""The length of a slice in ms. It is a multiple of a quarter of an hour, by which runs are counted."""
_FAST: Final = (
    "journal_mode = OFF",
    "synchronous = OFF",
    "temp_store = MEMORY",
    "cache_size = -2000",
    "mmap_size = 2000000000",
)
"""A small cache is the quickest: sorting for an index stays in the processor's own."""
_SHIFT: Final = f"slice * {SLICE}"
_ID: Final = (
    f"substr({{0}}, 1, 6) || printf('%011x', made - {_SHIFT}) || "
    "substr({0}, 18, 15) || printf('%02x', slice) || substr({0}, 35)"
)
"""The id of a run's copy: shard, instant and random digits (``taskflow/store/wire.py``), of which two are the slice."""
_PARENT: Final = "substr({0}, 1, 5) || printf('%03d', slice) || substr({0}, 9)"
_VERSION: Final = f"'2026.11.' || (30 - {_SHIFT} / {DAY})"
_OWN: Final[dict[str, dict[str, str]]] = {
    "taskflow_runs": {
        "id": _ID.format("id"),
        "created": f"created - {_SHIFT}",
        "finished": f"finished - {_SHIFT}",
        "record": f"replace(record, begun, CAST(CAST(begun AS INTEGER) - {_SHIFT} AS TEXT))",
        "version": _VERSION,
        "batch_id": "batch_id || '-' || slice",
        "parent_id": _PARENT.format("parent_id"),
        "root_id": _PARENT.format("root_id"),
        "idempotency_key": "idempotency_key || '-' || slice",
    },
    "taskflow_attempts": {
        "run_id": _ID.format("run_id"),
        "started": f"started - {_SHIFT}",
        "finished": f"finished - {_SHIFT}",
    },
    "taskflow_run_tags": {"run_id": _ID.format("run_id"), "created": f"created - {_SHIFT}"},
    "taskflow_run_errors": {"number": "NULL", "run_id": _ID.format("run_id"), "created": f"created - {_SHIFT}"},
    "taskflow_error_counts": {"start": f"start - {_SHIFT}", "version": _VERSION},
}
"""The columns of a copy that differ, by table: expressions of the row and of ``slice``, 0 for the last six hours."""
_BASE: Final = {
    "taskflow_runs": "*, created AS made, json_extract(record, '$.started') AS begun FROM {0} ORDER BY id",
    "taskflow_attempts": "{0}.*, created AS made FROM {0} JOIN taskflow_runs ON id = run_id ORDER BY run_id",
    "taskflow_run_tags": "*, created AS made FROM {0} ORDER BY tag, created",
    "taskflow_run_errors": "*, created AS made FROM {0} ORDER BY created",
    "taskflow_error_counts": "* FROM {0} ORDER BY fingerprint, start",
}
"""The slice's rows, with what the expressions need, in the order of the table's key."""
_BY_VALUE: Final = {"taskflow_run_tags": "tag", "taskflow_error_counts": "fingerprint"}
"""Tables whose key begins with a value: its rows of all slices lie beside each other."""
_Sums = tuple[Counter[str], Counter[str], Counter[str]]


def repeat_slice(path: Path, slices: int) -> None:
    """Have a history of one slice reach back over so many. Each has as many runs."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in _FAST:
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN")
        connection.execute("CREATE TEMP TABLE slices (slice INTEGER)")
        connection.executemany("INSERT INTO slices VALUES (?)", [(number,) for number in reversed(range(slices))])
        for table, base in _BASE.items():
            connection.execute(f"CREATE TEMP TABLE base_{table} AS SELECT {base.format(table)}")
        indexes = _drop_indexes(connection)
        for table in _OWN:
            _repeat(connection, table)
        connection.execute(f"UPDATE taskflow_error_groups SET first = first - ? * {SLICE}", (slices - 1,))
        _repeat_counts(connection, slices)
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


def _repeat(connection: sqlite3.Connection, table: str) -> None:
    """Replace a table's rows by their copies, those of the last slice among them, the oldest first."""
    names: list[str] = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    values = ", ".join(_OWN[table].get(name, name) for name in names)
    rows = f"slices CROSS JOIN base_{table}"
    if value := _BY_VALUE.get(table):
        connection.execute(f"CREATE INDEX temp.of_{table} ON base_{table} ({value})")
        rows = f"(SELECT DISTINCT {value} AS own FROM base_{table}) CROSS JOIN {rows} ON {value} = own"
    connection.execute(f"DELETE FROM {table}")
    connection.execute(
        f"INSERT INTO {table} ({', '.join(names)}) SELECT {values} FROM {rows} WHERE true "
        "ON CONFLICT DO UPDATE SET attempts = attempts + excluded.attempts, runs = runs + excluded.runs"
        if table == "taskflow_error_counts"  # two slices meet within a quarter of an hour
        else f"INSERT INTO {table} ({', '.join(names)}) SELECT {values} FROM {rows}"
    )


def _repeat_counts(connection: sqlite3.Connection, slices: int) -> None:
    """Add the counts of the copies: days are added up from quarters. Those of minutes are kept for some hours only."""
    quarters = list(connection.execute(f"SELECT * FROM taskflow_rollups WHERE span = {QUARTER}"))
    sums: dict[tuple[Any, ...], _Sums] = {}
    for parts in range(DAY // SLICE):  # slices that begin at the same time of the day have the same sums
        for environment, _, start, task, status, *numbers in quarters:
            moved = start - parts * SLICE
            _add(sums, (environment, parts, moved - moved % DAY, task, status), numbers)
    days: dict[tuple[Any, ...], _Sums] = {}
    alone: dict[tuple[Any, ...], list[Any]] = {}
    for number in range(slices):
        whole, parts = divmod(number, DAY // SLICE)
        for (environment, of, start, task, status), known in sums.items():
            if of == parts:
                _add_up(days.setdefault((environment, DAY, start - whole * DAY, task, status), _zero()), known)
        for environment, span, start, task, status, *numbers in quarters:
            key = (environment, span, start - number * SLICE, task, status)
            alone[key] = _merged(alone[key], numbers) if key in alone else numbers
    connection.execute(f"DELETE FROM taskflow_rollups WHERE span != {MINUTE}")
    rows = [*((*key, *numbers) for key, numbers in alone.items()), *_rows(days)]
    connection.executemany("INSERT INTO taskflow_rollups VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", sorted(rows))


def _zero() -> _Sums:
    return Counter(), Counter(), Counter()


def _add(sums: dict[tuple[Any, ...], _Sums], key: tuple[Any, ...], numbers: list[Any]) -> None:
    _add_up(sums.setdefault(key, _zero()), _read(numbers))


def _read(numbers: list[Any]) -> _Sums:
    *counts, took, waited = numbers
    return Counter(dict(zip("012", counts, strict=True))), Counter(json.loads(took)), Counter(json.loads(waited))


def _add_up(known: _Sums, more: _Sums) -> None:
    for one, other in zip(known, more, strict=True):
        one.update(other)


def _written(sums: _Sums) -> list[Any]:
    counts, took, waited = sums
    return [counts["0"], counts["1"], counts["2"], json.dumps(took), json.dumps(waited)]


def _merged(one: list[Any], other: list[Any]) -> list[Any]:
    sums = _read(one)
    _add_up(sums, _read(other))
    return _written(sums)


def _rows(sums: dict[tuple[Any, ...], _Sums]) -> Iterator[tuple[Any, ...]]:
    for key, known in sums.items():
        yield (*key, *_written(known))
