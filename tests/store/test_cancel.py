"""Canceled runs: their children, and the slot of a claim whose reply was lost."""

import pytest

from taskflow.engine.effects import effect_of_cancel, perform_effect
from taskflow.errors import RunNotClaimableError
from taskflow.models import RunError, RunStatus
from taskflow.store import operations
from taskflow.store.operations.operation import PER_PASS
from taskflow.store.sync_store import Store
from tests.support.bench import Bench

REASON = RunError("Canceled", "Canceled by user")


def test_children_of_a_canceled_run_can_be_canceled_once(bench: Bench) -> None:
    """Those that have ended are left alone."""
    bench.node()
    parent = bench.trigger()
    queued, done = bench.trigger(parent_id=parent), bench.trigger(parent_id=parent)
    bench.finish(bench.claim(done))
    bench.run(operations.runs.cancel_run(parent, REASON))
    assert bench.run(operations.runs.cancel_children(parent, REASON)) == ([queued], 0)
    assert bench.run(operations.runs.cancel_children(parent, REASON)) == ([], 0)
    assert (bench.status(queued), bench.status(done)) == (RunStatus.CANCELED, RunStatus.COMPLETED)


def test_all_children_are_canceled_although_many_are_in_their_final_hooks(one_bench: Bench) -> None:
    """A pass that cancels fewer than it looks at is not the last one."""
    bench = one_bench
    bench.node(capacity=500)
    parent = bench.trigger()
    queued = [bench.trigger(parent_id=parent) for _ in range(PER_PASS)]
    settled = [bench.claim(bench.trigger(parent_id=parent)) for _ in range(PER_PASS)]
    for claimed in settled:
        bench.run(operations.runs.settle_run(claimed.run_id, claimed.claim, RunStatus.COMPLETED))
    bench.run(operations.runs.cancel_run(parent, REASON))
    assert isinstance(bench.store, Store)
    perform_effect(bench.store, 0, effect_of_cancel(parent))
    assert {bench.status(run_id) for run_id in queued} == {RunStatus.CANCELED}
    assert {bench.status(claimed.run_id) for claimed in settled} == {RunStatus.EXECUTING}


def test_a_child_that_is_triggered_while_the_others_are_canceled_is_canceled_as_well(bench: Bench) -> None:
    """The code of its parent has not stopped yet. The effect stays until there is no child."""
    bench.node()
    parent = bench.trigger()
    bench.claim(parent)
    bench.run(operations.runs.cancel_run(parent, REASON))
    assert bench.run(operations.runs.cancel_children(parent, REASON)) == ([], 0)
    late = bench.trigger(parent_id=parent)
    assert bench.run(operations.nodes.drop_effect(effect_of_cancel(parent))) == 0
    assert bench.run(operations.nodes.read_effects()) == [effect_of_cancel(parent)]
    assert bench.run(operations.runs.cancel_children(parent, REASON)) == ([late], 0)
    assert bench.run(operations.nodes.drop_effect(effect_of_cancel(parent))) == 1


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
