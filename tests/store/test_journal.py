"""The journal of durable runs, and runs that wait without a process."""

import json
from datetime import timedelta

import pytest

from taskflow.errors import StaleClaimError
from taskflow.models import AttemptOutcome, RunError, RunStatus
from taskflow.seams.waits import Waiter
from taskflow.store import operations
from taskflow.store.operations.claims import ClaimedRun
from taskflow.store.operations.journal import await_code, read_journal, suspend_run, unload_run, write_journal
from taskflow.store.operations.waits import OpenedWait, complete_item, read_waits, wait_run
from taskflow.store.wire import derived_run_id, shard_of_run
from tests.support.bench import ERROR, Bench

STEP = b'sstep\tcharge\n{"cents":5}'


def parked(bench: Bench, run_id: str, *, due: timedelta | None = None, name: str = "1") -> ClaimedRun:
    """Claim a durable run and let it wait in memory."""
    claimed = bench.claim(run_id)
    wait = OpenedWait(name, 1, due)
    entries = {name: b"wduration\twait.for_\n{}"}
    assert bench.run(wait_run(run_id, claimed.claim, [wait], [name], is_durable=True, entries=entries)) == "WAITING"
    return claimed


def unloaded(bench: Bench, run_id: str, *, due: timedelta | None = None) -> ClaimedRun:
    """Let a durable run wait without a process."""
    claimed = parked(bench, run_id, due=due)
    assert bench.run(suspend_run(run_id, claimed.claim))
    assert bench.run(unload_run(run_id, claimed.claim)) is RunStatus.WAITING
    return claimed


def complete(bench: Bench, run_id: str, name: str = "1") -> None:
    """Let a wait be done."""
    bench.run(complete_item(Waiter(run_id, name), b"7"))


def held(bench: Bench) -> list[str]:
    """Return which runs the node holds."""
    return [str(run_id) for run_id in bench.redis("HKEYS", bench.key("node:n1:runs"))]


def test_what_was_done_outlives_a_failed_and_a_lost_attempt(bench: Bench) -> None:
    """With the values of waits that are done, in one read; at the run's end it goes."""
    bench.node()
    run_id = bench.trigger()
    first = bench.claim(run_id)
    bench.run(write_journal(run_id, first.claim, {"1": STEP}))
    bench.run(wait_run(run_id, first.claim, [OpenedWait("2", 1), OpenedWait("3", 1)], is_durable=True))
    complete(bench, run_id, "2")
    bench.run(operations.runs.retry_run(run_id, first.claim, ERROR, timedelta(0)))
    with pytest.raises(StaleClaimError):
        bench.run(write_journal(run_id, first.claim - 1, {"4": STEP}))
    second = bench.claim(run_id)
    assert bench.give_up(second)
    third = bench.claim(run_id)
    assert (third.attempt_number, third.is_resumed) == (3, False)
    stored = bench.run(read_journal(run_id))
    assert (stored.entries, stored.values) == ({"1": STEP}, {"2": (b"7",)})
    bench.finish(third)
    assert not bench.redis("EXISTS", bench.key(f"journal:{run_id}"), bench.key(f"waits:{run_id}"))


def test_a_write_under_a_claim_that_is_over_is_refused(bench: Bench) -> None:
    """Old code must not tell new code what it has done."""
    bench.node()
    run_id = bench.trigger()
    old = bench.claim(run_id)
    bench.give_up(old)
    bench.claim(run_id)
    with pytest.raises(StaleClaimError):
        bench.run(write_journal(run_id, old.claim, {"1": STEP}))
    assert bench.run(read_journal(run_id)).entries == {}


