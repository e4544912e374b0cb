"""Hypothesis drives the store through every order of events and compares it with a simple model, on a real Valkey."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from taskflow.errors import NodeUnregisteredError, RunNotClaimableError, StaleClaimError
from taskflow.execution.reporting.changes import Change
from taskflow.models import TRANSITIONS, AttemptOutcome, RunStatus
from taskflow.seams.waits import Waiter
from taskflow.store import operations
from taskflow.store.operations.claims import ClaimedRun
from taskflow.store.operations.journal import suspend_run, unload_run, write_journal
from taskflow.store.operations.updates import update_metadata
from taskflow.store.operations.waits import OpenedWait, complete_item, wait_run
from tests.support.bench import CLASS, ERROR, HEARTBEAT, LEASE, Bench, make_bench
from tests.support.servers import RedisServer

LARGE = "large-1x.process"
QUEUES: dict[str, int | None] = {"one": 1, "two": 2, "task/t": None}
MOST_ATTEMPTS = 3
LEFTOVERS = (":tickets:", ":unclaimed:", ":pending:", ":delayed", ":live", ":timers")
JOURNALS = (":waits:", ":journal:")
"""Those of a durable run that did not complete stay as long as its record, for a replay that goes on from them."""
VERSIONS = st.sampled_from([None, "1"])
PICK = st.integers(0, 1 << 16)
"""The index of one of several. It is drawn without a look at them, because the server's choices (SPOP) are random."""
T = TypeVar("T")


def _one_of(several: list[T], pick: int) -> T:
    return several[pick % len(several)]


@dataclass
class Model:
    """The expected state of one run, kept without reading the store."""

    queue: str
    class_name: str
    claim: int = 0
    started: int = 0
    """The claim by which its newest code started. Every later one resumed that code."""
    failed: int = 0
    lost: int = 0
    status: RunStatus = RunStatus.QUEUED


