"""An attempt's outcome and the claim under which it is written."""

from datetime import UTC, datetime

from taskflow.errors import StaleClaimError
from taskflow.models import RunStatus
from taskflow.store.operations.claims import ClaimedRun
from taskflow.store.operations.nodes import HeldRun
from taskflow.worker.attempt.claimed import take_over

AT = datetime(2026, 1, 1, tzinfo=UTC)


def a_claim(number: int) -> ClaimedRun:
    """Return what a node has claimed."""
    return ClaimedRun("r", number, 1, 0, 3, AT, AT, b"1", (), None, "q", "small-1x")


def held(claim: int, *, run_id: str = "r", pid: int = 7) -> HeldRun:
    """Return a run as the store says that the node holds it."""
    return HeldRun(run_id, claim, pid, RunStatus.EXECUTING, "t", 0, 3, "small-1x.process")


def test_code_that_ends_while_its_run_goes_on_takes_the_new_claim_over() -> None:
    """The run would be executing for good otherwise: its claim is the node's, and no code has it."""
    claimed = a_claim(1)
    assert take_over(claimed, StaleClaimError("r", 1, "STALE"), [held(3, run_id="s"), held(2)], 7)
    assert claimed.claim == 2


def test_the_claim_of_other_code_is_not_taken_over() -> None:
    """Another node's, another child's, or that of a run which has ended."""
    stale = StaleClaimError("r", 1, "STALE")
    assert not take_over(a_claim(1), stale, [], 7)
    assert not take_over(a_claim(1), stale, [held(2, pid=8)], 7)
    assert not take_over(a_claim(1), StaleClaimError("r", 1, "CANCELED"), [held(2)], 7)


def test_a_claim_that_was_heard_of_meanwhile_is_enough() -> None:
    """The message that a coroutine goes on may overtake the refusal."""
    assert take_over(a_claim(2), StaleClaimError("r", 1, "STALE"), [], 0)
