"""Writes under older claims, like those of a node that missed the newer claim. The store must refuse every one."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from taskflow import AttemptOutcome, RunError, RunNotFoundError, RunStatus, StoreUnavailableError
from taskflow.errors import StaleClaimError
from taskflow.execution.reporting.changes import Change
from taskflow.seams.streams import StreamAddress
from taskflow.store import operations
from taskflow.store.operations.operation import Operation
from taskflow.store.operations.streams import StreamLimits
from taskflow.store.operations.waits import OpenedWait
from taskflow.store.sync_store import Store
from tests.faults.ledger import Stint, read_ledger

MOST = 10
LIMITS = StreamLimits()
ERROR = RunError("Forged", "A write under a claim that is over.")


def forge(store: Store, ledger: Path) -> tuple[int, list[str]]:
    """Try stale writes of every kind to the newest runs that have been claimed again.

    Returns:
        The number of refused writes, and a problem for each write that was accepted.
    """
    refused, problems = 0, list[str]()
    for run_id, claim in list(_stale(ledger))[-MOST:]:
        for name, write in _writes(run_id, claim).items():
            try:
                was_taken = store.run_for(run_id, write())
            except (StaleClaimError, RunNotFoundError):
                was_taken = False
            except StoreUnavailableError:  # the thread that heals the store waits for this call
                return refused, problems
            if was_taken is False:  # some operations return False instead of raising
                refused += 1
            else:
                problems.append(f"{name} of {run_id} under claim {claim}, which was over, was taken")
    return refused, problems


def _stale(ledger: Path) -> Iterator[tuple[str, int]]:
    """Yield runs, each with a claim that has ended: of an earlier attempt, or from before its last wait but one.

    The claim before a resume is good until the next one, because the code may not have read the new number yet.
    """
    stints: dict[str, list[Stint]] = defaultdict(list)
    for stint in read_ledger(ledger, {}).stints:
        stints[stint.run_id].append(stint)
    for run_id, of_it in stints.items():
        first, last = of_it[0], of_it[-1]
        if first.claim < last.claim - 1 or (first.claim < last.claim and first.attempt < last.attempt):
            yield run_id, first.claim


def _writes(run_id: str, claim: int) -> dict[str, Callable[[], Operation[Any]]]:
    forged = b'{"claim":0,"attempt":0}'
    change, place = Change("set", ("claim",), "0"), StreamAddress(run_id, "stream", "tale", claim)
    return {
        "finish_run": lambda: operations.runs.finish_run(run_id, claim, RunStatus.COMPLETED, output=forged),
        "settle_run": lambda: operations.runs.settle_run(run_id, claim, RunStatus.COMPLETED, output=forged),
        "retry_run": lambda: operations.runs.retry_run(run_id, claim, ERROR, timedelta(0)),
        "give_up_run": lambda: operations.runs.give_up_run(run_id, claim, AttemptOutcome.LOST, ERROR),
        "finish_hooks": lambda: operations.runs.finish_hooks(run_id, claim),
        "update_metadata": lambda: operations.updates.update_metadata(
            run_id, claim, [change], writer="forger", number=1
        ),
        "write_journal": lambda: operations.journal.write_journal(run_id, claim, {"0.1": b"sstep\tforged\nnull"}),
        "suspend_run": lambda: operations.journal.suspend_run(run_id, claim),
        "unload_run": lambda: operations.journal.unload_run(run_id, claim),
        # Not with a wait of its own: the call could be a repetition, which is answered as before and writes nothing.
        "wait_run": lambda: operations.waits.wait_run(run_id, claim, [OpenedWait("forged", 1)]),
        "append_items": lambda: operations.streams.append_items(place, [b'{"started":0,"number":0}'], LIMITS),
    }
