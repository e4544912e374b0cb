"""Waits: a run gives its slot back while it waits, and goes on exactly once, at its old place."""

from datetime import timedelta

import pytest

from taskflow.errors import StaleClaimError
from taskflow.models import AttemptOutcome, RunError, RunStatus
from taskflow.seams.waits import Waiter
from taskflow.store import operations
from taskflow.store.operations.claims import ClaimedRun
from taskflow.store.operations.waits import (
    OpenedWait,
    close_waits,
    complete_item,
    read_waits,
    resume_run,
    wait_run,
)
from tests.support.bench import ERROR, LEASE, Bench


def parked(bench: Bench, run_id: str, *waits: OpenedWait, pid: int = 0, node: str = "n1") -> ClaimedRun:
    """Claim a run and let it wait."""
    claimed = bench.claim(run_id, node, pid=pid)
    assert bench.run(wait_run(run_id, claimed.claim, waits, [wait.name for wait in waits])) == "WAITING"
    return claimed


def inbox(bench: Bench, node: str = "n1") -> list[tuple[str, str, int]]:
    """Return what a node is told."""
    beat = bench.run(operations.nodes.heartbeat_node(node, lease=LEASE))
    return [(entry.kind, entry.run_id, entry.claim) for entry in beat]


def complete(bench: Bench, run_id: str, wait: str = "w", index: int = 0, value: bytes = b"1") -> None:
    """Complete an item."""
    bench.run(complete_item(Waiter(run_id, wait, index), value))


def test_a_waiting_run_gives_its_slot_back_and_goes_on_under_a_new_claim(bench: Bench) -> None:
    bench.node()
    first, second = bench.trigger("q", limit=1), bench.trigger("q", limit=1)
    claimed = parked(bench, first, OpenedWait("w", 1))
    assert bench.status(first) is RunStatus.WAITING
    other = bench.claim(second)  # it has the slot now
    complete(bench, first)
    assert bench.status(first) is RunStatus.QUEUED
    assert inbox(bench) == []
    bench.finish(other)
    assert bench.status(first) is RunStatus.EXECUTING
    assert inbox(bench) == [("resume", first, claimed.claim + 1)]
    done = bench.run(read_waits(first, ["w"]))
    assert (done.claim, done.values) == (claimed.claim + 1, {"w": (b"1",)})
    claimed.claim += 1
    assert bench.finish(claimed) is RunStatus.COMPLETED


def test_it_goes_on_before_younger_runs_of_its_queue(bench: Bench) -> None:
    bench.node()
    first, second, third = (bench.trigger("q", limit=1) for _ in range(3))
    parked(bench, first, OpenedWait("w", 1))
    other = bench.claim(second)
    complete(bench, first)
    bench.finish(other)
    assert (bench.status(first), bench.status(third)) == (RunStatus.EXECUTING, RunStatus.QUEUED)
    assert not bench.field(third, "ticket")


def test_a_queue_without_limits_lets_it_go_on_at_once(bench: Bench) -> None:
    bench.node()
    run_id = bench.trigger()
    claimed = parked(bench, run_id, OpenedWait("w", 1), pid=77)
    complete(bench, run_id)
    assert bench.status(run_id) is RunStatus.EXECUTING
    assert bench.client.lrange(bench.key(f"resumed:{run_id}"), 0, -1) == [str(claimed.claim + 1)]


def test_items_count_once_and_the_last_one_wakes_the_run_once(bench: Bench) -> None:
    bench.node()
    run_id = bench.trigger()
    parked(bench, run_id, OpenedWait("w", 3))
    for index in (0, 0, 2, 2, 0):
        complete(bench, run_id, index=index, value=str(index).encode())
    assert bench.status(run_id) is RunStatus.WAITING
    complete(bench, run_id, index=1)
    complete(bench, run_id, index=1)
    assert [kind for kind, *_ in inbox(bench)] == ["resume"]
    assert bench.run(read_waits(run_id, ["w"])).values == {"w": (b"0", b"1", b"2")}


def test_what_is_done_before_the_run_waits_lets_it_go_on(bench: Bench) -> None:
    bench.node()
    run_id = bench.trigger("q", limit=1)
    claimed = bench.claim(run_id)
    assert bench.run(wait_run(run_id, claimed.claim, [OpenedWait("w", 1)])) == "OPEN"
    complete(bench, run_id)
    assert bench.run(wait_run(run_id, claimed.claim, [], ["w"])) == "DONE"
    assert bench.status(run_id) is RunStatus.EXECUTING