@pytest.mark.parametrize("late", [b"oduration\twait.for_\n", b"wduration\twait.for_\n{}"])
def test_a_late_repetition_does_not_open_what_has_ended(bench: Bench, late: bytes) -> None:
    """The reply under the claim before was lost, and the write is sent again after the wait has ended."""
    bench.node()
    run_id = bench.trigger()
    claimed = parked(bench, run_id)
    complete(bench, run_id)
    settled = {"1": b"rduration\twait.for_\n{}", "2": STEP}
    bench.run(write_journal(run_id, claimed.claim + 1, settled))
    bench.run(write_journal(run_id, claimed.claim, {"1": late, "2": late}))
    bench.run(wait_run(run_id, claimed.claim, [OpenedWait("1", 1)], is_durable=True, entries={"1": late}))
    assert bench.run(read_journal(run_id)).entries == settled


MISFIT = {"misfit": "{}", "made_by": "@v1 a", "refused_by": "@v2 b", "error": ERROR}


def registered(bench: Bench, code: str, version: str, node: str = "n1") -> None:
    """Register a node whose code of the task has a name."""
    registration = json.dumps({"code": code, "prefers": version, "class": "small-1x.process"})
    bench.run(operations.making.declare({}, {}, by_worker=True, registrations={"t": registration}))
    bench.node(node, subtasks=True, version=version)


@pytest.mark.parametrize("limit", [None, 1])
def test_a_run_whose_journal_does_not_fit_starts_once_other_code_is_there(bench: Bench, limit: int | None) -> None:
    """It gives its slot back, counts no attempt, and is not given to the same code again."""
    registered(bench, "@v2 b", "v2")
    run_id, younger = bench.trigger("q", limit=limit), bench.trigger("q", limit=limit)
    claimed = bench.claim(run_id)
    bench.run(write_journal(run_id, claimed.claim, {"1": STEP, "@code": b"@v1 a"}))
    left = await_code(run_id, claimed.claim, version="v1", **MISFIT)  # type: ignore[arg-type]  # passed on
    assert bench.run(left) is RunStatus.PENDING_VERSION
    bench.finish(bench.claim(younger))
    registered(bench, "@v2 b", "v2", node="n2")
    bench.upkeep()
    assert bench.status(run_id) is RunStatus.PENDING_VERSION
    registered(bench, "@v1 a", "v1", node="n3")
    bench.upkeep()
    assert bench.status(run_id) is RunStatus.QUEUED
    assert "@v1." in bench.field(run_id, "ticket")
    assert bench.run(read_journal(run_id)).entries == {"1": STEP, "@code": b"@v1 a"}
    again = bench.claim(run_id, "n3")
    assert (again.attempt_number, again.failed_attempts) == (2, 0)
    assert bench.finish(again) is RunStatus.COMPLETED


def test_a_run_whose_journal_does_not_fit_goes_to_its_version_at_once_if_it_is_up(bench: Bench) -> None:
    registered(bench, "@v1 a", "v1")
    registered(bench, "@v2 b", "v2", node="n2")
    run_id = bench.trigger()
    claimed = bench.claim(run_id, "n2")
    bench.run(write_journal(run_id, claimed.claim, {"1": STEP}))
    left = await_code(run_id, claimed.claim, version="v1", **MISFIT)  # type: ignore[arg-type]  # passed on
    assert bench.run(left) is RunStatus.QUEUED
    assert "@v1." in bench.field(run_id, "ticket")


def test_a_pending_misfit_can_be_canceled(bench: Bench) -> None:
    bench.node()
    run_id = bench.trigger()
    claimed = bench.claim(run_id)
    bench.run(write_journal(run_id, claimed.claim, {"1": STEP}))
    bench.run(await_code(run_id, claimed.claim, version="", **MISFIT))  # type: ignore[arg-type]  # passed on
    assert bench.run(operations.runs.cancel_run(run_id, ERROR))
    assert not bench.redis("EXISTS", bench.key("awaiting:code:t"))


