"""The life of a run in the store, through both shells, on Redis 7 and Valkey."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from taskflow.definition.queue import QueueLimits
from taskflow.errors import NodeUnregisteredError, RunNotClaimableError, RunNotFoundError, StaleClaimError
from taskflow.models import AttemptOutcome, RunStatus
from taskflow.store import operations
from taskflow.store.operations.operation import Operation
from taskflow.store.wire import new_run_id
from tests.support.bench import ERROR, HEARTBEAT, LEASE, Bench
from tests.support.permanent_keys import is_permanent


def test_a_run_is_claimed_and_completed(bench: Bench) -> None:
    """The plain path."""
    bench.node()
    run_id = bench.trigger(tags=("a", "b"))
    assert [ticket.run_id for ticket in bench.published] == [run_id]
    claimed = bench.claim(run_id)
    assert (claimed.attempt_number, claimed.payload, claimed.tags) == (1, b'{"a":1}', ("a", "b"))
    assert bench.finish(claimed) is RunStatus.COMPLETED
    run = bench.run(operations.runs.read_run(run_id))
    assert (run.status, run.output, run.attempts[0].outcome) == (RunStatus.COMPLETED, "x", AttemptOutcome.COMPLETED)


def test_records_of_a_list_are_read_at_once(bench: Bench) -> None:
    """Each as alone; runs that the shard does not know are left out."""
    bench.node()
    claimed = bench.claim(bench.trigger(tags=("a",)))
    bench.finish(claimed)
    queued = bench.trigger()
    found = bench.run(operations.runs.read_runs([queued, new_run_id(0), claimed.run_id, "no run"]))
    assert found == [bench.run(operations.runs.read_run(run_id)) for run_id in (queued, claimed.run_id)]
    assert (found[1].status, found[1].output) == (RunStatus.COMPLETED, "x")


def test_triggering_again_under_one_id_makes_one_run(bench: Bench) -> None:
    """A lost reply is repeated with the same id."""
    run_id = new_run_id(0)
    bench.trigger(id=run_id)
    bench.trigger(id=run_id)
    assert len(bench.published) == 1
    assert bench.redis("ZCARD", bench.key("live")) == 1


def test_one_of_many_racing_nodes_claims_a_run(one_bench: Bench) -> None:
    """However often the broker delivers a ticket, only one node gets the run."""
    for number in range(16):
        one_bench.node(f"n{number}")
    run_id = one_bench.trigger()

    def claim(number: int) -> int:
        try:
            return one_bench.claim(run_id, f"n{number}").claim
        except RunNotClaimableError:
            return 0

    with ThreadPoolExecutor(16) as pool:
        assert sorted(pool.map(claim, range(16))) == [0] * 15 + [int(one_bench.field(run_id, "claim"))]


def test_a_repeated_claim_gets_the_same_claim_and_a_second_ticket_none(bench: Bench) -> None:
    """A lost reply must not strand the run; a duplicate ticket on the same node must not start it twice."""
    bench.node()
    run_id = bench.trigger()
    claim = operations.runs.claim_run(run_id, node_id="n1", reservation=1)
    assert bench.run(claim).claim == bench.run(claim).claim
    with pytest.raises(RunNotClaimableError):
        bench.run(operations.runs.claim_run(run_id, node_id="n1", reservation=1))


def test_a_node_without_a_lease_claims_nothing(bench: Bench) -> None:
    """A reaped node must register anew before it runs anything."""
    run_id = bench.trigger()
    with pytest.raises(NodeUnregisteredError):
        bench.claim(run_id, "nobody")


def test_a_stale_claim_writes_nothing(bench: Bench) -> None:
    """Fencing: what a node says after its run was taken away is refused, whatever it says."""
    bench.node()
    run_id = bench.trigger()
    old = bench.claim(run_id)
    bench.give_up(old)
    new = bench.claim(run_id)
    assert new.claim > old.claim
    for write in (
        operations.runs.finish_run(run_id, old.claim, RunStatus.COMPLETED, output=b"1"),
        operations.runs.retry_run(run_id, old.claim, ERROR, timedelta(0)),
    ):
        with pytest.raises(StaleClaimError):
            bench.run(write)
    assert bench.give_up(old) is False
    assert bench.status(run_id) is RunStatus.EXECUTING


def test_finishing_again_under_the_same_claim_is_no_error(bench: Bench) -> None:
    """The reply of the first may have been lost."""
    bench.node()
    claimed = bench.claim(bench.trigger())
    assert bench.finish(claimed) is bench.finish(claimed) is RunStatus.COMPLETED
    assert bench.redis("XLEN", bench.key("finishes")) == 1


def test_a_final_status_never_changes(bench: Bench) -> None:
    """Neither by the claim that ended it nor by a cancel."""
    bench.node()
    claimed = bench.claim(bench.trigger())
    bench.finish(claimed)
    assert bench.run(operations.runs.cancel_run(claimed.run_id, ERROR)) is False
    with pytest.raises(StaleClaimError):
        bench.finish(claimed, RunStatus.FAILED)
    assert bench.status(claimed.run_id) is RunStatus.COMPLETED


def test_a_failed_attempt_is_kept_and_the_next_starts_when_due(bench: Bench) -> None:
    """A retry is a delayed run: it holds nothing meanwhile."""
    bench.node()
    claimed = bench.claim(bench.trigger())
    bench.run(operations.runs.retry_run(claimed.run_id, claimed.claim, ERROR, timedelta(seconds=5)))
    assert bench.status(claimed.run_id) is RunStatus.REATTEMPTING
    bench.upkeep()
    assert bench.status(claimed.run_id) is RunStatus.REATTEMPTING
    bench.pass_time(5.1)
    bench.upkeep()
    again = bench.claim(claimed.run_id)
    assert (again.attempt_number, again.failed_attempts) == (2, 1)
    attempts = bench.run(operations.runs.read_run(claimed.run_id)).attempts
    assert [attempt.outcome for attempt in attempts] == [AttemptOutcome.FAILED, None]
    assert attempts[0].error == ERROR


def lose(bench: Bench, run_id: str, *, after: float = 0) -> float:
    """Execute a run for some seconds and lose it. Return the seconds after which it could start again."""
    claimed = bench.claim(run_id)
    bench.pass_time(after)
    bench.beat("n1")
    bench.give_up(claimed)
    if bench.status(run_id) is not RunStatus.REATTEMPTING:
        return 0
    begin, due = bench.now[0], int(bench.field(run_id, "due")) * 1000
    bench.pass_time((due - begin) / 1_000_000)
    bench.beat("n1")
    bench.upkeep()
    return round((due - begin) / 1_000_000)


def test_lost_attempts_have_a_budget_of_their_own(bench: Bench) -> None:
    """A task that kills its worker must not do so for ever, and must not use its retries up either."""
    bench.node()
    run_id = bench.trigger(max_attempts=2)
    pauses = [lose(bench, run_id) for _ in range(bench.config.max_lost)]
    assert pauses == [0, 1, 2, 4, 8, 16, 32, 64, 128, 256]
    assert bench.status(run_id) is RunStatus.QUEUED
    last = bench.claim(run_id)
    assert last.failed_attempts == 0
    bench.give_up(last)
    assert bench.status(run_id) is RunStatus.SYSTEM_FAILURE


@pytest.mark.parametrize("seconds", [1, 300, 1800, 5400])
def test_a_run_that_is_lost_each_time_ends_however_long_it_takes(bench: Bench, seconds: int) -> None:
    """Otherwise it would take a process along every few minutes, for ever."""
    bench.node()
    run_id = bench.trigger()
    for _ in range(bench.config.max_lost + 1):
        assert not bench.status(run_id).is_finished
        lose(bench, run_id, after=seconds)
    assert bench.status(run_id) is RunStatus.SYSTEM_FAILURE


@pytest.mark.parametrize("hours, seconds", [(24 * 7, 5 * 3600), (26, 8 * 3600), (1.1, 10)])
def test_losses_that_lie_far_apart_do_not_add_up(bench: Bench, hours: float, seconds: float) -> None:
    """A run of many hours or waits survives the deaths of its nodes, and each time it starts again at once."""
    bench.node()
    run_id = bench.trigger()
    for _ in range(3 * bench.config.max_lost):
        assert lose(bench, run_id, after=seconds) <= 1
        bench.pass_time(hours * 3600 - seconds)
        bench.beat("n1")
        assert bench.status(run_id) is RunStatus.QUEUED
    assert len(bench.run(operations.runs.read_run(run_id)).attempts) == 3 * bench.config.max_lost


def test_a_run_that_was_lost_twice_keeps_its_place_and_holds_no_slot_meanwhile(bench: Bench) -> None:
    """It did nothing wrong, as far as anybody knows; and others need the slot."""
    bench.node()
    run_id = bench.trigger("q", limit=1)
    bench.give_up(bench.claim(run_id))
    claimed = bench.claim(run_id)
    others = [bench.trigger("q", limit=1) for _ in range(3)]
    bench.give_up(claimed)
    assert bench.status(run_id) is RunStatus.REATTEMPTING
    first = bench.claim(others[0])
    bench.pass_time(1)
    bench.upkeep()
    bench.finish(first)
    assert bench.slots("q") == {run_id}


def test_interrupted_attempts_count_against_nothing(bench: Bench) -> None:
    """A deploy must not use anything up."""
    bench.node()
    run_id = bench.trigger()
    for _ in range(bench.config.max_lost + 5):
        bench.give_up(bench.claim(run_id), AttemptOutcome.INTERRUPTED)
    assert bench.status(run_id) is RunStatus.QUEUED


@pytest.mark.parametrize("state", ["queued", "delayed", "reattempting", "pending"])
def test_a_run_that_does_not_execute_is_canceled_at_once(bench: Bench, state: str) -> None:
    """It leaves nothing behind."""
    bench.node()
    first = bench.trigger("q", limit=1)
    more: dict[str, Any] = {"due": timedelta(minutes=1)} if state == "delayed" else {}
    run_id = first if state == "reattempting" else bench.trigger("q" if state == "pending" else "task/t", **more)
    if state == "reattempting":
        bench.run(operations.runs.retry_run(run_id, bench.claim(run_id).claim, ERROR, timedelta(minutes=1)))
    assert bench.run(operations.runs.cancel_run(run_id, ERROR)) is True
    assert bench.run(operations.runs.cancel_run(run_id, ERROR)) is False
    assert bench.status(run_id) is RunStatus.CANCELED
    assert bench.redis("ZCARD", bench.key("delayed")) == 0
    with pytest.raises(RunNotClaimableError):
        bench.claim(run_id)


def test_a_canceled_run_keeps_its_slot_until_its_code_has_stopped(bench: Bench) -> None:
    """Or two would run at a time on a queue of one."""
    bench.node()
    claimed = bench.claim(bench.trigger("q", limit=1))
    waiting = bench.trigger("q", limit=1)
    bench.run(operations.runs.cancel_run(claimed.run_id, ERROR))
    assert bench.slots("q") == {claimed.run_id}
    inbox = bench.run(operations.nodes.heartbeat_node("n1", lease=LEASE))
    assert [(entry.kind, entry.run_id, entry.claim) for entry in inbox] == [("cancel", claimed.run_id, claimed.claim)]
    assert bench.run(operations.nodes.heartbeat_node("n1", lease=LEASE, handled=[inbox[0].id])) == []
    bench.give_up(claimed, AttemptOutcome.INTERRUPTED)
    assert bench.slots("q") == {waiting}
    assert bench.status(claimed.run_id) is RunStatus.CANCELED


def test_delayed_runs_start_in_the_order_of_their_time(bench: Bench) -> None:
    """Not in that of their triggers."""
    bench.node()
    late = bench.trigger("q", limit=1, due=timedelta(seconds=20))
    early = bench.trigger("q", limit=1, due=timedelta(seconds=10))
    assert bench.published == []
    bench.pass_time(30)
    bench.upkeep()
    assert bench.slots("q") == {early}
    bench.finish(bench.claim(early))
    assert bench.slots("q") == {late}


@pytest.mark.parametrize(
    "status, is_kept",
    [(RunStatus.COMPLETED, True), (RunStatus.FAILED, False), (RunStatus.CRASHED, False)],
)
def test_an_idempotency_key_outlives_success_only(bench: Bench, status: RunStatus, is_kept: bool) -> None:
    """A failed run may be triggered anew under its key."""
    bench.node()
    first = bench.trigger(idempotency_key="k")
    assert bench.trigger(idempotency_key="k") == first
    bench.finish(bench.claim(first), status)
    assert (bench.trigger(idempotency_key="k") == first) is is_kept


def test_an_idempotency_key_is_kept_after_a_cancel(bench: Bench) -> None:
    """Trigger.dev's rule."""
    first = bench.trigger(idempotency_key="k")
    bench.run(operations.runs.cancel_run(first, ERROR))
    assert bench.trigger(idempotency_key="k") == first


