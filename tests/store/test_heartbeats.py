"""Trigger.dev's heartbeat scenarios (``heartbeats.test.ts``, ``dequeuing.test.ts``) as they are here."""

import pytest

from taskflow.errors import NodeUnregisteredError
from taskflow.models import AttemptOutcome, RunError, RunStatus
from taskflow.store import operations
from taskflow.store.wire import StoreConfig
from tests.support.bench import LEASE, Bench

REASON = RunError("Canceled", "Canceled by user")


def silence(bench: Bench, *living: str) -> None:
    """Let a lease pass, in which only these nodes are heard."""
    for _ in range(5):
        bench.pass_time(LEASE.total_seconds() / 4)
        for node in living:
            bench.beat(node)
        bench.upkeep()


def test_a_run_whose_ticket_was_taken_and_never_claimed_is_offered_again(bench: Bench) -> None:
    """Dequeued but never started: it stays QUEUED, and runs normally then."""
    bench.node()
    run_id = bench.trigger()
    bench.pass_time(31)
    queue = f"{bench.config.environment}.small-1x.process"
    assert bench.run(operations.nodes.republish_tickets(queue, 0)) == 1
    assert [(ticket.run_id, ticket.reservation) for ticket in bench.published] == [(run_id, 1)] * 2
    bench.beat("n1")
    bench.finish(bench.claim(run_id))
    assert bench.status(run_id) is RunStatus.COMPLETED


def test_a_ticket_that_a_node_without_a_lease_has_dropped_is_offered_again_soon(bench: Bench) -> None:
    """The node registers anew meanwhile. Its run does not wait for half a minute."""
    bench.node()
    run_id = bench.trigger()
    with pytest.raises(NodeUnregisteredError):
        bench.claim(run_id, "n0")
    bench.pass_time(1.1)
    assert bench.run(operations.nodes.read_ticket_queues()) == [f"{bench.config.environment}.small-1x.process"]
    assert bench.run(operations.nodes.republish_tickets(f"{bench.config.environment}.small-1x.process", 0)) == 1
    bench.finish(bench.claim(run_id))


def test_a_run_that_is_heard_of_executes_beyond_any_limit(bench: Bench) -> None:
    """A heartbeat is the node's, whatever its runs do."""
    bench.node()
    run_id = bench.trigger()
    bench.claim(run_id)
    for _ in range(3):
        silence(bench, "n1")
    assert bench.status(run_id) is RunStatus.EXECUTING


def test_a_run_that_is_not_heard_of_is_queued_and_fails_when_that_goes_on(bench: Bench) -> None:
    """Lost attempts have a budget of their own; max_attempts is not touched."""
    most = StoreConfig(bench.config.url, "e").max_lost
    run_id = bench.trigger("q", limit=1)
    for number in range(most + 1):
        bench.node(f"n{number}")
        bench.claim(run_id, f"n{number}")
        silence(bench)
        assert bench.status(run_id).is_finished is (number == most)
        bench.pass_time(300)
        bench.run(operations.nodes.promote_runs())
    run = bench.run(operations.runs.read_run(run_id))
    assert run.status is RunStatus.SYSTEM_FAILURE
    assert {attempt.outcome for attempt in run.attempts[:-1]} == {AttemptOutcome.LOST}
    assert bench.slots("q") == set()


def test_a_canceled_run_is_final_although_its_node_never_confirms(bench: Bench) -> None:
    """Its slot is free when the node is known to be gone, not before."""
    bench.node("n1")
    bench.node("n2")
    canceled, following = bench.trigger("q", limit=1), bench.trigger("q", limit=1)
    bench.claim(canceled)
    bench.run(operations.runs.cancel_run(canceled, REASON))
    assert bench.status(canceled) is RunStatus.CANCELED
    assert bench.slots("q") == {canceled}
    silence(bench, "n2")
    assert bench.slots("q") == {following}
    assert bench.status(canceled) is RunStatus.CANCELED


def test_a_run_that_its_node_gives_back_starts_again_at_once(bench: Bench) -> None:
    """A direct nack: slot and place, no attempt lost."""
    bench.node()
    first, second = bench.trigger("q", limit=1), bench.trigger("q", limit=1)
    claimed = bench.claim(first)
    bench.give_up(claimed, AttemptOutcome.INTERRUPTED)
    assert bench.slots("q") == {first}
    again = bench.claim(first)
    assert (again.attempt_number, again.failed_attempts) == (2, 0)
    bench.finish(again)
    assert bench.slots("q") == {second}