def test_time_ends_a_wait(bench: Bench) -> None:
    bench.node()
    run_id = bench.trigger()
    parked(bench, run_id, OpenedWait("w", 1, timedelta(seconds=60)))
    bench.pass_time(59)
    bench.beat("n1")
    bench.upkeep()
    assert bench.status(run_id) is RunStatus.WAITING
    bench.pass_time(2)
    bench.upkeep()
    assert bench.status(run_id) is RunStatus.EXECUTING


def test_the_end_of_a_run_wakes_all_that_wait_for_it(bench: Bench) -> None:
    """Also one that begins to wait when it has ended."""
    bench.node()
    parents = [bench.trigger() for _ in range(3)]
    for parent in parents[:2]:
        parked(bench, parent, OpenedWait("w", 1))
    child = bench.trigger(waiter=Waiter(parents[0], "w"), idempotency_key="one")
    assert bench.trigger(waiter=Waiter(parents[1], "w"), idempotency_key="one") == child
    bench.finish(bench.claim(child))
    for parent in parents[:2]:
        value = bench.run(read_waits(parent, ["w"])).values["w"][0]
        assert value == f'{{"run":"{child}","status":"COMPLETED","output":"x","error":null}}'.encode()
    claimed = bench.claim(parents[2])
    bench.run(wait_run(parents[2], claimed.claim, [OpenedWait("w", 1)]))
    assert bench.trigger(waiter=Waiter(parents[2], "w"), idempotency_key="one") == child
    assert bench.run(wait_run(parents[2], claimed.claim, [], ["w"])) == "DONE"


@pytest.mark.parametrize("end", ["cancel", "expire"])
def test_a_child_that_never_starts_wakes_its_parent(bench: Bench, end: str) -> None:
    bench.node()
    parent = bench.trigger()
    parked(bench, parent, OpenedWait("w", 1))
    child = bench.trigger(waiter=Waiter(parent, "w"), ttl=timedelta(seconds=1))
    if end == "cancel":
        bench.run(operations.runs.cancel_run(child, RunError("Canceled", "enough")))
    else:
        bench.pass_time(2)
        bench.upkeep()
    value = bench.run(read_waits(parent, ["w"])).values["w"][0]
    assert (b'"CANCELED"' if end == "cancel" else b'"EXPIRED"') in value
    assert bench.status(parent) is RunStatus.EXECUTING


def test_a_child_takes_its_parents_place(bench: Bench) -> None:
    bench.node()
    parent = bench.trigger("p", limit=1)
    claimed = bench.claim(parent)
    blocker, newer = bench.trigger("q", limit=1), bench.trigger("q", limit=1)
    child = bench.trigger("q", limit=1, waiter=Waiter(parent, "w", place=claimed.place))
    bench.finish(bench.claim(blocker))
    assert bench.field(child, "ticket")
    assert not bench.field(newer, "ticket")


def test_a_parent_and_its_child_share_a_limit_of_one(bench: Bench) -> None:
    bench.node()
    parent = bench.trigger("q", limit=1)
    claimed = parked(bench, parent, OpenedWait("w", 1))
    child = bench.trigger("q", limit=1, waiter=Waiter(parent, "w", place=claimed.place))
    bench.finish(bench.claim(child))
    assert bench.status(parent) is RunStatus.EXECUTING


def test_a_node_that_dies_starts_what_waited_there_again_without_its_waits(bench: Bench) -> None:
    bench.upkeep()
    bench.node()
    run_id = bench.trigger("q", limit=1)
    parked(bench, run_id, OpenedWait("w", 1, timedelta(hours=1)))
    bench.node("n2")
    for _ in range(5):
        bench.pass_time(2.5)
        bench.beat("n2")
        bench.upkeep()
    assert bench.status(run_id) is RunStatus.QUEUED
    complete(bench, run_id)  # a wait of the attempt before: it must not disturb
    claimed = bench.claim(run_id, "n2")
    assert claimed.attempt_number == 2
    assert bench.run(wait_run(run_id, claimed.claim, [OpenedWait("w", 1)], ["w"])) == "WAITING"