def test_an_unknown_run_is_said_to_be_unknown(bench: Bench) -> None:
    """Not an empty record."""
    unknown: list[Operation[Any]] = [operations.runs.read_run("run_x"), operations.runs.read_result("run_x")]
    for operation in unknown:
        with pytest.raises(RunNotFoundError):
            bench.run(operation)
    with pytest.raises(RunNotFoundError):
        bench.run(operations.runs.cancel_run("run_x", ERROR))
    with pytest.raises(RunNotClaimableError):
        bench.run(operations.runs.claim_run("run_x", node_id="n1", reservation=1))


def test_every_key_has_a_ttl_except_the_listed_ones(bench: Bench) -> None:
    """A key without a TTL and without an owner fills the store in the end."""
    bench.node()
    live = bench.trigger("q", limit=1, idempotency_key="live")
    done = bench.claim(bench.trigger(idempotency_key="done"))
    bench.finish(done)
    bench.claim(live)
    bench.run(operations.runs.cancel_run(live, ERROR))
    bench.trigger(due=timedelta(seconds=1))
    bench.upkeep()
    live_runs = {bench.key(f"run:{member}") for member in bench.redis("ZRANGE", bench.key("live"), 0, -1)}
    for key in bench.redis("KEYS", f"{bench.config.base(0)}*"):
        if bench.redis("PTTL", key) == -1:
            assert is_permanent(key, is_live_run=key in live_runs), key


