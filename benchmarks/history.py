"""Lists 50 of a million runs by each filter, and prints the times and the indexes that the database uses.

``python -m benchmarks.history sqlite:////tmp/history.db --runs 1000000`` fills the database first when it is empty.
"""

import argparse
import json
import random
import statistics
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table
from sqlalchemy import Connection, Select, func, select, text

from taskflow.definition.calls.run_filter import RunFilter
from taskflow.history import query
from taskflow.history.database import Database, database_url
from taskflow.history.rows import Rows, rows_of
from taskflow.history.writer import RUNS, RowBatch, Writer
from taskflow.models import RunStatus
from taskflow.settings import Settings
from taskflow.store.operations.encoding import instant

ENVIRONMENT = "bench"
START = 1_800_000_000_000
PER_BATCH = 2000
ERRORS = ("TimeoutError: no answer from host-{n} in 30 s", "KeyError: 'order-{n}'", "ValueError: bad value {n}")
console = Console(width=150)


def main() -> None:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="sqlite:////path or postgresql://")
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    url = database_url(Settings.read(database_url=options.url))
    assert url is not None
    database = Database(url)
    database.prepare()
    fill(database, options.runs)
    report(database, options.repeat, options.runs)
    database.close()


def fill(database: Database, count: int) -> None:
    """Write runs as the feed does, when the database has none."""
    writer = Writer(database, ENVIRONMENT)
    with database.reading() as connection:
        if connection.execute(select(RUNS.c.id).limit(1)).first():
            return
    writer.set_position(0, 0, is_complete=True)
    began = time.perf_counter()
    for start in track(range(0, count, PER_BATCH), f"writing {count:,} runs"):
        writer.write(RowBatch(list(_some(start, min(count, start + PER_BATCH)))), 0)
    console.print(f"written: {count / (time.perf_counter() - began):,.0f} runs/s")
    if database.is_sqlite:
        writer.tidy()
    else:
        with database.writing() as connection:
            connection.execute(text("ANALYZE"))


def _some(start: int, end: int) -> Iterator[Rows]:
    for number in range(start, end):
        chance = random.Random(number)
        status = chance.choices(["COMPLETED", "FAILED", "CANCELED", "CRASHED"], [880, 100, 20, 0.1])[0]
        fields: dict[str, Any] = {
            "task": f"task-{min(int(chance.expovariate(0.3)), 30)}",
            "status": status,
            "queue": f"queue-{chance.randrange(40)}",
            "class": f"{chance.choice(['small-1x'] * 60 + ['micro', 'large-1x'])}.process",
            "created": START + number * 10,
            "started": START + number * 10 + 5,
            "attempt_started": START + number * 10 + 5,
            "finished": START + number * 10 + 90,
            "max_attempts": 3,
            "attempt": 1,
            "claim": 1,
            "node": "worker-1@host.1234.abcdef",
            "payload": json.dumps({"order": number, "data": "x" * 60}),
            "output": '"done"',
            "tags": json.dumps([f"user-{chance.randrange(2000)}", f"plan-{chance.randrange(3)}"]),
            "version": f"v{number * 20 // 1_000_000}",
        }
        if status in ("FAILED", "CRASHED"):
            message = "the needle" if number % 100_003 == 7 else chance.choice(ERRORS).format(n=number)
            fields["error"] = json.dumps({"type": "Boom", "message": message, "traceback": "Traceback ..." * 10})
        if chance.random() < 0.05:
            fields |= {"parent": f"run_p{number // 1000}", "root": f"run_p{number // 1000}"}
        if chance.random() < 0.05:
            fields["batch"] = f"batch_{number // 5000}"
        if chance.random() < 0.02:
            fields["schedule"] = f"schedule-{chance.randrange(10)}"
        if chance.random() < 0.001:
            fields["test"] = 1
        if chance.random() < 0.1:
            fields["key"] = f"key-{number}"
        yield rows_of(ENVIRONMENT, f"run_{number:032x}", 1, {k: str(v).encode() for k, v in fields.items()})


