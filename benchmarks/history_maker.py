"""Makes the history of a shop with a million runs in its last thirty days: for the dashboard's tour and its benchmark.

``python -m benchmarks.history_maker ~/.cache/taskflow/shop.db`` is done at once while the file is younger than a day.
The runs of the last six hours are written as the feed writes them, so that counts and groups of errors are there, too;
the time before has their copies (``history_slices``).
"""

import argparse
import json
import math
import os
import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from benchmarks.history_slices import SLICE, repeat_slice
from taskflow.history.database import Database, database_url
from taskflow.history.rows import Rows, rows_of
from taskflow.history.writer import RowBatch, Writer
from taskflow.settings import Settings

RUNS: Final = 1_000_000
DAYS: Final = 30
KEPT_SECONDS: Final = 86_400
"""The age up to which a file counts as fresh: the last day of its history must not be long ago."""
_PER_BATCH: Final = 2000
_DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Kind:
    """A task of the shop. ``share`` of all runs; ``took``: the median in ms; ``bad``: the share that fails."""

    id: str
    share: float
    queue: str
    machine: str
    took: int
    bad: float
    errors: tuple[tuple[str, str, str], ...] = ()


CARRIER: Final = ("CarrierTimeout", "{name} did not answer within 2.5 s", "shop/carriers/dhl.py:44:quote")
KINDS: Final = (
    Kind("email-send", 0.43, "email", "small-1x", 710, 0.0004,
         (("SMTPRecipientsRefused", "550 no such mailbox: u{n}@shop.example", "shop/mail.py:22:send"),)),
    Kind("fraud-score", 0.14, "task/fraud-score", "small-1x", 180, 0.0002, (CARRIER,)),
    Kind("label-render", 0.14, "task/label-render", "small-1x", 2300, 0.036,
         (CARRIER, ("HTTPStatusError", "503 from labels{n}.ups.example", "shop/carriers/ups.py:93:draw"))),
    Kind("stock-sync", 0.10, "task/stock-sync", "small-1x", 1200, 0.049,
         (("ConnectError", "[Errno 111] Connection refused", "shop/suppliers/wms.py:57:fetch"),)),
    Kind("order-fulfil", 0.09, "fulfilment", "medium-1x", 9900, 0.003, (CARRIER,)),
    Kind("invoice-render", 0.05, "invoices", "small-2x", 1800, 0.0005,
         (("TemplateError", "'total' is undefined in invoice {n}", "shop/invoices.py:81:render"),)),
    Kind("image-resize", 0.04, "images", "medium-1x", 4600, 0.005,
         (("OutOfMemory", "used 2.{n} of 2 GB on medium-1x", "shop/pictures.py:31:resize"),)),
    Kind("customer-export", 0.006, "exports", "large-1x", 184_000, 0.011,
         (("ValidationError", "2 errors for ExportRequest: tenant, columns", "shop/exports.py:12:run"),)),
    Kind("search-reindex", 0.003, "search", "large-2x", 148_000, 0.0),
    Kind("payout-reconcile", 0.001, "finance", "large-1x", 1_290_000, 0.28,
         (("MaxDurationExceeded", "ran for 30 m, its max_duration", "shop/finance/match.py:118:match"),)),
)  # fmt: skip


def made_history(path: Path, environment: str = "dev", runs: int = RUNS, shards: int = 1, days: int = DAYS) -> Path:
    """Return a database with that many runs in so many days; make it, unless it is there and fresh."""
    if path.exists() and time.time() - path.stat().st_mtime < KEPT_SECONDS:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}.part")
    url = database_url(Settings.read(database_url=f"sqlite:///{unfinished.absolute()}"))
    assert url is not None
    database = Database(url)
    database.prepare()
    writer = Writer(database, environment)
    for shard in range(shards):
        writer.set_position(shard, 0, is_complete=True)
    now_ms = round(time.time() * 1000)
    slices = days * _DAY_MS // SLICE
    first = runs - math.ceil(runs / slices)
    for start in range(first, runs, _PER_BATCH):
        end = min(start + _PER_BATCH, runs)
        writer.write(RowBatch([a_run(environment, number, runs, now_ms, days) for number in range(start, end)]), 0)
    database.close()
    with closing(sqlite3.connect(unfinished)) as raw:  # the file must hold what its log holds
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    repeat_slice(unfinished, slices)
    os.replace(unfinished, path)
    unfinished.with_name(f"{unfinished.name}.lock").unlink(missing_ok=True)
    return path


