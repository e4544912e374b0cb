"""The fence: which claims of a run the store takes writes under. One rule for every operation that presents a claim."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import pytest

from taskflow.errors import StaleClaimError
from taskflow.execution.reporting.changes import Change
from taskflow.models import AttemptOutcome, RunStatus
from taskflow.seams.streams import StreamAddress
from taskflow.seams.waits import Waiter
from taskflow.store.operations.claims import ClaimedRun
from taskflow.store.operations.journal import suspend_run, write_journal
from taskflow.store.operations.operation import Operation
from taskflow.store.operations.runs import (
    cancel_run,
    finish_hooks,
    finish_run,
    give_up_run,
    retry_run,
    settle_run,
)
from taskflow.store.operations.streams import StreamLimits, append_items
from taskflow.store.operations.updates import add_tags, update_metadata
from taskflow.store.operations.waits import OpenedWait, close_waits, complete_item, read_waits, resume_run, wait_run
from tests.support.bench import ERROR, Bench

Write = Callable[[str, int], Operation[Any]]
STAYS: Final[dict[str, Write]] = {
    "read_waits": lambda run_id, claim: read_waits(run_id, ["w"], claim=claim),
    "wait_run, opening": lambda run_id, claim: wait_run(run_id, claim, [OpenedWait("x", 1)]),
    "wait_run, repeated": lambda run_id, claim: wait_run(run_id, claim, [], ["w"]),
    "close_waits": lambda run_id, claim: close_waits(run_id, claim, ["w"]),
    "write_journal": lambda run_id, claim: write_journal(run_id, claim, {"1": b"sstep\tone\n1"}),
    "update_metadata": lambda run_id, claim: update_metadata(
        run_id, claim, [Change("set", ("a",), "1")], writer="w", number=1
    ),
    "add_tags": lambda run_id, claim: add_tags(run_id, claim, ["tag"]),
    "append_items": lambda run_id, claim: append_items(
        StreamAddress(run_id, "stream", "s", claim), [b"1"], StreamLimits()
    ),
    "settle_run": lambda run_id, claim: settle_run(run_id, claim, RunStatus.COMPLETED, output=b"1"),
}
"""Writes after which the run executes on."""
ENDS: Final[dict[str, Write]] = {
    "finish_run": lambda run_id, claim: finish_run(run_id, claim, RunStatus.COMPLETED, output=b"1"),
    "retry_run": lambda run_id, claim: retry_run(run_id, claim, ERROR, timedelta(seconds=1)),
    "give_up_run": lambda run_id, claim: give_up_run(run_id, claim, AttemptOutcome.LOST, ERROR),
}
"""Writes that end the attempt."""
WRITES: Final = STAYS | ENDS


def is_taken(bench: Bench, write: Operation[Any]) -> bool:
    """Run a write. Returns False when the store refuses it: most raise then, some return it."""
    try:
        return bench.run(write) is not False
    except StaleClaimError:
        return False


def parked(bench: Bench, run_id: str) -> ClaimedRun:
    """Claim a run and let it wait."""
    claimed = bench.claim(run_id)
    assert bench.run(wait_run(run_id, claimed.claim, [OpenedWait("w", 1)], ["w"])) == "WAITING"
    return claimed


def resumed(bench: Bench) -> ClaimedRun:
    """Let a run wait and go on. Returns it with the claim that its code knows: the store has the next one."""
    bench.node()
    claimed = parked(bench, bench.trigger())
    bench.run(complete_item(Waiter(claimed.run_id, "w"), b"1"))
    assert bench.status(claimed.run_id) is RunStatus.EXECUTING
    assert bench.field(claimed.run_id, "claim") == str(claimed.claim + 1)
    return claimed


@pytest.mark.parametrize("name", WRITES)
def test_code_that_has_not_read_the_claim_of_its_resume_may_write(bench: Bench, name: str) -> None:
    """It may end, or tell something, in the moment before it does; it is the only code of the run."""
    claimed = resumed(bench)
    assert is_taken(bench, WRITES[name](claimed.run_id, claimed.claim))
    assert (bench.status(claimed.run_id) is RunStatus.EXECUTING) == (name in STAYS)


@pytest.mark.parametrize("name", ENDS)
def test_an_end_under_the_claim_before_a_resume_can_be_repeated(bench: Bench, name: str) -> None:
    """Its reply may be lost, like any other's; it counts once."""
    claimed = resumed(bench)
    bench.run(ENDS[name](claimed.run_id, claimed.claim))
    status = bench.status(claimed.run_id)
    if name != "give_up_run":  # which is never repeated in this state: it raises, and the run starts again
        bench.run(ENDS[name](claimed.run_id, claimed.claim))
    assert bench.status(claimed.run_id) is status