def filters(count: int) -> dict[str, RunFilter]:
    """Return one filter of each kind, with common and rare values."""
    middle = instant(START + count * 5)
    return {
        "none": RunFilter(),
        "status, common": RunFilter(status=RunStatus.COMPLETED),
        "status, rare": RunFilter(status=RunStatus.CRASHED),
        "statuses": RunFilter(status=[RunStatus.FAILED, RunStatus.CRASHED, RunStatus.TIMED_OUT]),
        "status, none": RunFilter(status=RunStatus.EXECUTING),
        "task": RunFilter(task="task-0"),
        "tasks": RunFilter(task=["task-3", "task-29"]),
        "task and status": RunFilter(task="task-25", status=RunStatus.FAILED),
        "tag": RunFilter(tag="user-7"),
        "tags": RunFilter(tag=["user-7", "plan-1"]),
        "tag and status": RunFilter(tag="user-7", status=RunStatus.COMPLETED),
        "queue": RunFilter(queue="queue-7"),
        "machine, rare": RunFilter(machine="micro"),
        "version, old": RunFilter(version="v1"),
        "batch": RunFilter(batch="batch_3"),
        "schedule": RunFilter(schedule="schedule-3"),
        "parent": RunFilter(parent="run_p10"),
        "root": RunFilter(root="run_p10"),
        "created": RunFilter(created_from=middle - timedelta(hours=1), created_to=middle),
        "test": RunFilter(is_test=True),
        "not test": RunFilter(is_test=False),
        "error, common": RunFilter(error="TIMEOUT"),
        "error, rare": RunFilter(error="needle"),
        "error, none": RunFilter(error="no such text"),
        "error, two letters": RunFilter(error="no"),
        "error and task": RunFilter(error="needle", task="task-0"),
        "idempotency key": RunFilter(idempotency_key="key-77"),
    }


def report(database: Database, repeat: int, count: int) -> None:
    """Print a line for each filter: the times of the first page and a middle page, and the indexes of the plan."""
    table = Table("filter", "rows", "first page, ms", "middle page, ms", "indexes", box=None, pad_edge=False)
    middle = query.Cursor(START + count * 5, "")
    with database.reading() as connection:
        server = connection.execute(select(func.sqlite_version() if database.is_sqlite else func.version())).scalar()
        console.print(f"{connection.dialect.name} {server}")
        for name, wanted in filters(count).items():
            first, rows, plan = measure(connection, wanted, None, repeat)
            later, _, _ = measure(connection, wanted, middle, repeat)
            table.add_row(name, str(rows), f"{first:.1f}", f"{later:.1f}", ", ".join(plan))
    console.print(table)


def measure(
    connection: Connection, wanted: RunFilter, after: query.Cursor | None, repeat: int
) -> tuple[float, int, list[str]]:
    """Return median milliseconds, rows, and the indexes of the plan."""
    took: list[float] = []
    rows, statement = 0, query.listing(ENVIRONMENT, wanted, 51, after, is_error_rare=False)
    for _ in range(repeat):
        began = time.perf_counter()
        statement = query.listing(ENVIRONMENT, wanted, 51, after, is_error_rare=query.is_rare(connection, wanted.error))
        rows = len(connection.execute(statement).all())
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took), min(rows, 50), indexes(connection, statement)


def indexes(connection: Connection, statement: Select[Any]) -> list[str]:
    """Return the indexes that a statement's plan names."""
    names: set[str] = set()
    for line in query.explain(connection, statement):
        words = [word.strip("(),") for word in line.split()]
        names |= {word for word in words if word.startswith(("ix_", "sqlite_autoindex", "taskflow_error_trigrams"))}
        names |= {word for word in words if word.endswith("_pkey")}
        if "USING PRIMARY KEY" in line:
            names.add(f"{words[1]}'s key")
    return sorted(names)


if __name__ == "__main__":
    main()
