"""The judge of limits, computed from the times at which code executed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from taskflow import AttemptOutcome, Run, RunStatus
from tests.faults import tasks
from tests.faults.clock import StoreClock
from tests.faults.crew import Freeze
from tests.faults.ledger import Stint

STOP_SECONDS = 6.0
"""Heartbeat, cancel_grace and two seconds for a machine with other things to do."""


@dataclass(slots=True)
class Overlaps:
    """The limits' part of a drive's result.

    Attributes:
        late: Stints that went on after their claim had ended, as a frozen node's do until it wakes, with the reason.
        problems: Limits that were exceeded, and late stints without a reason.
    """

    late: list[str] = field(default_factory=list[str])
    problems: list[str] = field(default_factory=list[str])


def check_limits(
    stints: Sequence[Stint],
    runs: Mapping[str, Run],
    clock: StoreClock,
    freezes: Sequence[Freeze],
    outages: Sequence[tuple[float, float]],
    keyed: Mapping[str, str],
    environment: int | None,
    now: float,
) -> Overlaps:
    """Check that no more runs executed at a time than each limit allows."""
    overlaps = Overlaps()
    spans: list[tuple[str, float, float]] = []
    for stint in stints:
        ended = now if stint.ended is None else max(stint.ended, stint.began)
        over = _claim_over(stint, runs[stint.run_id], clock) or _slot_lost(
            stint, ended, runs[stint.run_id], clock, [*((one.since, one.until) for one in freezes), *outages]
        )
        if over is not None and over < ended:
            _explain(overlaps, stint, over, ended, freezes, outages)
            ended = max(over, stint.began)
        if ended > stint.began:
            spans.append((stint.run_id, stint.began, ended))

    for what, most, run_ids in _limits(runs, keyed, environment):
        alive = most_alive(span for span in spans if span[0] in run_ids)
        if len(alive) > most:
            overlaps.problems.append(f"{what}: {len(alive)} at a time, and the limit is {most}: {', '.join(alive)}")
    return overlaps


def _limits(
    runs: Mapping[str, Run], keyed: Mapping[str, str], environment: int | None
) -> Iterator[tuple[str, int, set[str]]]:
    """Yield each limit: its name, the number of runs at a time, and its runs. A limit counts for each key."""
    for queue, most in ((tasks.ONE, 1), (tasks.THREE, 3), (tasks.TENANTS, 1)):
        of_it = [run for run in runs.values() if run.queue == queue.name]
        for key in {run.concurrency_key for run in of_it}:
            if key is not None or queue is not tasks.TENANTS:
                yield f"queue {queue.name}, key {key}", most, {run.id for run in of_it if run.concurrency_key == key}
    yield "queue f-tenants in all", 3, {run.id for run in runs.values() if run.queue == tasks.TENANTS.name}
    if environment is not None:
        yield "environment", environment, set(runs)
    for key in set(keyed.values()):
        yield f"idempotency key {key}", 1, {run_id for run_id, of_it in keyed.items() if of_it == key}


def most_alive(spans: Iterable[tuple[str, float, float]]) -> list[str]:
    """Return the names of the spans (name, start, end) at the instant with the most of them."""
    changes = [change for name, began, ended in spans for change in ((began, 1, name), (ended, -1, name))]
    alive: list[str] = []
    most: list[str] = []
    for _, change, name in sorted(changes):
        if change < 0:
            alive.remove(name)
            continue
        alive.append(name)
        if len(alive) > len(most):
            most = list(alive)
    return most


def _claim_over(stint: Stint, run: Run, clock: StoreClock) -> float | None:
    """Return the time at which the store ended a stint's claim because its node was silent, None when it did not."""
    for attempt in run.attempts:
        if attempt.claim == stint.claim and attempt.outcome is AttemptOutcome.LOST and attempt.finished_at:
            times = [at for at in clock.host_times(attempt.finished_at.timestamp()) if at >= stint.began]
            return min(times, default=None)
    return None


def _slot_lost(
    stint: Stint, ended: float, run: Run, clock: StoreClock, absences: Sequence[tuple[float, float]]
) -> float | None:
    """Return the time from which a canceled or timed out run may have lost its slot before its code had stopped.

    Its record does not show this, because the run had ended before its node fell silent.
    """
    if run.status not in (RunStatus.CANCELED, RunStatus.TIMED_OUT) or run.finished_at is None:
        return None
    for finished in clock.host_times(run.finished_at.timestamp()):
        losses = [max(finished, since) for since, until in absences if since <= ended and until >= finished]
        if finished >= stint.began and losses:
            return min(losses)
    return None


def _explain(
    overlaps: Overlaps,
    stint: Stint,
    over: float,
    ended: float,
    freezes: Sequence[Freeze],
    outages: Sequence[tuple[float, float]],
) -> None:
    """Record a stint that went on without its claim, with the reason, and a problem when it stopped too late."""
    text = f"{stint.run_id} under claim {stint.claim} went on for {ended - over:.2f} s"
    frozen = [one.until for one in freezes if stint.pid in one.pids and one.since <= ended and one.until >= over]
    cut_off = [until for since, until in outages if since <= ended and until >= over - STOP_SECONDS]
    could_hear = max([over, *frozen, *cut_off])
    why = "frozen" if frozen else "cut off" if cut_off else "slow"
    overlaps.late.append(f"{text} ({why})")
    if ended - could_hear > STOP_SECONDS:
        overlaps.problems.append(f"{text}, {ended - could_hear:.2f} s of them when it could know ({why})")