@pytest.mark.parametrize("name", WRITES)
def test_after_the_next_claim_nothing_is_taken_under_those_before(bench: Bench, name: str) -> None:
    """Other code has it: neither the claim of the resume is good any more, nor the one before."""
    claimed = resumed(bench)
    bench.run(give_up_run(claimed.run_id, claimed.claim + 1, AttemptOutcome.LOST, ERROR))
    new = bench.claim(claimed.run_id)
    assert new.claim > claimed.claim + 1
    for claim in (claimed.claim, claimed.claim + 1):
        assert not is_taken(bench, WRITES[name](claimed.run_id, claim))
    assert is_taken(bench, WRITES[name](claimed.run_id, new.claim))


@pytest.mark.parametrize("name", WRITES)
def test_after_a_second_resume_the_claim_before_the_first_is_over(bench: Bench, name: str) -> None:
    """Code reads each new claim before it can wait again: a write under an older one is a late repetition."""
    claimed = resumed(bench)
    bench.run(wait_run(claimed.run_id, claimed.claim + 1, [OpenedWait("v", 1)], ["v"]))
    bench.run(complete_item(Waiter(claimed.run_id, "v"), b"1"))
    assert not is_taken(bench, WRITES[name](claimed.run_id, claimed.claim))
    assert is_taken(bench, WRITES[name](claimed.run_id, claimed.claim + 1))


@pytest.mark.parametrize("name", WRITES)
def test_the_claim_of_another_node_is_nobody_elses(bench: Bench, name: str) -> None:
    """It was no resume, even where it follows the old one by one: the run was lost while it waited."""
    bench.node()
    run_id = bench.trigger()
    old = parked(bench, run_id)
    bench.run(give_up_run(run_id, old.claim, AttemptOutcome.LOST, ERROR))
    bench.node("n2")
    bench.pass_time(-1)
    new = bench.claim(run_id, "n2")
    assert new.claim == old.claim + 1
    assert not is_taken(bench, WRITES[name](run_id, old.claim))
    assert is_taken(bench, WRITES[name](run_id, new.claim))


def test_a_run_that_waits_again_is_neither_unloaded_nor_resumed_under_the_claim_before(bench: Bench) -> None:
    """Such a call is a late repetition: it was about the wait before this one."""
    claimed = resumed(bench)
    bench.run(wait_run(claimed.run_id, claimed.claim + 1, [OpenedWait("v", 1)], ["v"], is_durable=True))
    assert not bench.run(suspend_run(claimed.run_id, claimed.claim))
    bench.run(resume_run(claimed.run_id, claimed.claim))
    assert bench.status(claimed.run_id) is RunStatus.WAITING
    assert bench.run(suspend_run(claimed.run_id, claimed.claim + 1))


def test_a_run_that_is_canceled_after_its_resume_gives_its_slot_back(bench: Bench) -> None:
    """Its code is stopped before it reads the claim of the resume, and says so under the one before."""
    bench.node()
    run_id = bench.trigger("q", limit=1)
    claimed = parked(bench, run_id)
    bench.run(complete_item(Waiter(run_id, "w"), b"1"))
    bench.run(cancel_run(run_id, ERROR))
    assert bench.slots("q") == {run_id}
    bench.run(finish_hooks(run_id, claimed.claim))
    assert bench.slots("q") == set()
