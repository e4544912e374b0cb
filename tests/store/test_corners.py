"""Corners that a review found: each was a run that stood still, ran twice, or a slot that leaked."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from taskflow.definition.calls.debounce import Debounce
from taskflow.definition.queue import Queue, QueueLimits
from taskflow.errors import NodeUnregisteredError, RunNotClaimableError
from taskflow.models import AttemptOutcome, RunError, RunStatus
from taskflow.store import operations
from taskflow.store.operations.making import NewRun, declare
from taskflow.store.operations.queues import control_queue
from taskflow.store.operations.runs import PER_PASS
from taskflow.store.wire import new_run_id
from tests.store.conftest import CLASS, ERROR, HEARTBEAT, LEASE, Bench

REASON = RunError("Canceled", "Canceled by user")


def let_time_pass(bench: Bench, *nodes: str, turns: int = 6) -> None:
    """Let upkeep do what it does within a quarter of a minute."""
    for _ in range(turns):
        bench.pass_time(2.5)
        for node in nodes:
            bench.beat(node)
        bench.upkeep()
        bench.sweep()


def settled(bench: Bench, **options: Any) -> tuple[str, int]:
    """Return a run that has completed and is in its final hooks, and its claim."""
    bench.run(declare_hooks())
    bench.node()
    claimed = bench.claim(bench.trigger("q", limit=1, **options))
    bench.run(operations.runs.settle_run(claimed.run_id, claimed.claim, RunStatus.COMPLETED, output=b"1"))
    return claimed.run_id, claimed.claim


def declare_hooks() -> operations.runs.Operation[int]:
    """Say that task t has final hooks."""

    return declare({}, {}, by_worker=True, final_hooks={"t": True})


def test_a_node_that_dies_while_it_leaves_loses_none_of_its_runs(one_bench: Bench) -> None:
    """It gives them up in parts; the reaper goes on where it stopped."""
    bench = one_bench
    bench.node()
    ids = [bench.trigger() for _ in range(PER_PASS + 1)]
    for run_id in ids:
        bench.claim(run_id)
    bench.run(operations.nodes.unregister_node("n1", AttemptOutcome.INTERRUPTED, ERROR))
    bench.node("n2")
    let_time_pass(bench, "n2", turns=3)
    assert {bench.status(run_id) for run_id in ids} == {RunStatus.QUEUED}


def test_a_node_whose_runs_are_being_taken_is_told_so(one_bench: Bench) -> None:
    """However late its heartbeat comes: it must stop its code and register anew."""
    bench = one_bench
    bench.upkeep()
    bench.node()
    ids = [bench.trigger() for _ in range(PER_PASS + 1)]
    for run_id in ids:
        bench.claim(run_id)
    reap = operations.nodes.reap_nodes(LEASE, HEARTBEAT, ERROR)
    for _ in range(20):
        bench.pass_time(HEARTBEAT.total_seconds())
        if bench.run(reap) == PER_PASS:
            break
    with pytest.raises(NodeUnregisteredError):
        bench.beat("n1")
    with pytest.raises(NodeUnregisteredError):
        bench.claim(bench.trigger())


def test_a_run_in_its_final_hooks_neither_times_out_nor_is_canceled_nor_tried_again(bench: Bench) -> None:
    """It has ended, whatever becomes of the hooks and of their child."""
    run_id, claim = settled(bench, max_duration=timedelta(seconds=5))
    let_time_pass(bench, "n1")
    assert bench.status(run_id) is RunStatus.EXECUTING
    assert not bench.run(operations.runs.cancel_run(run_id, REASON))
    assert bench.run(operations.runs.retry_run(run_id, claim, ERROR, timedelta(0))) is RunStatus.COMPLETED
    assert bench.claim(run_id).ended is RunStatus.COMPLETED
    run_id, claim = settled(bench)
    crashed = operations.runs.finish_run(run_id, claim, RunStatus.CRASHED, error=ERROR, hooks_left=True)
    assert bench.run(crashed) is RunStatus.COMPLETED


def cancel(bench: Bench, run_id: str) -> None:
    """Cancel a run that has a ticket."""
    bench.run(operations.runs.cancel_run(run_id, REASON))


def defer(bench: Bench, run_id: str) -> None:
    """Pause the queue of a run that has a ticket, and let a node find out."""
    bench.run(control_queue("a", "pause"))
    with pytest.raises(RunNotClaimableError):
        bench.claim(run_id)


@pytest.mark.parametrize("leave", [cancel, defer])
def test_room_that_others_leave_is_taken_by_a_concurrency_key(
    one_bench: Bench, leave: Callable[[Bench, str], None]
) -> None:
    """Not only at a claim: canceled and paused runs leave room in their class, too."""
    bench = one_bench
    bench.node(capacity=1)
    before = [bench.trigger("a", limit=10) for _ in range(2)]
    keyed = bench.trigger("b", limit=1, concurrency_key="k")
    assert not bench.field(keyed, "ticket")
    for run_id in before:
        leave(bench, run_id)
    assert bench.field(keyed, "ticket")


def test_keys_of_canceled_runs_do_not_stand_before_one_that_can_start(one_bench: Bench) -> None:
    """However many there are, in a class without a node or behind a total limit."""
    bench = one_bench
    for run_id in [bench.trigger("a", limit=1, concurrency_key=f"k{number}") for number in range(1200)]:
        bench.run(operations.runs.cancel_run(run_id, REASON))
    alive = bench.trigger("b", limit=1, concurrency_key="k")
    bench.node()
    let_time_pass(bench, "n1", turns=2)
    assert bench.field(alive, "ticket")
    limits = Queue("c", concurrency_limit=1, total_limit=1).limits
    holder = bench.claim(bench.trigger("c", limit=limits))
    for run_id in [bench.trigger("c", limit=limits, concurrency_key=f"k{number}") for number in range(300)]:
        bench.run(operations.runs.cancel_run(run_id, REASON))
    last = bench.trigger("c", limit=limits, concurrency_key="last")
    bench.finish(holder)
    assert bench.field(last, "ticket")


def test_a_batch_may_debounce(bench: Bench) -> None:
    """Its items' arguments stand elsewhere in the call."""
    debounce = Debounce("k", 5)
    news = [
        NewRun(new_run_id(0), "t", b"1", None, "q", CLASS, 1, due=debounce.delay, debounce=debounce) for _ in range(2)
    ]
    (first, is_new), (second, is_also_new) = bench.run(operations.batches.trigger_runs(news))
    assert (first == second, is_new, is_also_new) == (True, True, False)


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