class RunMachine(RuleBasedStateMachine):
    """Triggers, claims, finishes, retries, loses, cancels, and lets nodes die and time pass, in any order."""

    server: RedisServer
    claims: Bundle[ClaimedRun] = Bundle("claims")

    @initialize()
    def start(self) -> None:
        """Begin with a node of each class: most orders of events need one."""
        self.benches: Iterator[Bench] = make_bench(self.server)
        self.bench = next(self.benches)
        self.runs: dict[str, Model] = {}
        self.nodes: dict[str, str] = {}
        self.tickets: list[tuple[str, int]] = []
        self.waits: dict[str, str] = {}
        self.claimed: dict[str, ClaimedRun] = {}
        self.made = self.reported = 0
        self.bench.upkeep()
        self.add_node(large=False, version="1")
        self.add_node(large=True, version=None)

    def teardown(self) -> None:
        """Everything reaches a final status once nodes live and time passes, and nothing is left."""
        if not hasattr(self, "bench"):
            return
        self._drain()
        for run_id in self.runs:
            assert self.bench.status(run_id).is_finished, (run_id, self.bench.status(run_id))
        for queue in QUEUES:
            assert self.bench.slots(queue) == set()
        for key in self.bench.redis("KEYS", f"{self.bench.config.base(0)}*"):
            assert not any(part in key for part in LEFTOVERS), key
            if any(part in key for part in JOURNALS):
                assert self.bench.status(key.rpartition(":")[2]) is not RunStatus.COMPLETED, key
                assert self.bench.redis("PTTL", key) > 0, key
        next(self.benches, None)

    @rule(
        queue=st.sampled_from(["one", "two", "task/t"]), large=st.booleans(), delay=st.sampled_from([0, 0, 0, 5]),
        count=st.integers(1, 4), version=VERSIONS,
    )  # fmt: skip
    def trigger(self, queue: str, large: bool, delay: int, count: int, version: str | None) -> None:
        """Make some runs. A run of a version may wait for them."""
        for _ in range(count):
            self._trigger(queue, large=large, delay=delay, version=version)

    def _trigger(self, queue: str, *, large: bool, delay: int, version: str | None = None) -> None:
        class_name = LARGE if large else CLASS
        due = timedelta(seconds=delay) if delay else None
        run_id = self.bench.trigger(
            queue,
            limit=QUEUES[queue],
            class_name=class_name,
            due=due,
            max_attempts=MOST_ATTEMPTS,
            waiter=Waiter("parent", "w") if version else None,
            prefers=version,
        )
        self.runs[run_id] = Model(queue, class_name)
        self._see(run_id)

    @rule(key=st.sampled_from(["a", "b"]))
    def trigger_idempotently(self, key: str) -> None:
        """One key, one live run."""
        first = self.bench.trigger(idempotency_key=key, max_attempts=MOST_ATTEMPTS)
        assert self.bench.trigger(idempotency_key=key) == first
        self.runs.setdefault(first, Model("task/t", CLASS))

    @rule(large=st.booleans(), version=VERSIONS)
    def add_node(self, large: bool, version: str | None) -> None:
        """Start a worker."""
        self.made += 1
        name, class_name = f"n{self.made}", LARGE if large else CLASS
        self.bench.node(name, capacity=3, class_name=class_name, subtasks=version is not None, version=version)
        self.nodes[name] = class_name

    @rule(target=claims, pick=PICK, where=PICK, is_old=st.booleans())
    def deliver_a_ticket(self, pick: int, where: int, is_old: bool) -> ClaimedRun | MultipleResults[ClaimedRun]:
        """Deliver a ticket, a new one or one that was seen before, to some node."""
        self.tickets += [(ticket.run_id, ticket.reservation) for ticket in self.bench.published]
        self.bench.published.clear()
        if not self.tickets or not self.nodes:
            return multiple()
        run_id, reservation = _one_of(self.tickets if is_old else self.tickets[-5:], pick)
        node = _one_of(list(self.nodes), where)
        model = self.runs[run_id]
        try:
            claim = operations.runs.claim_run(run_id, node_id=node, reservation=reservation)
            claimed = self.bench.run(claim)
        except (RunNotClaimableError, NodeUnregisteredError):
            return multiple()
        assert claimed.claim > model.claim, "claims only grow"
        assert reservation == int(self.bench.field(run_id, "reservation")), "an old ticket starts nothing"
        model.claim = model.started = claimed.claim
        self.claimed[run_id] = claimed
        self._see(run_id)
        return claimed

    @rule(claimed=claims, status=st.sampled_from([RunStatus.COMPLETED, RunStatus.FAILED]))
    def finish(self, claimed: ClaimedRun, status: RunStatus) -> None:
        """End a run, under a claim that may be over."""
        before, own = self.bench.status(claimed.run_id), self._own_claims(claimed.run_id)
        try:
            self.bench.finish(claimed, status)
        except StaleClaimError:
            assert before is not RunStatus.EXECUTING or claimed.claim not in own
            return
        assert claimed.claim in own
        self._see(claimed.run_id)

    @rule(claimed=claims, delay=st.sampled_from([0, 2]))
    def fail_an_attempt(self, claimed: ClaimedRun, delay: int) -> None:
        """Fail as a worker does: another attempt while there is one, the end otherwise."""
        if claimed.failed_attempts + 1 >= MOST_ATTEMPTS:
            self.finish(claimed, RunStatus.FAILED)
            return
        before, own = self.bench.status(claimed.run_id), self._own_claims(claimed.run_id)
        try:
            self.bench.run(operations.runs.retry_run(claimed.run_id, claimed.claim, ERROR, timedelta(seconds=delay)))
        except StaleClaimError:
            assert before is not RunStatus.EXECUTING or claimed.claim not in own
            return
        assert claimed.claim in own
        if before is RunStatus.EXECUTING:
            self.runs[claimed.run_id].failed += 1
        self._see(claimed.run_id)

    @rule(claimed=claims, outcome=st.sampled_from([AttemptOutcome.LOST, AttemptOutcome.INTERRUPTED]))
    def lose_the_child(self, claimed: ClaimedRun, outcome: AttemptOutcome) -> None:
        """A child died."""
        own = self._own_claims(claimed.run_id)
        assert not self.bench.give_up(claimed, outcome) or claimed.claim in own
        self._see(claimed.run_id)

    @rule(claimed=claims, timed=st.booleans(), durable=st.booleans(), is_parked=st.booleans())
    def wait(self, claimed: ClaimedRun, timed: bool, durable: bool, is_parked: bool) -> None:
        """Open a wait under a claim that may be over; mostly, the run gives its slot back."""
        name = f"w{len(self.waits)}"
        own = self._own_claims(claimed.run_id)
        opened = [OpenedWait(name, 1, timedelta(seconds=30) if timed else None)]
        try:
            answer = self.bench.run(
                wait_run(claimed.run_id, claimed.claim, opened, [name] if is_parked else None, is_durable=durable)
            )
        except StaleClaimError:
            return
        assert claimed.claim in own
        assert answer == ("WAITING" if is_parked else "OPEN") or answer == "WAITING"
        self.waits[name] = claimed.run_id
        self._see(claimed.run_id)

    @rule(claimed=claims)
    def journal(self, claimed: ClaimedRun) -> None:
        """A step is done, maybe by code whose claim is over: that one is told to no later attempt."""
        own = self._own_claims(claimed.run_id)
        try:
            self.bench.run(write_journal(claimed.run_id, claimed.claim, {"1": b"sstep\tone\n1"}))
        except StaleClaimError:
            return
        assert claimed.claim in own

    @rule(claimed=claims)
    def report(self, claimed: ClaimedRun) -> None:
        """Code writes metadata: taken from the code that executes, be its claim the newest or resumed just now."""
        before, own = self.bench.status(claimed.run_id), self._own_claims(claimed.run_id)
        change = [Change("set", ("claim",), str(claimed.claim))]
        self.reported += 1
        try:
            self.bench.run(
                update_metadata(claimed.run_id, claimed.claim, change, writer="machine", number=self.reported)
            )
        except StaleClaimError:
            assert before.is_finished or claimed.claim not in own
            return
        assert claimed.claim in own

    @rule(claimed=claims, is_left=st.booleans())
    def suspend(self, claimed: ClaimedRun, is_left: bool) -> None:
        """The code of a durable run that waits is left: from then on no node holds it, and nothing is lost."""
        if not self.bench.run(suspend_run(claimed.run_id, claimed.claim)):
            return
        assert claimed.claim == self._claim(claimed.run_id)
        assert self.bench.status(claimed.run_id) is RunStatus.WAITING
        if is_left:
            self.unload(claimed)

    @rule(claimed=claims)
    def unload(self, claimed: ClaimedRun) -> None:
        """Code says that it was left, once or again, or when its claim is over."""
        try:
            status = self.bench.run(unload_run(claimed.run_id, claimed.claim))
        except StaleClaimError:
            return
        assert claimed.claim in self._own_claims(claimed.run_id)
        assert status in (RunStatus.WAITING, RunStatus.QUEUED)
        assert self.bench.field(claimed.run_id, "node") == ""
        self._see(claimed.run_id)

    @rule(target=claims, pick=PICK, times=st.integers(1, 2))
    def complete_a_wait(self, pick: int, times: int) -> ClaimedRun | MultipleResults[ClaimedRun]:
        """The event that a run waits for happens once or twice. The run goes on at most once, under a new claim."""
        if not self.waits:
            return multiple()
        name, run_id = _one_of(list(self.waits.items()), pick)
        before = self._claim(run_id)
        for _ in range(times):
            self.bench.run(complete_item(Waiter(run_id, name), b"1"))
        after = self._claim(run_id)
        assert after - before in (0, 1)
        self._see(run_id)
        if after == before:
            return multiple()
        self.runs[run_id].claim = after
        return replace(self.claimed[run_id], claim=after)

    @rule(pick=PICK)
    def cancel(self, pick: int) -> None:
        """Cancel any run, in whatever status."""
        if not self.runs:
            return
        run_id = _one_of(list(self.runs), pick)
        before = self.bench.status(run_id)
        assert self.bench.run(operations.runs.cancel_run(run_id, ERROR)) is not before.is_finished
        self._see(run_id)

    @rule(seconds=st.sampled_from([1, 3, 3, 40]))
    def pass_time(self, seconds: int) -> None:
        """Let time pass: living nodes are heard, what is due is done."""
        self.bench.pass_time(seconds)
        self._heartbeats()
        self.bench.upkeep()
        for queue in self.bench.run(operations.nodes.read_ticket_queues()):
            self.bench.run(operations.nodes.republish_tickets(queue, 0))

    @rule(pick=PICK, is_orderly=st.booleans())
    def lose_a_node(self, pick: int, is_orderly: bool) -> None:
        """A node leaves, or is not heard of any more."""
        if not self.nodes:
            return
        node = _one_of(list(self.nodes), pick)
        del self.nodes[node]
        if is_orderly:
            self.bench.run(operations.nodes.unregister_node(node, AttemptOutcome.INTERRUPTED, ERROR))

    @rule()
    def sweep(self) -> None:
        """Nothing leaks, so nothing is swept."""
        assert self.bench.run(operations.nodes.sweep_slots("0"))[1] == 0

    @invariant()
    def limits_hold(self) -> None:
        """Slots in use never exceed a limit, and their members hold a slot."""
        if not hasattr(self, "bench"):
            return
        for queue, limit in QUEUES.items():
            slots = self.bench.slots(queue)
            assert limit is None or len(slots) <= limit
            assert all(self.bench.field(run_id, "slot") == queue for run_id in slots)

    @invariant()
    def no_run_waits_for_a_version_that_nobody_runs(self) -> None:
        """A ticket on the queue of a version without nodes is about to be withdrawn."""
        if not hasattr(self, "bench"):
            return
        for run_id in self.runs:
            queue = self.bench.field(run_id, "ticket")
            if queue.partition("@")[2] and not self.bench.redis("EXISTS", self.bench.key(f"serving:{queue}")):
                assert self.bench.redis("SISMEMBER", self.bench.key("deserted"), queue)

    @invariant()
    def budgets_and_transitions_hold(self) -> None:
        """Failed attempts stay within their number; a final status stays; every change is a legal one."""
        if not hasattr(self, "bench"):
            return
        reading = self.bench.client.pipeline(transaction=False)
        for run_id in self.runs:
            reading.hmget(self.bench.key(f"run:{run_id}"), "status", "failed", "lost")
        for run_id, (status, failed, lost) in zip(self.runs, reading.execute(), strict=True):
            self._compare(run_id, RunStatus(status))
            assert int(failed or 0) <= MOST_ATTEMPTS
            losses = len((lost or "").split())
            assert losses <= self.bench.config.max_lost + 1
            assert (losses > self.bench.config.max_lost) is (status == RunStatus.SYSTEM_FAILURE)

    def _claim(self, run_id: str) -> int:
        """Return a run's claim as the store has it: it only grows."""
        found = int(self.bench.field(run_id, "claim") or 0)
        assert found >= self.runs[run_id].claim, "claims only grow"
        return found

    def _own_claims(self, run_id: str) -> set[int]:
        """Return the claims of the code that executes a run: the newest, and the one before if that was resumed."""
        newest = self._claim(run_id)
        return {newest, newest - 1} if newest > self.runs[run_id].started else {newest}

    def _see(self, run_id: str) -> None:
        self._compare(run_id, self.bench.status(run_id))

    def _compare(self, run_id: str, now: RunStatus) -> None:
        """Compare a run's status with the last one seen: between two looks, a path of legal transitions."""
        model = self.runs[run_id]
        reachable, frontier = {model.status}, {model.status}
        while frontier:
            frontier = {after for before in frontier for after in TRANSITIONS[before]} - reachable
            reachable |= frontier
        first = model.claim == 0 and now in (RunStatus.DELAYED, RunStatus.QUEUED)
        assert now in reachable or first, f"{model.status} -> {now}"
        assert not model.status.is_finished or model.status is now
        model.status = now

    def _heartbeats(self) -> None:
        for node in list(self.nodes):
            try:
                self.bench.run(operations.nodes.heartbeat_node(node, lease=LEASE))
            except NodeUnregisteredError:
                del self.nodes[node]

    def _drain(self) -> None:
        """Give every class a node and time, and finish what starts."""
        self.bench.pass_time(1)
        for wait, run_id in self.waits.items():
            self.bench.run(complete_item(Waiter(run_id, wait), b"1"))
        for name, class_name in (("last", CLASS), ("last-large", LARGE)):
            self.bench.node(name, capacity=3, class_name=class_name)
            self.nodes[name] = class_name
        for _ in range(400):
            self.bench.pass_time(HEARTBEAT.total_seconds())
            self._heartbeats()
            self.bench.upkeep()
            for queue in self.bench.run(operations.nodes.read_ticket_queues()):
                self.bench.run(operations.nodes.republish_tickets(queue, 0))
            self.tickets += [(ticket.run_id, ticket.reservation) for ticket in self.bench.published]
            self.bench.published.clear()
            waiting = [(run_id, number) for run_id, number in self.tickets if not self.bench.status(run_id).is_finished]
            for run_id, reservation in waiting:
                node = "last-large" if self.runs[run_id].class_name == LARGE else "last"
                try:
                    claim = operations.runs.claim_run(run_id, node_id=node, reservation=reservation)
                    self.bench.finish(self.bench.run(claim))
                except RunNotClaimableError:
                    continue
            held = [run for name in self.nodes for run in self.bench.run(operations.nodes.read_node_runs(name))]
            for run in held:
                self.bench.run(operations.runs.give_up_run(run.run_id, run.claim, AttemptOutcome.INTERRUPTED, ERROR))
            if not held and all(self.bench.status(run_id).is_finished for run_id in self.runs):
                return


@pytest.mark.timeout(120)
def test_the_store_keeps_its_invariants_in_every_order_of_events(valkey: RedisServer) -> None:
    """DESIGN's invariants 1 to 4, against a model; Hypothesis prints the shortest sequence that breaks one."""
    RunMachine.server = valkey
    run_state_machine_as_test(
        RunMachine,
        settings=settings(
            max_examples=60,
            stateful_step_count=40,
            deadline=None,
            database=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
            print_blob=True,
        ),
    )