def test_a_canceled_waiting_run_is_over_at_once_and_its_code_is_told(bench: Bench) -> None:
    bench.node()
    for completed in (False, True):
        run_id, other = bench.trigger("q", limit=1), bench.trigger("q", limit=1)
        claim = parked(bench, run_id, OpenedWait("w", 1)).claim
        holder = bench.claim(other)
        if completed:
            complete(bench, run_id)  # it waits for its slot now
        bench.run(operations.runs.cancel_run(run_id, RunError("Canceled", "enough")))
        assert bench.status(run_id) is RunStatus.CANCELED
        assert ("cancel", run_id, claim) in inbox(bench)
        bench.finish(holder)
        assert bench.status(run_id) is RunStatus.CANCELED


def test_code_that_gives_its_waits_up_goes_on(bench: Bench) -> None:
    bench.node()
    run_id = bench.trigger()
    claimed = parked(bench, run_id, OpenedWait("w", 1, timedelta(hours=1)))
    assert bench.run(resume_run(run_id, claimed.claim))
    assert bench.status(run_id) is RunStatus.EXECUTING
    assert bench.run(close_waits(run_id, claimed.claim + 1, ["w"]))
    complete(bench, run_id)
    assert bench.run(read_waits(run_id, ["w"])).values == {}
    assert bench.client.zcard(bench.key("timers")) == 0


def test_time_spent_waiting_does_not_count_as_computing(bench: Bench) -> None:
    bench.node()
    run_id = bench.trigger(max_duration=timedelta(seconds=10))
    claimed = bench.claim(run_id)
    bench.pass_time(4)
    bench.run(wait_run(run_id, claimed.claim, [OpenedWait("w", 1)], ["w"]))
    for _ in range(10):
        bench.pass_time(5)
        bench.beat("n1")
        bench.upkeep()
    complete(bench, run_id)
    bench.pass_time(5)
    bench.upkeep()
    assert bench.status(run_id) is RunStatus.EXECUTING
    bench.pass_time(4)
    bench.upkeep()
    assert bench.status(run_id) is RunStatus.TIMED_OUT


def test_a_retried_attempt_forgets_what_it_waited_for(bench: Bench) -> None:
    bench.node()
    run_id = bench.trigger()
    claimed = bench.claim(run_id)
    bench.run(wait_run(run_id, claimed.claim, [OpenedWait("w", 2)]))
    bench.run(operations.runs.retry_run(run_id, claimed.claim, ERROR, timedelta(0)))
    assert not bench.client.exists(bench.key(f"waits:{run_id}"))
    bench.finish(bench.claim(run_id))


def test_an_attempt_that_ends_while_it_waits_has_ended(bench: Bench) -> None:
    """Its code knows better: a wait may be abandoned in a race with what completes it."""
    bench.node()
    run_id = bench.trigger("q", limit=1)
    claimed = parked(bench, run_id, OpenedWait("w", 1))
    assert bench.finish(claimed) is RunStatus.COMPLETED
    assert not bench.client.exists(bench.key(f"waits:{run_id}"))
    other = bench.trigger("q", limit=1)
    bench.finish(bench.claim(other))


def test_a_node_that_leaves_has_what_waits_there_start_again_as_interrupted(bench: Bench) -> None:
    bench.node()
    run_id = bench.trigger()
    parked(bench, run_id, OpenedWait("w", 1))
    assert bench.run(operations.nodes.unregister_node("n1", AttemptOutcome.INTERRUPTED, ERROR)) == 0
    assert bench.status(run_id) is RunStatus.QUEUED


def test_runs_that_are_waited_for_get_tickets_of_their_own(bench: Bench) -> None:
    bench.node(subtasks=True)
    parent = bench.trigger()
    parked(bench, parent, OpenedWait("w", 2))
    for queue, limit in (("task/t", None), ("limited", 1)):
        child = bench.trigger(queue, limit=limit, waiter=Waiter(parent, "w"))
        assert bench.field(child, "ticket") == f"{bench.config.environment}.small-1x.process@"


def reaped(bench: Bench) -> None:
    """Let the lease of n1 end while n2 lives."""
    bench.node("n2")
    for _ in range(5):
        bench.pass_time(2.5)
        bench.beat("n2")
        bench.upkeep()


