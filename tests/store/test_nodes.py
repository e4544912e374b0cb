"""Limits, reservations and nodes: who may start what, and what happens when a node dies."""

import json
import threading
from datetime import timedelta

import pytest

from taskflow.definition.queue import QueueLimits
from taskflow.errors import NodeUnregisteredError, RunNotClaimableError
from taskflow.models import AttemptOutcome, RunStatus
from taskflow.store import operations
from taskflow.store.operations.operation import PER_PASS
from tests.support.bench import CLASS, ERROR, HEARTBEAT, LEASE, Bench, let_time_pass, make_bench

LARGE = "large-1x.process"


def shared(bench: Bench, class_name: str = CLASS) -> str:
    """Return the shared Celery queue of a class."""
    return f"{bench.config.environment}.{class_name}"


def test_a_queue_of_one_runs_in_order_one_at_a_time(bench: Bench) -> None:
    """The plainest limit."""
    bench.node()
    ids = [bench.trigger("q", limit=1) for _ in range(5)]
    for run_id in ids:
        assert bench.slots("q") == {run_id}
        bench.finish(bench.claim(run_id))
    assert bench.slots("q") == set()


def test_a_class_without_a_node_does_not_block_the_other_class(bench: Bench) -> None:
    """A queue shared by two machines goes on while one of them has no worker."""
    bench.node()
    first = bench.trigger("q", limit=1, class_name=LARGE)
    second = bench.trigger("q", limit=1)
    assert bench.slots("q") == {second}
    bench.node("large", class_name=LARGE)
    bench.finish(bench.claim(second))
    assert bench.slots("q") == {first}


def test_a_node_that_registers_gets_what_waited_for_its_class(bench: Bench) -> None:
    """Nobody triggers anything at that moment."""
    run_id = bench.trigger("q", limit=1)
    assert bench.slots("q") == set()
    bench.node()
    assert bench.slots("q") == {run_id}


def test_reservations_stay_within_twice_the_live_capacity(bench: Bench) -> None:
    """A run that is reserved but not started could have started elsewhere."""
    bench.node(capacity=2)
    ids = [bench.trigger("q", limit=50) for _ in range(10)]
    assert bench.slots("q") == set(ids[:4])
    bench.claim(ids[0])
    assert bench.slots("q") == set(ids[:5])


def test_reservations_of_a_class_that_lost_its_last_node_are_withdrawn(bench: Bench) -> None:
    """Slot back, place kept, and the old ticket refused."""
    bench.node("large", class_name=LARGE)
    bench.node()
    first = bench.trigger("q", limit=1, class_name=LARGE)
    second = bench.trigger("q", limit=1)
    bench.run(operations.nodes.unregister_node("large", AttemptOutcome.INTERRUPTED, ERROR))
    bench.upkeep()
    assert bench.slots("q") == {second}
    with pytest.raises(RunNotClaimableError):
        bench.run(operations.runs.claim_run(first, node_id="n1", reservation=1))
    bench.node("large-2", class_name=LARGE)
    bench.finish(bench.claim(second))
    assert bench.claim(first, "large-2").attempt_number == 1


def test_a_node_that_leaves_a_queue_alone_gives_its_reservations_back(bench: Bench) -> None:
    """It is full of waiting runs: one of those may need the slot that is reserved for a run it can't start."""
    bench.node()
    run_id = bench.trigger("q", limit=1)
    closed = operations.nodes.serve_queues("n1", [shared(bench)], capacity=0, classes=[CLASS])
    assert bench.run(closed) == 1
    bench.upkeep()
    assert bench.slots("q") == set()
    reopened = operations.nodes.serve_queues("n1", [shared(bench)], capacity=2, classes=[CLASS])
    assert bench.run(reopened) == 1
    assert bench.slots("q") == {run_id}
    bench.finish(bench.claim(run_id))


def test_a_node_that_drains_serves_no_queue_again(bench: Bench) -> None:
    """Its word that it has room crosses the one that it leaves."""
    bench.node()
    bench.run(operations.nodes.drain_node("n1"))
    assert bench.run(operations.nodes.serve_queues("n1", [shared(bench)], capacity=2, classes=[CLASS])) == 0
    bench.trigger("q", limit=1)
    assert bench.slots("q") == set()


def test_tickets_go_to_the_dedicated_queue_while_a_node_serves_it(bench: Bench) -> None:
    """The queue's own node has its limit as concurrency; without it the shared nodes take over."""
    bench.node()
    bench.node("own", queue="q", capacity=1)
    dedicated = bench.claim(bench.trigger("q", limit=1), "own")
    assert bench.published[-1].queue == f"{shared(bench)}.q"
    bench.run(operations.nodes.unregister_node("own", AttemptOutcome.INTERRUPTED, ERROR))
    assert bench.published[-1].queue == shared(bench)
    assert bench.published[-1].run_id == dedicated.run_id