def a_run(environment: str, number: int, runs: int, now_ms: int, days: int = DAYS) -> Rows:
    """Return the rows of one run. The same number is the same run."""
    chance = random.Random(number)
    kind = chance.choices(KINDS, [each.share for each in KINDS])[0]
    finished = now_ms - round((runs - number) / runs * days * _DAY_MS) - chance.randrange(60_000)
    took = round(kind.took * chance.lognormvariate(0, 0.6))
    waited = round(chance.lognormvariate(4, 1.5))
    started = finished - took
    fields: dict[str, Any] = {
        "task": kind.id,
        "status": "COMPLETED",
        "queue": kind.queue,
        "class": f"{kind.machine}.process",
        "created": started - waited,
        "started": started,
        "attempt_started": started,
        "finished": finished,
        "max_attempts": 3,
        "attempt": 1,
        "claim": 1,
        "node": f"worker-{chance.randrange(10)}@host.1234.abcdef",
        "payload": json.dumps({"order_id": f"o_{number}", "customer": {"id": number % 4000, "vip": not number % 97}}),
        "output": json.dumps({"url": f"https://shop.example/{number}.pdf"}),
        "tags": json.dumps([f"customer-{number % 4000}", chance.choice(("eu", "us", "apac"))]),
        "version": f"2026.11.{30 - (now_ms - finished) // _DAY_MS}",
    }
    fields |= dict(_further(chance, kind, number))
    encoded = {name: str(value).encode() for name, value in fields.items()}
    return rows_of(environment, f"run_00{started - waited:011x}{chance.getrandbits(80):020x}", 1, encoded)


def _further(chance: random.Random, kind: Kind, number: int) -> Iterator[tuple[str, Any]]:
    if chance.random() < kind.bad and kind.errors:
        yield "status", chance.choices(["FAILED", "TIMED_OUT", "CRASHED"], [90, 7, 3])[0]
        yield "error", _error(*chance.choice(kind.errors), chance.randrange(1000))
    elif chance.random() < 0.002:
        yield "status", "CANCELED"
    if chance.random() < 0.05:
        yield "parent", f"run_p{number // 50:030x}"
        yield "root", f"run_p{number // 50:030x}"
    if chance.random() < 0.05:
        yield "batch", f"batch_{number // 5000}"
    if kind.id in ("stock-sync", "search-reindex", "payout-reconcile"):
        yield "schedule", f"sched_{kind.id}"
    if chance.random() < 0.001:
        yield "test", 1
    if chance.random() < 0.1:
        yield "key", f"order-{number}"


def _error(kind: str, message: str, place: str, number: int) -> str:
    file, line, name = place.split(":")
    frame = f'  File "/app/{file}", line {line}, in {name}\n    return client.send(request)\n'
    message = message.format(n=number, name="DHL")
    text = f"Traceback (most recent call last):\n{frame}{kind}: {message}\n"
    return json.dumps({"type": kind, "message": message, "traceback": text})


def main() -> None:
    """Make the file that is named, and print its size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--environment", default="dev")
    parser.add_argument("--shards", type=int, default=1)
    options = parser.parse_args()
    began = time.perf_counter()
    path = made_history(options.path, options.environment, options.runs, options.shards)
    size = path.stat().st_size / 1_000_000
    Console().print(f"{path}: {size:,.0f} MB, made in {time.perf_counter() - began:,.0f} s")


if __name__ == "__main__":
    main()