def test_everything_of_a_shard_is_under_its_hash_tag(one_bench: Bench) -> None:
    """Or the store could not be split."""
    before = set(one_bench.redis("KEYS", "*"))
    one_bench.node()
    one_bench.finish(one_bench.claim(one_bench.trigger("q", limit=1)))
    made = set(one_bench.redis("KEYS", "*")) - before
    assert all(key.startswith(one_bench.config.base(0)) for key in made)


def test_runs_are_listed_newest_first(bench: Bench) -> None:
    """People look for runs that have just happened."""
    bench.node()
    first, second = bench.trigger(), bench.trigger()
    bench.finish(bench.claim(first))
    assert [run.id for run in bench.run(operations.runs.list_runs(10))] == [second, first]


@pytest.mark.parametrize(
    "field, stored",
    [
        ("due", "253402300800000"),
        ("created", "-62167219200001"),
        ("finished", "1e300"),
        ("ttl", "2.5e+14"),
        ("ttl", "1e300"),
        ("payload", "[%s]" % ("9" * 5000)),
        ("output", "-%s" % ("9" * 5000)),
        ("metadata", '{"n":%s}' % ("9" * 5000)),
        ("metadata", "[%s" % ("[" * 5000)),
        ("payload", "[" * 100_000),
    ],
)
def test_one_value_that_cannot_be_read_back_breaks_no_list(bench: Bench, field: str, stored: str) -> None:
    """Earlier versions stored such values, and one of them kept everybody from listing runs."""
    bench.node()
    odd, other = bench.trigger(), bench.trigger()
    bench.finish(bench.claim(odd))
    bench.redis("HSET", bench.key(f"run:{odd}"), field, stored)
    assert [run.id for run in bench.run(operations.runs.list_runs(10))] == [other, odd]
    run = bench.run(operations.runs.read_run(odd))
    assert run.status is RunStatus.COMPLETED
    if "9" * 5000 in stored:
        assert "(an integer of 5,000 digits)" in repr(getattr(run, field))