def test_rates_of_keys_that_come_no_more_are_forgotten(one_bench: Bench) -> None:
    """A tenant that left must not cost memory for ever."""
    bench = one_bench
    bench.node()
    limits = Queue("q", rate_limit="1/s").limits
    for number in range(3):
        bench.trigger("q", limit=limits, concurrency_key=f"k{number}")
    keys = bench.redis("KEYS", bench.key("queue:q:rates*"))
    assert len(keys) == 3
    assert all(0 < bench.redis("PTTL", key) <= 1000 for key in keys)


def test_a_freed_environment_slot_goes_to_whoever_can_use_it(bench: Bench) -> None:
    """Not to a queue whose runs were canceled meanwhile."""
    bench.node()
    bench.redis("HSET", bench.key("environment"), "limit", 1)
    first, canceled, last = bench.trigger("a"), bench.trigger("b"), bench.trigger("c")
    bench.run(operations.runs.cancel_run(canceled, REASON))
    bench.finish(bench.claim(first))
    assert bench.field(last, "ticket")


def test_a_queue_whose_rate_was_raised_forgets_its_old_debt(bench: Bench) -> None:
    """One in ten hours, declared anew as a hundred a second."""

    bench.node()
    slow = QueueLimits(rate_count=1, rate_period=timedelta(hours=10))
    first, second = bench.trigger("a", limit=slow), bench.trigger("a", limit=slow)
    bench.finish(bench.claim(first))
    fast = QueueLimits(rate_count=100, rate_period=timedelta(seconds=1))
    bench.run(declare({}, {"a": fast}, by_worker=True))
    let_time_pass(bench, "n1", turns=2)
    assert bench.field(second, "ticket")


def test_a_task_id_with_colons_does_not_name_another_queues_key(bench: Bench) -> None:
    """``task/a:slots`` is a queue, and no set of slots."""
    bench.node()
    bench.claim(bench.trigger("task/a", limit=1))
    odd = bench.trigger("task/a:slots", limit=1)
    assert bench.field(odd, "ticket")


def test_a_debounced_trigger_keeps_its_idempotency_key(bench: Bench) -> None:
    """Repeated after the run has ended, it is still that run."""
    bench.node()
    debounce = Debounce("k", 5)
    first = bench.trigger(idempotency_key="K1", due=debounce.delay, debounce=debounce)
    assert bench.trigger(idempotency_key="K2", due=debounce.delay, debounce=debounce) == first
    bench.pass_time(6)
    bench.beat("n1")
    bench.upkeep()
    bench.finish(bench.claim(first))
    assert bench.trigger(idempotency_key="K2", due=debounce.delay, debounce=debounce) == first


def test_the_sweep_heals_the_slots_of_concurrency_keys(bench: Bench) -> None:
    """A run whose record is gone, also one of a queue whose name has a colon, must not keep its key from running."""
    bench.node()
    for queue in ("q", "task/a:b"):
        lost, waiting = (bench.trigger(queue, limit=QueueLimits(per_key=1), concurrency_key="k") for _ in range(2))
        assert not bench.field(waiting, "ticket")
        bench.redis("DEL", bench.key(f"run:{lost}"))
        bench.sweep()
        assert bench.field(waiting, "ticket"), queue


def test_a_reservation_that_was_withdrawn_gives_its_rates_token_back(bench: Bench) -> None:
    """Else a class that loses its worker costs a queue of one a day its day."""
    bench.node("n1")
    run_id = bench.trigger("q", limit=Queue("q", rate_limit="1/d").limits)
    assert bench.field(run_id, "ticket")
    bench.run(operations.nodes.unregister_node("n1", AttemptOutcome.INTERRUPTED, ERROR))
    bench.run(operations.nodes.withdraw_reservations())
    assert not bench.field(run_id, "ticket")
    bench.node("n2")
    bench.sweep()
    assert bench.field(run_id, "ticket")
    later = bench.trigger("q", limit=Queue("q", rate_limit="1/d").limits)
    assert not bench.field(later, "ticket")
