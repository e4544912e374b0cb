"""Checks of the runs after the end of a drive."""

import contextlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from taskflow import AttemptOutcome, Run, RunNotFoundError, RunStatus, TaskFlow, runs
from taskflow.models import TRANSITIONS
from tests.faults.ledger import Ledger
from tests.faults.workload import Workload
from tests.support.servers import RedisServer

BAD_EVENTS = (
    "slots.swept", "run.broken", "pulse.failed", "upkeep.failed", "children.failed", "children.remain",
    "inbox.unknown", "node.leaving", "history.failed", "Exception in thread",
)  # fmt: skip
"""Log events of a failure within taskflow, which upkeep may have repaired."""


def read_runs(flow: TaskFlow, run_ids: Iterable[str]) -> dict[str, Run]:
    """Return the records of the runs that exist."""
    records: dict[str, Run] = {}
    with flow:
        for run_id in run_ids:
            with contextlib.suppress(RunNotFoundError):
                records[run_id] = runs.retrieve(run_id)
    return records


def check_ends(records: Mapping[str, Run], workload: Workload, ledger: Ledger) -> list[str]:
    """Check that every triggered run is final, and that no run exists whose trigger reported that it was not made."""
    certain = {*workload.certain, *(run_id for run_id, is_certain in ledger.made.items() if is_certain)}
    problems = [f"{run_id} is gone" for run_id in certain if run_id not in records]
    problems += [f"{run_id} is {run.status}" for run_id, run in records.items() if not run.is_finished]
    problems += [f"{run_id} was made though its trigger said no" for run_id in workload.refused if run_id in records]
    kept = [run_id for run_id in workload.canceled if run_id in records and not records[run_id].is_finished]
    return problems + [f"{run_id} was canceled and is {records[run_id].status}" for run_id in kept]


def check_statuses(server: RedisServer, bases: Sequence[str]) -> list[str]:
    """Check, by the stream of events, that every change of a status was legal and that no final one changed."""
    problems: list[str] = []
    statuses: dict[str, RunStatus] = {}
    finals: dict[str, int] = defaultdict(int)
    with contextlib.closing(server.client()) as client:
        entries = [entry for base in bases for entry in client.execute_command("XRANGE", f"{base}:events", "-", "+")]
    for _, fields in cast("list[tuple[str, list[str] | dict[str, str]]]", entries):
        values = fields if isinstance(fields, dict) else dict(zip(fields[::2], fields[1::2], strict=True))
        if values["kind"] != "status":
            continue
        run_id, after = values["run"], RunStatus(values["value"])
        before = statuses.get(run_id)
        if before is not None and after is not before and after not in TRANSITIONS[before]:
            problems.append(f"{run_id} went from {before} to {after}")
        finals[run_id] += after.is_finished
        statuses[run_id] = after
    return problems + [f"{run_id} became final {count} times" for run_id, count in finals.items() if count != 1]


def check_claims(records: Mapping[str, Run], ledger: Ledger) -> list[str]:
    """Check that no claim began twice, and that the store took neither output nor metadata of an older claim."""
    problems = list(ledger.twice)
    for run_id, run in records.items():
        over = {attempt.claim for attempt in run.attempts if attempt.outcome is not AttemptOutcome.COMPLETED}
        numbers = [attempt.number for attempt in run.attempts]
        if len(set(numbers)) != len(numbers):
            problems.append(f"{run_id} has attempts {numbers}")
        if run.status is not RunStatus.COMPLETED:
            continue
        claim = cast("dict[str, int]", run.output)["claim"]
        if claim <= max(over, default=0):
            problems.append(f"{run_id} has the output of claim {claim}, which was over")
        if run.metadata.get("claim") != claim:
            problems.append(f"{run_id} has metadata of claim {run.metadata.get('claim')}, the output is of {claim}")
    return problems


def check_budgets(records: Mapping[str, Run], max_lost: int) -> list[str]:
    """Check that no run had more failed or more lost attempts than its budgets allow."""
    problems: list[str] = []
    for run_id, run in records.items():
        failed = sum(attempt.outcome is AttemptOutcome.FAILED for attempt in run.attempts)
        lost = sum(attempt.outcome is AttemptOutcome.LOST for attempt in run.attempts)
        if failed > run.max_attempts:
            problems.append(f"{run_id} failed {failed} times of {run.max_attempts}")
        if lost > max_lost + 1:
            problems.append(f"{run_id} was lost {lost} times")
        if run.status is RunStatus.SYSTEM_FAILURE and lost <= max_lost:
            problems.append(f"{run_id} is SYSTEM_FAILURE after {lost} lost attempts")
    return problems


def check_failures(records: Mapping[str, Run]) -> list[str]:
    """Check that runs fail only because they were to fail, or because the store was away."""
    reasons = {"ConnectionError": "as told", "AbortRun": "as told", "StoreUnavailableError": ""}
    return [
        f"{run.id} of {run.task_id} failed: {run.error}"
        for run in records.values()
        if run.status is RunStatus.FAILED
        and run.error
        and reasons.get(run.error.type, "never") not in run.error.message
    ]


def check_hooks(records: Mapping[str, Run], ledger: Ledger) -> list[str]:
    """Check that the final hook of every run that has one ran."""
    hooked = [run for run in records.values() if run.task_id in ("f-hooked", "f-ahooked") and run.is_finished]
    return [f"the final hook of {run.id} ({run.status}) did not run" for run in hooked if not ledger.hooks[run.id]]


def check_logs(logs: Mapping[str, str]) -> list[str]:
    """Check that no node logged a failure within taskflow."""
    return [
        f"{name}: {line}"
        for name, log in logs.items()
        for line in log.splitlines()
        if any(e in line for e in BAD_EVENTS)
    ]