def test_runs_of_a_dead_node_start_again_when_its_lease_ends(bench: Bench) -> None:
    """The lost attempt is kept, with its reason."""
    bench.node()
    bench.node("n2")
    claimed = bench.claim(bench.trigger("q", limit=1))
    bench.upkeep()
    for _ in range(3):
        bench.pass_time(HEARTBEAT.total_seconds())
        bench.run(operations.nodes.heartbeat_node("n2", lease=LEASE))
        bench.upkeep()
    assert bench.status(claimed.run_id) is RunStatus.QUEUED
    again = bench.claim(claimed.run_id, "n2")
    attempts = bench.run(operations.runs.read_run(claimed.run_id)).attempts
    assert [(attempt.outcome, attempt.node) for attempt in attempts] == [(AttemptOutcome.LOST, "n1"), (None, "n2")]
    assert again.failed_attempts == 0


def test_a_pause_of_the_store_takes_no_run_away(bench: Bench) -> None:
    """Nobody could renew anything meanwhile: every node gets a full lease first. The same when the clock jumps."""
    bench.node()
    claimed = bench.claim(bench.trigger())
    bench.upkeep()
    for jump in (3600, -7200):
        bench.pass_time(jump)
        bench.upkeep()
        assert bench.status(claimed.run_id) is RunStatus.EXECUTING
        bench.run(operations.nodes.heartbeat_node("n1", lease=LEASE))
    assert bench.finish(claimed) is RunStatus.COMPLETED


def test_a_dead_nodes_runs_start_again_a_heartbeat_after_a_pause(bench: Bench) -> None:
    """Its lease has ended meanwhile. Living nodes renew theirs within a heartbeat."""
    bench.node()
    bench.node("n2")
    lost, kept = bench.claim(bench.trigger()), bench.claim(bench.trigger(), "n2")
    bench.upkeep()
    bench.pass_time(60)
    bench.upkeep()
    bench.beat("n2")
    bench.pass_time(HEARTBEAT.total_seconds() + 0.1)
    bench.upkeep()
    assert (bench.status(lost.run_id), bench.status(kept.run_id)) == (RunStatus.QUEUED, RunStatus.EXECUTING)


def upkeep_of(bench: Bench) -> frozenset[str]:
    """Return the upkeep that is due for a node that comes anew, and have it done."""
    ask = operations.nodes.take_tick("n9", heartbeat=HEARTBEAT, sweep=LEASE, hold=timedelta(seconds=2))
    due = bench.run(ask).due
    bench.run(operations.nodes.release_tick("n9"))
    if "nodes" in due:
        bench.run(operations.nodes.reap_nodes(LEASE, HEARTBEAT, ERROR))
    if "clock" in due:
        for index in (":timers", ":delayed"):
            assert bench.run(operations.nodes.follow_clock(index, "0")) == "0"
    return due


def test_nothing_of_ours_waits_for_a_clock_that_was_set_back(one_bench: Bench) -> None:
    """An hour: leases, upkeep, retries, tickets and rates go on. An instant that a user has named is by the clock."""
    bench = one_bench
    bench.node()
    bench.node("n2")
    limited = QueueLimits(rate_count=1, rate_period=timedelta(seconds=5))
    bench.finish(bench.claim(bench.trigger("rated", limit=limited)))
    rated = bench.trigger("rated", limit=limited)
    lost, failed = bench.claim(bench.trigger()), bench.claim(bench.trigger())
    retry = operations.runs.retry_run(failed.run_id, failed.claim, ERROR, timedelta(seconds=20))
    assert bench.run(retry) is RunStatus.REATTEMPTING
    named = bench.trigger(due=timedelta(seconds=30))
    taken = bench.trigger()
    upkeep_of(bench)
    bench.redis("SET", bench.key("tick"), "killed", "PX", 3_600_000)  # its expiry was set back as well
    bench.pass_time(-3600)
    for _ in range(10):
        bench.pass_time(HEARTBEAT.total_seconds())
        bench.beat("n2")
        upkeep_of(bench)
        while bench.run(operations.nodes.promote_runs()) or bench.run(operations.nodes.fire_timers()):
            continue
    assert {bench.status(run_id) for run_id in (lost.run_id, failed.run_id, rated)} == {RunStatus.QUEUED}
    assert bench.field(rated, "slot") == "rated"
    assert bench.status(named) is RunStatus.DELAYED
    assert shared(bench) in bench.run(operations.nodes.read_ticket_queues())
    bench.run(operations.nodes.republish_tickets(shared(bench), 0))
    assert [ticket.run_id for ticket in bench.published].count(taken) == 2


