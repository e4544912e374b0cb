"""A ledger of ticks: schedules due each second, nodes killed, the store's clock put forward and back.

``python -m tests.faults.schedules`` has ten nodes, 200 schedules, and kills a node every five seconds for a minute.
"""

import argparse
import contextlib
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from tests.faults.clock import ClockedServer
from tests.faults.ticking import Ticking, tick_runs
from tests.support.fleet import Fleet
from tests.support.waiting import wait_until

PERIOD = timedelta(seconds=1)
JUMP = 20.0
BACKLOG = 6.0
"""Seconds after the clock was put forward, in which the ticks that it jumped over are made up for first."""


@dataclass(frozen=True, slots=True)
class Drive:
    """The size of a drive."""

    seed: int
    nodes: int = 10
    schedules: int = 200
    seconds: float = 60.0
    kill_every: float = 5.0
    jumps: bool = True


@dataclass(slots=True)
class Result:
    """The result of a drive. ``problems`` is empty when each tick made exactly one run, which completed."""

    ticks: int = 0
    kills: int = 0
    late: list[float] = field(default_factory=list[float])
    behind: list[float] = field(default_factory=list[float])
    """The lateness of ticks around the clock's jump."""
    worst: dict[int, float] = field(default_factory=dict[int, float])
    """The lateness of the latest tick of each second."""
    events: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    """Kills and jumps, by the host's second."""
    skipped: int = 0
    problems: list[str] = field(default_factory=list[str])

    def __str__(self) -> str:
        late = sorted(self.late) or [0.0]
        parts = [late[int(share * (len(late) - 1))] for share in (0.5, 0.99, 1.0)]
        figures = " ".join(f"{name} {value:.3f} s" for name, value in zip(("p50", "p99", "max"), parts, strict=True))
        told = f"{self.ticks:,} ticks, {self.kills} nodes killed; lateness {figures}"
        around = f"around the jump of the clock, over {self.skipped:,} ticks: max {max(self.behind or [0.0]):.3f} s"
        return "\n".join([f"{told}; {around}", *self.problems])

    @property
    def p99(self) -> float:
        """The lateness that one tick in a hundred exceeds, in seconds."""
        late = sorted(self.late)
        return late[int(0.99 * (len(late) - 1))]


def drive(size: Drive, folder: Path) -> Result:
    """Have schedules fire on nodes that are killed, and compare the ticks with the runs."""
    with contextlib.ExitStack() as ends:
        store = ClockedServer(folder / "store", appendfsync="everysec")
        ends.callback(store.close)
        store.start()
        fleet = Fleet(folder, store.url, lease=3, heartbeat=1, tasks="tests.faults.tick_tasks", is_new=True)
        ends.callback(fleet.close)
        for _ in range(size.nodes):
            fleet.start_node(executor="async", concurrency=50, wait=False)
        for node in fleet.nodes:
            fleet.wait_for(node)
        ticking = Ticking(fleet.flow, "ledger-tick", size.schedules, [PERIOD])
        result = Result()
        jumped = _disturb(size, fleet, store, result)
        _check(ticking, fleet, store, jumped, result)
        return result


def _disturb(size: Drive, fleet: Fleet, store: ClockedServer, result: Result) -> list[tuple[float, float]]:
    """Kill nodes and move the clock. Return the spans of the store's time that were jumped over."""
    dice, nodes, jumped = random.Random(size.seed), list(fleet.nodes), list[tuple[float, float]]()
    began = time.monotonic()
    forward, back = (size.seconds * share for share in (0.3, 0.6)) if size.jumps and store.can_jump else (1e9, 1e9)
    next_kill = size.kill_every
    while (passed := time.monotonic() - began) < size.seconds:
        if passed >= forward:
            forward = 1e9
            jumped.append((time.time(), time.time() + JUMP))
            store.clock.jump(JUMP)
        if passed >= back:
            back = 1e9
            store.clock.jump(-JUMP)
        if passed >= next_kill:
            next_kill += size.kill_every
            place = dice.randrange(len(nodes))
            nodes[place].kill()
            nodes[place] = fleet.start_node(executor="async", concurrency=50, wait=False)
            result.kills += 1
            result.events.append((int(time.time()), f"killed {place}"))
        time.sleep(0.05)  # the pace of the driver, not a wait for luck
    return jumped


def _check(
    ticking: Ticking, fleet: Fleet, store: ClockedServer, jumped: list[tuple[float, float]], result: Result
) -> None:
    ticking.stop()
    with contextlib.closing(store.client()) as client:
        base = f"{{tf:{fleet.environment}:0}}"
        wait_until(lambda: client.execute_command("ZCARD", f"{base}:live") == 0, "all runs to end", timeout=60)
        runs = tick_runs(client, base)
    result.ticks, result.problems = len(ticking.expected()), ticking.problems(runs)
    for _, tick, created, _ in runs:
        if any(start <= tick / 1000 <= end for start, end in jumped):
            result.skipped += 1
        else:  # a tick just before a jump is made after it, by a clock that shows as much more
            over = sum(end - start for start, end in jumped if tick / 1000 < start and created / 1000 > end)
            late, second = (created - tick) / 1000 - over, tick // 1000
            is_behind = any(start - 1 <= tick / 1000 <= end + BACKLOG for start, end in jumped)
            (result.behind if is_behind else result.late).append(late)
            result.worst[second] = max(result.worst.get(second, 0.0), late)


def main() -> None:
    """Drive once, and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--nodes", type=int, default=10)
    parser.add_argument("--schedules", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--kill-every", type=float, default=5.0)
    parser.add_argument("--no-jumps", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="ticks-"))
    size = Drive(given.seed, given.nodes, given.schedules, given.seconds, given.kill_every, not given.no_jumps)
    result = drive(size, folder)
    print(f"{result}\nlogs: {folder}")
    if given.verbose:
        print("late seconds:", {second: late for second, late in sorted(result.worst.items()) if late > 0.5})
        print("events:", result.events)
    sys.exit(1 if result.problems else 0)


if __name__ == "__main__":
    main()