@pytest.mark.parametrize("durable", [False, True])
def test_code_whose_node_was_reaped_does_not_take_the_claim_of_another_node(bench: Bench, durable: bool) -> None:
    """It looks whether it may go on, sees an executing run with a newer claim, and must not write under that."""
    bench.upkeep()
    bench.node()
    run_id = bench.trigger("q", limit=1)
    old = bench.claim(run_id)
    assert bench.run(wait_run(run_id, old.claim, [OpenedWait("w", 1)], ["w"], is_durable=durable)) == "WAITING"
    reaped(bench)
    complete(bench, run_id)
    bench.pass_time(-60)
    new = bench.claim(run_id, "n2")
    assert new.claim == old.claim + 1
    with pytest.raises(StaleClaimError):
        bench.run(read_waits(run_id, ["w"], claim=old.claim))
    assert bench.run(read_waits(run_id, ["w"], claim=new.claim)).status is RunStatus.EXECUTING


def test_a_wait_whose_reply_was_lost_while_it_was_done_goes_on(bench: Bench) -> None:
    """The repeated call comes under a claim that the resume has replaced."""
    bench.node()
    run_id = bench.trigger("q", limit=1)
    claimed = parked(bench, run_id, OpenedWait("w", 1))
    complete(bench, run_id)
    assert bench.status(run_id) is RunStatus.EXECUTING
    assert bench.run(wait_run(run_id, claimed.claim, [], ["w"])) == "WAITING"
    done = bench.run(read_waits(run_id, ["w"], claim=claimed.claim))
    assert (done.status, done.claim, done.values) == (RunStatus.EXECUTING, claimed.claim + 1, {"w": (b"1",)})
    bench.run(wait_run(run_id, done.claim, [OpenedWait("x", 1)], ["x"]))
    complete(bench, run_id, "x")
    with pytest.raises(StaleClaimError):
        bench.run(wait_run(run_id, claimed.claim, [], ["w"]))


def test_a_run_that_is_waited_for_starts_although_older_ones_of_its_queue_can_not(bench: Bench) -> None:
    """A node full of waiting runs takes only such: what waits there for it would wait for ever otherwise."""
    bench.node(subtasks=True)
    parent = bench.trigger()
    parked(bench, parent, OpenedWait("w", 1))
    shared = f"{bench.config.environment}.small-1x.process"
    bench.run(operations.nodes.serve_queues("n1", [shared], capacity=0, classes=["small-1x.process"]))
    for key in (None, "k"):
        older = bench.trigger("q", limit=1, concurrency_key=key)
        canceled, child = (
            bench.trigger("q", limit=1, concurrency_key=key, waiter=Waiter(parent, "w")) for _ in range(2)
        )
        assert (bench.field(canceled, "ticket"), bench.field(older, "ticket")) == (f"{shared}@", "")
        bench.run(operations.runs.cancel_run(canceled, RunError("Canceled", "enough")))
        bench.finish(bench.claim(child))
        bench.run(operations.nodes.serve_queues("n1", [shared], capacity=10, classes=["small-1x.process"]))
        bench.finish(bench.claim(older))
        bench.run(operations.nodes.serve_queues("n1", [shared], capacity=0, classes=["small-1x.process"]))
    assert not bench.client.keys(bench.key("queue:q:pending:*")) + bench.client.keys(bench.key("queue:q:count:*"))


@pytest.mark.parametrize("limit", [None, 1])
def test_an_older_run_that_is_waited_for_from_now_on_starts_on_a_node_full_of_waiting_runs(
    bench: Bench, limit: int | None
) -> None:
    """Its idempotency key led to it."""
    bench.node(subtasks=True)
    parent = bench.trigger("p")
    parked(bench, parent, OpenedWait("w", 1))
    shared = f"{bench.config.environment}.small-1x.process"
    bench.run(operations.nodes.serve_queues("n1", [shared], capacity=0, classes=["small-1x.process"]))
    older = bench.trigger("q", limit=limit)
    child = bench.trigger("q", limit=limit, idempotency_key="one")
    for _ in range(2):
        assert bench.trigger("q", limit=limit, idempotency_key="one", waiter=Waiter(parent, "w")) == child
        assert bench.field(child, "ticket") == f"{shared}@"
    assert bench.field(older, "ticket") != f"{shared}@"
    bench.finish(bench.claim(child))
    assert bench.status(parent) is RunStatus.EXECUTING
