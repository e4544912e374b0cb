"""Three tenants with 5,000, 50 and 1 queued runs in one limited queue: checks each limit, and that the rate is reached.

``python -m benchmarks.tenants`` (about a minute). Per key 2 at a time, 4 in all, 100 starts a second of each key. The
tasks themselves write their starts and ends. Exits 1 when a limit was exceeded, the throughput is more than 10% below
the rate, or the single run did not start within one pass.
"""

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.__main__ import Bench

TENANTS: Final = {"many": 5000, "some": 50, "single": 1}
PER_KEY, TOTAL, RATE = 2, 4, 100
SECONDS: Final = 0.002
console = Console(width=None if sys.stdout.isatty() else 110)


class Line(NamedTuple):
    """A line that a run wrote."""

    what: str
    tenant: str
    at: float


class Finding(NamedTuple):
    """The result of one check."""

    what: str
    found: str
    wanted: str
    is_good: bool


def main() -> int:
    """Run the tenants and print the results."""
    with tempfile.TemporaryDirectory(prefix="tfb-") as folder:
        bench = Bench(Path(folder))
        try:
            lines = _run(bench)
        finally:
            bench.close()
    findings = _findings(sorted(lines, key=lambda line: line.at))
    table = Table("what", "found", "wanted", "")
    for finding in findings:
        table.add_row(finding.what, finding.found, finding.wanted, "ok" if finding.is_good else "MISSED")
    console.print(table)
    return 0 if all(finding.is_good for finding in findings) else 1


def _run(bench: Bench) -> list[Line]:
    os.environ["TASKFLOW_DATABASE_URL"] = "none"
    from benchmarks.bench_tasks import tenant  # reads the environment made above
    from taskflow import BatchItem

    bench.reset()  # the task is registered: its runs are queued, not PENDING_VERSION
    for key, count in TENANTS.items():
        tenant.batch_trigger([BatchItem(SECONDS, concurrency_key=key) for _ in range(count)])
    pool = ("-P", "custom", "-c", "20")
    queue, runs = "dev.small-1x.async", sum(TENANTS.values())
    with bench.worker("taskflow.fleet", queue, *pool), bench.worker("taskflow.fleet", queue, *pool):
        bench.wait_for_marks(2 * runs, 2 * runs / RATE)
    return [Line(what, key, int(at) / 1e9) for what, key, at in map(str.split, bench.marks.read_text().splitlines())]


def _findings(lines: Sequence[Line]) -> list[Finding]:
    starts = [line for line in lines if line.what == "start"]
    counts = Counter(line.tenant for line in starts)
    many = [line.at for line in starts if line.tenant == "many"]
    allowed = RATE + RATE * (many[-1] - many[0])  # a full bucket at first, then one token every 10 ms
    reached = len(many) / allowed
    steady = (len(many) - RATE) / (many[-1] - many[0])
    before = next(place for place, line in enumerate(starts) if line.tenant == "single")
    most = {tenant: _most([line for line in lines if line.tenant == tenant]) for tenant in TENANTS}
    return [
        Finding("runs started once", f"{dict(counts)}", f"{TENANTS}", counts == TENANTS),
        Finding("starts before the single run's", str(before), f"at most {TOTAL}", before <= TOTAL),
        Finding("starts/s of the large tenant", f"{steady:.1f}", f"{RATE}", reached >= 0.9),
        Finding("part of the starts that the rate allows", f"{reached:.1%}", "90% to 100%", 0.9 <= reached <= 1.001),
        Finding("most at a time, of a tenant", str(most), f"at most {PER_KEY}", max(most.values()) <= PER_KEY),
        Finding("most at a time, of all", str(_most(lines)), f"at most {TOTAL}", _most(lines) <= TOTAL),
    ]


def _most(lines: Sequence[Line]) -> int:
    alive = most = 0
    for line in lines:
        alive += 1 if line.what == "start" else -1
        most = max(most, alive)
    return most


if __name__ == "__main__":
    sys.exit(main())
