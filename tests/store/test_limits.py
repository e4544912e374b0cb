"""Limits of starts: keys, totals, rates, the environment, priorities, pauses, times to live."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from taskflow.definition.queue import Queue, QueueLimits
from taskflow.errors import QueueNotFoundError, RunNotClaimableError
from taskflow.models import RunError, RunStatus
from taskflow.store import operations
from taskflow.store.operations.queues import control_queue, read_queues
from tests.support.bench import Bench, let_time_pass

REASON = RunError("Canceled", "Canceled by user")


def startable(bench: Bench, *ids: str) -> list[str]:
    """Return which of these runs have a ticket."""
    return [run_id for run_id in ids if bench.field(run_id, "ticket")]


def finish_all(bench: Bench, ids: list[str]) -> None:
    """Execute runs to their end."""
    for claimed in [bench.claim(run_id) for run_id in ids]:
        bench.finish(claimed)


def test_each_concurrency_key_has_the_limit_to_itself_below_the_total(bench: Bench) -> None:
    """Trigger.dev's meaning of concurrency_limit, and the cap over all keys that it lacks."""
    bench.node()
    limits = Queue("q", concurrency_limit=2, total_limit=5).limits
    of = {key: [bench.trigger("q", limit=limits, concurrency_key=key) for _ in range(3)] for key in ("a", "b", "c")}
    assert [len(startable(bench, *of[key])) for key in ("a", "b", "c")] == [2, 2, 1]
    finish_all(bench, of["a"][:1])
    assert len(bench.slots("q")) == 5
    assert startable(bench, of["a"][2]) or startable(bench, of["c"][1])


def test_a_single_run_of_a_key_waits_for_one_pass_at_most(one_bench: Bench) -> None:
    """A tenant with many queued runs does not delay another's single one."""
    bench = one_bench
    bench.node(capacity=100)
    limits = Queue("q", per_key_limit=2, total_limit=4).limits
    many = [bench.trigger("q", limit=limits, concurrency_key="many") for _ in range(300)]
    some = [bench.trigger("q", limit=limits, concurrency_key="some") for _ in range(20)]
    single = bench.trigger("q", limit=limits, concurrency_key="single")
    assert len(bench.slots("q")) == 4
    first = startable(bench, *many, *some)
    finish_all(bench, first[:2])
    assert startable(bench, single) or len(bench.slots("q")) == 4
    finish_all(bench, [run_id for run_id in bench.slots("q") if run_id != single][:2])
    assert startable(bench, single)


def test_keyed_and_keyless_runs_do_not_count_against_each_other(bench: Bench) -> None:
    """Unless there is a total limit."""
    bench.node()
    limits = QueueLimits(concurrency=1)
    plain = [bench.trigger("q", limit=limits) for _ in range(2)]
    keyed = [bench.trigger("q", limit=limits, concurrency_key="k") for _ in range(2)]
    assert startable(bench, *plain, *keyed) == [plain[0], keyed[0]]


def test_the_environment_has_a_limit_and_its_queues_take_turns(bench: Bench) -> None:
    """It holds whatever the queues allow, and for queues without a limit too."""
    bench.node(capacity=100)
    bench.run(operations.making.declare({}, {}, by_worker=True, environment_limit=2, burst_factor=1.5))
    one = [bench.trigger("one", limit=5) for _ in range(5)]
    two = [bench.trigger("two") for _ in range(5)]
    assert startable(bench, *one, *two) == [*one[:2], two[0]]
    bench.finish(bench.claim(one[0]))
    bench.finish(bench.claim(one[1]))
    held = startable(bench, *one, *two)
    assert len(held) == 3
    assert two[1] in held


def test_priority_makes_a_run_older_in_its_queue(bench: Bench) -> None:
    """By its seconds; order among equals stays."""
    limits = QueueLimits(concurrency=1)
    ids = [bench.trigger("q", limit=limits, priority=priority) for priority in (0, 0.5, -1.2, 1, 4)]
    bench.node()
    order: list[str] = []
    for _ in ids:
        [run_id] = startable(bench, *ids)
        order.append(run_id)
        bench.finish(bench.claim(run_id))
    assert order == [ids[4], ids[3], ids[1], ids[0], ids[2]]


def test_a_queue_without_a_limit_keeps_priorities_too(bench: Bench) -> None:
    """From its first run with a priority on."""
    bench.node(capacity=1)
    ids = [bench.trigger("free", priority=priority) for priority in (1, 2, 3, 4)]
    assert len(startable(bench, *ids)) == 2  # twice the capacity
    bench.claim(ids[0])
    assert startable(bench, *ids) == [ids[1], ids[3]]


@pytest.mark.parametrize("limit", [None, 5])
def test_a_paused_queue_starts_nothing_not_even_what_has_a_ticket(bench: Bench, limit: int | None) -> None:
    """And resumes where it was."""
    bench.node()
    before = bench.trigger("q", limit=limit)
    bench.run(control_queue("q", "pause"))
    after = bench.trigger("q", limit=limit)
    with pytest.raises(RunNotClaimableError, match="DEFERRED"):
        bench.claim(before)
    assert startable(bench, before, after) == []
    assert bench.status(before) is RunStatus.QUEUED
    assert bench.run(read_queues("q"))[0].queued == 2
    bench.run(control_queue("q", "resume"))
    finish_all(bench, [before, after])