def test_unclaimed_tickets_are_published_again_ever_more_rarely(bench: Bench) -> None:
    """Under the same number, and only while the broker holds fewer messages than there are reservations."""
    bench.node()
    run_id = bench.trigger()
    queue = shared(bench)

    def published_after(seconds: float, broker_length: int = 0) -> int:
        bench.pass_time(seconds)
        return bench.run(operations.nodes.republish_tickets(queue, broker_length))

    assert published_after(29) == 0
    assert published_after(2, broker_length=1) == 0
    assert published_after(1) == 1
    assert published_after(59) == 0
    assert published_after(2) == 1
    assert {(ticket.run_id, ticket.reservation) for ticket in bench.published} == {(run_id, 1)}
    bench.claim(run_id)
    assert published_after(3600) == 0


def test_tickets_that_a_dead_node_had_taken_are_published_at_once(bench: Bench) -> None:
    """Without waiting for their time."""
    bench.node()
    ids = {bench.trigger() for _ in range(3)}
    bench.published.clear()
    bench.run(operations.nodes.unregister_node("n1", AttemptOutcome.LOST, ERROR))
    bench.pass_time(0.01)
    assert bench.run(operations.nodes.read_ticket_queues()) == [shared(bench)]
    assert bench.run(operations.nodes.republish_tickets(shared(bench), 0)) == 3
    assert {ticket.run_id for ticket in bench.published} == ids


def test_a_slot_that_no_run_holds_is_swept_and_given_on(bench: Bench) -> None:
    """A bug or a lost write may have left it there."""
    bench.node()
    bench.redis("SADD", bench.key("queue:q:slots"), "run_ghost")
    run_id = bench.trigger("q", limit=1)
    assert bench.slots("q") == {"run_ghost"}
    assert bench.run(operations.nodes.sweep_slots("0")) == ("0", 1)
    assert bench.slots("q") == {run_id}


def test_one_node_has_the_tick_at_a_time(bench: Bench) -> None:
    """The others wait; when the work is done nothing is due for a while."""
    tick = [
        operations.nodes.take_tick(name, heartbeat=HEARTBEAT, sweep=LEASE, hold=timedelta(seconds=2))
        for name in ("n1", "n2")
    ]
    assert bench.run(tick[0]).due
    assert not bench.run(tick[1]).due
    bench.run(operations.nodes.release_tick("n1"))
    bench.upkeep()
    bench.run(operations.nodes.sweep_slots("0"))
    quiet = bench.run(tick[1])
    assert (quiet.due, 0 < quiet.wait_ms <= 3000) == (frozenset(), True)


def test_an_earlier_due_time_wakes_upkeep(bench: Bench) -> None:
    """Or a run delayed by a second would wait for a node that sleeps for three."""
    bench.trigger(due=timedelta(seconds=60))
    bench.trigger(due=timedelta(seconds=90))
    assert bench.redis("XLEN", bench.key("wake")) == 1
    bench.trigger(due=timedelta(seconds=30))
    assert bench.redis("XLEN", bench.key("wake")) == 2


def test_a_limit_holds_while_many_threads_trigger_and_finish(one_bench: Bench) -> None:
    """Exact, not nearly."""
    one_bench.node(capacity=100)
    worst: list[int] = []
    done: list[str] = []

    def work() -> None:
        for _ in range(20):
            one_bench.trigger("q", limit=3)
            for run_id in list(one_bench.slots("q")):
                try:
                    claimed = one_bench.claim(run_id)
                except RunNotClaimableError:
                    continue
                worst.append(len(one_bench.slots("q")))
                one_bench.finish(claimed)
                done.append(run_id)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while slots := one_bench.slots("q"):
        for run_id in slots:
            one_bench.finish(one_bench.claim(run_id))
            done.append(run_id)
    assert max(worst) <= 3
    assert len(done) == len(set(done)) == 120


@pytest.mark.parametrize(
    "payload",
    ['"quote \\" back\\\\slash"', '"@RUN@ @QUEUE@ %1"', '"' + "ü" * 1100 + '"', '"a\\u0000b"', '"' + "€" * 333 + 'x"'],
)
def test_a_pushed_ticket_is_json_whatever_the_payload(one_bench: Bench, payload: str) -> None:
    """The script builds the message by substitution: nothing in a payload may break out of its place."""
    for made in make_bench(one_bench.server):
        pushing = made.config.__class__(made.config.url, made.config.environment, push_prefix="")
        store = made.store.__class__(pushing)  # type: ignore[call-arg]  # the blocking shell
        template = '{"id":"@RUN@","n":@RESERVATION@,"q":"@QUEUE@","tag":"@TAG@","args":@ARGS@}'
        store.run(operations.making.declare({"t": template}, {}, by_worker=True))
        made.store = store
        run_id = made.trigger(payload=payload.encode())
        message = json.loads(made.redis("RPOP", shared(made)))
        assert (message["id"], message["n"], message["q"]) == (run_id, 1, shared(made))
        assert message["args"].removesuffix("...") in payload


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
