"""Canceled runs: their children, and the slot of a claim whose reply was lost."""

import pytest

from taskflow.errors import RunNotClaimableError
from taskflow.models import RunError, RunStatus
from taskflow.store import operations
from tests.support.bench import Bench

REASON = RunError("Canceled", "Canceled by user")


def test_children_of_a_canceled_run_can_be_canceled_once(bench: Bench) -> None:
    """Those that have ended are left alone."""
    bench.node()
    parent = bench.trigger()
    queued, done = bench.trigger(parent_id=parent), bench.trigger(parent_id=parent)
    bench.finish(bench.claim(done))
    bench.run(operations.runs.cancel_run(parent, REASON))
    assert bench.run(operations.runs.cancel_children(parent, REASON)) == [queued]
    assert bench.run(operations.runs.cancel_children(parent, REASON)) == []
    assert (bench.status(queued), bench.status(done)) == (RunStatus.CANCELED, RunStatus.COMPLETED)


def test_a_run_canceled_before_its_claims_reply_arrived_gives_its_slot_back(bench: Bench) -> None:
    """The reply was lost, and the repeated claim is refused: no code runs, and none will."""
    bench.node()
    canceled, following = bench.trigger("a", limit=1), bench.trigger("a", limit=1)
    claim = operations.runs.claim_run(canceled, node_id="n1", reservation=1)
    bench.run(claim)
    bench.run(operations.runs.cancel_run(canceled, REASON))
    with pytest.raises(RunNotClaimableError):
        bench.run(claim)
    assert bench.slots("a") == {following}