def test_steps_are_events(one_bench: Bench) -> None:
    """The timeline shows them; values and waits are not among them."""
    one_bench.node()
    run_id = one_bench.trigger()
    claimed = one_bench.claim(run_id)
    one_bench.run(write_journal(run_id, claimed.claim, {"1": STEP, "2": b"vvalue\tnow\n1"}))
    found = [fields for _, fields in one_bench.client.xrange(one_bench.key("events"))]
    assert [fields["value"] for fields in found if fields["kind"] == "step"] == ['{"key":"1","name":"charge"}']


def test_an_unloaded_run_is_nowhere_and_goes_on_in_its_attempt(bench: Bench) -> None:
    bench.node()
    run_id, younger = bench.trigger("q", limit=1), bench.trigger("q", limit=1)
    first = unloaded(bench, run_id, due=timedelta(hours=1))
    assert held(bench) == []
    assert bench.field(run_id, "node") == ""
    other = bench.claim(younger)
    bench.pass_time(3601)
    bench.beat("n1")
    bench.upkeep()
    assert bench.status(run_id) is RunStatus.QUEUED
    bench.finish(other)
    again = bench.claim(run_id)
    assert (again.claim > first.claim, again.attempt_number, again.is_resumed) == (True, 1, True)
    assert bench.slots("q") == {run_id}
    assert bench.run(read_journal(run_id)).values == {"1": (b"null",)}
    assert bench.finish(again) is RunStatus.COMPLETED


def test_what_happens_while_its_code_is_left_waits_for_that(bench: Bench) -> None:
    """New code never runs beside old."""
    bench.node()
    run_id = bench.trigger()
    claimed = parked(bench, run_id)
    assert bench.run(suspend_run(run_id, claimed.claim))
    complete(bench, run_id)
    assert bench.status(run_id) is RunStatus.WAITING
    assert bench.run(unload_run(run_id, claimed.claim)) is RunStatus.QUEUED
    assert bench.run(unload_run(run_id, claimed.claim)) is RunStatus.QUEUED
    assert bench.claim(run_id).is_resumed


def test_a_run_that_may_go_on_is_not_unloaded(bench: Bench) -> None:
    bench.node()
    run_id = bench.trigger()
    claimed = parked(bench, run_id)
    complete(bench, run_id)
    assert not bench.run(suspend_run(run_id, claimed.claim))
    with pytest.raises(StaleClaimError):
        bench.run(unload_run(run_id, claimed.claim))
    assert bench.run(read_waits(run_id, ["1"])).claim == claimed.claim + 1


@pytest.mark.parametrize("is_leaving", [False, True])
def test_a_node_that_dies_unloads_its_durable_waiting_runs(bench: Bench, is_leaving: bool) -> None:
    """Nothing was lost: no attempt counts."""
    bench.node()
    run_id = bench.trigger()
    claimed = parked(bench, run_id)
    if is_leaving:
        bench.run(suspend_run(run_id, claimed.claim))
        complete(bench, run_id)
    assert bench.give_up(claimed)
    assert bench.status(run_id) is (RunStatus.QUEUED if is_leaving else RunStatus.WAITING)
    complete(bench, run_id)
    assert bench.claim(run_id).attempt_number == 1
    assert bench.field(run_id, "lost") == ""


def test_a_run_that_had_waited_and_waits_for_its_slot_is_queued_anew(bench: Bench) -> None:
    """Its node dies before it gets the slot back."""
    bench.node()
    run_id, younger = bench.trigger("q", limit=1), bench.trigger("q", limit=1)
    claimed = parked(bench, run_id)
    other = bench.claim(younger)
    complete(bench, run_id)
    assert bench.status(run_id) is RunStatus.QUEUED
    assert bench.give_up(claimed)
    bench.finish(other)
    assert bench.claim(run_id).is_resumed