def test_a_paused_environment_starts_nothing(bench: Bench) -> None:
    """Runs without a limited queue included."""
    bench.node()
    run_id = bench.trigger()
    bench.run(control_queue("", "pause"))
    with pytest.raises(RunNotClaimableError, match="DEFERRED"):
        bench.claim(run_id)
    bench.run(control_queue("", "resume"))
    bench.sweep()
    bench.claim(run_id)


def test_an_override_counts_until_it_is_reset(bench: Bench) -> None:
    """It counts whatever workers declare meanwhile."""
    bench.node()
    ids = [bench.trigger("q", limit=1) for _ in range(4)]
    bench.run(control_queue("q", "override", 3))
    bench.run(operations.making.declare({}, {"q": QueueLimits(1)}, by_worker=True))
    assert len(startable(bench, *ids)) == 3
    state = bench.run(read_queues("q"))[0]
    assert (state.concurrency_limit, state.declared_limit, state.overridden_at is None) == (3, 1, False)
    bench.run(control_queue("q", "reset"))
    finish_all(bench, ids[:3])
    assert len(bench.slots("q")) == 1
    with pytest.raises(QueueNotFoundError):
        bench.run(control_queue("unknown", "pause"))


def test_an_override_of_zero_starts_nothing_until_it_is_reset(bench: Bench) -> None:
    """The HTTP API allows it: a queue that is held back without being paused."""
    bench.node()
    bench.run(operations.making.declare({}, {"q": QueueLimits(2)}, by_worker=True))
    bench.run(control_queue("q", "override", 0))
    ids = [bench.trigger("q", limit=2, concurrency_key=key) for key in ("", "", "k")]
    assert not startable(bench, *ids)
    assert bench.run(read_queues("q"))[0].concurrency_limit == 0
    bench.run(control_queue("q", "reset"))
    assert len(startable(bench, *ids)) == 3


def test_a_run_expires_in_its_queue_but_never_once_it_has_started(bench: Bench) -> None:
    """The time to live counts from the first entry into the queue, so not while the run is delayed."""
    delayed = bench.trigger("q", limit=1, due=timedelta(seconds=1), ttl=timedelta(seconds=2))
    bench.pass_time(1.1)
    bench.upkeep()
    bench.pass_time(1.5)
    bench.upkeep()
    assert bench.status(delayed) is RunStatus.QUEUED
    bench.pass_time(0.6)
    bench.upkeep()
    assert bench.status(delayed) is RunStatus.EXPIRED
    assert "TTL (2 s)" in (bench.run(operations.runs.read_run(delayed)).error or REASON).message
    bench.node()
    started = bench.trigger("q", limit=1, ttl=timedelta(seconds=2))
    bench.give_up(bench.claim(started))
    bench.pass_time(5)
    bench.upkeep()
    assert bench.status(started) is RunStatus.QUEUED


def test_an_attempt_that_computes_too_long_is_stopped_from_outside(bench: Bench) -> None:
    """Two seconds later than its own code should have stopped it."""
    bench.node()
    run_id = bench.trigger("q", limit=1, max_duration=timedelta(seconds=5))
    claimed = bench.claim(run_id)
    assert claimed.max_duration == timedelta(seconds=5)
    bench.pass_time(6)
    bench.beat("n1")
    bench.upkeep()
    assert bench.status(run_id) is RunStatus.EXECUTING
    bench.pass_time(1.5)
    bench.upkeep()
    assert bench.status(run_id) is RunStatus.TIMED_OUT
    assert bench.slots("q") == {run_id}  # until its code has stopped
    bench.give_up(claimed)
    assert bench.slots("q") == set()


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


def test_a_freed_environment_slot_goes_to_whoever_can_use_it(bench: Bench) -> None:
    """Not to a queue whose runs were canceled meanwhile."""
    bench.node()
    bench.redis("HSET", bench.key("environment"), "limit", 1)
    first, canceled, last = bench.trigger("a"), bench.trigger("b"), bench.trigger("c")
    bench.run(operations.runs.cancel_run(canceled, REASON))
    bench.finish(bench.claim(first))
    assert bench.field(last, "ticket")


def test_a_task_id_with_colons_does_not_name_another_queues_key(bench: Bench) -> None:
    """``task/a:slots`` is a queue, and no set of slots."""
    bench.node()
    bench.claim(bench.trigger("task/a", limit=1))
    odd = bench.trigger("task/a:slots", limit=1)
    assert bench.field(odd, "ticket")


def test_the_sweep_heals_the_slots_of_concurrency_keys(bench: Bench) -> None:
    """A run whose record is gone, also one of a queue whose name has a colon, must not keep its key from running."""
    bench.node()
    for queue in ("q", "task/a:b"):
        lost, waiting = (bench.trigger(queue, limit=QueueLimits(per_key=1), concurrency_key="k") for _ in range(2))
        assert not bench.field(waiting, "ticket")
        bench.redis("DEL", bench.key(f"run:{lost}"))
        bench.sweep()
        assert bench.field(waiting, "ticket"), queue