def test_a_heartbeat_does_not_bring_a_reaped_node_back(bench: Bench) -> None:
    """A lease that is over stays over: the node must register under a new id."""
    bench.node()
    run_id = bench.claim(bench.trigger()).run_id
    bench.upkeep()
    for _ in range(5):
        bench.pass_time(HEARTBEAT.total_seconds())
        bench.upkeep()
    assert bench.status(run_id) is RunStatus.QUEUED
    with pytest.raises(NodeUnregisteredError):
        bench.run(operations.nodes.heartbeat_node("n1", lease=LEASE))


def test_a_large_limit_dispatches_everything_in_bounded_steps(one_bench: Bench) -> None:
    """More pending runs than one script may dispatch are not forgotten."""
    one_bench.node(capacity=500)
    ids = {one_bench.trigger("q", limit=400) for _ in range(300)}
    assert one_bench.slots("q") == ids


def test_new_runs_take_the_limit_that_a_worker_declared_last(bench: Bench) -> None:
    """A deploy changes limits; an old web process must not change them back."""
    bench.node()
    bench.run(operations.making.declare({}, {"q": QueueLimits(2)}, by_worker=True))
    ids = [bench.trigger("q", limit=1) for _ in range(3)]
    assert bench.slots("q") == set(ids[:2])
    bench.run(operations.making.declare({}, {"q": QueueLimits()}, by_worker=True))
    assert bench.slots("q") == set(ids)


def test_a_key_outlives_a_finished_runs_record_but_not_a_lost_one(bench: Bench) -> None:
    """A finished run may have left for the history; a live one that is gone was lost with the store's data."""
    bench.node()
    done, lost = bench.trigger(idempotency_key="done"), bench.trigger(idempotency_key="lost")
    bench.finish(bench.claim(done))
    bench.redis("DEL", bench.key(f"run:{done}"), bench.key(f"run:{lost}"))
    assert bench.trigger(idempotency_key="done") == done
    assert bench.trigger(idempotency_key="lost") != lost