@pytest.mark.parametrize("stage", ["leaving", "unloaded", "queued"])
def test_a_canceled_run_ends_wherever_its_code_is(bench: Bench, stage: str) -> None:
    bench.node()
    run_id = bench.trigger()
    claimed = parked(bench, run_id, due=timedelta(hours=1))
    assert bench.run(suspend_run(run_id, claimed.claim))
    if stage != "leaving":
        bench.run(unload_run(run_id, claimed.claim))
    if stage == "queued":
        complete(bench, run_id)
    bench.run(operations.runs.cancel_run(run_id, RunError("Canceled", "enough")))
    assert bench.status(run_id) is RunStatus.CANCELED
    if stage == "leaving":
        with pytest.raises(StaleClaimError):
            bench.run(unload_run(run_id, claimed.claim))
        assert bench.give_up(claimed, AttemptOutcome.INTERRUPTED)
    assert held(bench) == []
    assert bench.redis("ZCARD", bench.key("timers")) == 0
    assert_journal_expires_with_its_run(bench, run_id)
    bench.run(operations.nodes.retire_runs([run_id], timedelta(seconds=5)))
    assert_journal_expires_with_its_run(bench, run_id)


def assert_journal_expires_with_its_run(bench: Bench, run_id: str) -> None:
    """A run that did not complete may be replayed from its journal for as long as it has a record."""
    left = [bench.redis("PTTL", bench.key(f"{kind}:{run_id}")) for kind in ("run", "journal", "waits")]
    assert 0 < left[1] <= left[0] + 50
    assert left[2] == -2 or 0 < left[2] <= left[0] + 50


def test_time_computed_counts_across_waits_without_a_process(bench: Bench) -> None:
    bench.node()
    run_id = bench.trigger(max_duration=timedelta(seconds=10))
    claimed = bench.claim(run_id)
    bench.pass_time(6)
    bench.run(wait_run(run_id, claimed.claim, [OpenedWait("1", 1)], ["1"], is_durable=True))
    bench.run(suspend_run(run_id, claimed.claim))
    bench.run(unload_run(run_id, claimed.claim))
    bench.pass_time(100)
    bench.beat("n1")
    bench.upkeep()
    complete(bench, run_id)
    again = bench.claim(run_id)
    assert again.time_left == timedelta(seconds=4)
    bench.pass_time(7)
    bench.beat("n1")
    bench.upkeep()
    assert bench.status(run_id) is RunStatus.TIMED_OUT


def test_a_wait_that_is_begun_twice_makes_one_child(bench: Bench) -> None:
    """A crash came between the wait and what the code heard of its run."""
    bench.node()
    parent = bench.trigger()
    claimed = bench.claim(parent)
    bench.run(wait_run(parent, claimed.claim, [OpenedWait("1", 1)], is_durable=True))
    waiter = Waiter(parent, "1", is_durable=True)
    child = derived_run_id(0, waiter.text)
    assert [bench.trigger(id=child, waiter=waiter) for _ in range(2)] == [child, child]
    bench.finish(bench.claim(child))
    assert bench.trigger(id=child, waiter=waiter) == child
    assert len(bench.run(read_journal(parent)).values["1"]) == 1
    assert derived_run_id(0, waiter.at(1).text) != child
    assert shard_of_run(derived_run_id(3, waiter.text)) == 3


def test_a_durable_run_that_has_ended_is_not_executed_again_when_its_final_hooks_wait(bench: Bench) -> None:
    """Its node dies meanwhile: the hooks run again, it does not."""
    bench.node()
    run_id = bench.trigger("q", limit=1)
    claimed = bench.claim(run_id)
    bench.run(wait_run(run_id, claimed.claim, [OpenedWait("1", 1)], is_durable=True))
    bench.run(operations.runs.settle_run(run_id, claimed.claim, RunStatus.COMPLETED, output=b'"x"'))
    bench.run(wait_run(run_id, claimed.claim, [OpenedWait("h1.1", 1)], ["h1.1"]))
    assert bench.give_up(claimed)
    assert bench.status(run_id) is RunStatus.COMPLETED
