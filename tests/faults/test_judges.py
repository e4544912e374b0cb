"""The fault driver's judges find every fault that they are for."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from taskflow import Attempt, AttemptOutcome, Run, RunStatus
from tests.faults.checks import check_budgets, check_claims, check_hooks
from tests.faults.clock import StoreClock
from tests.faults.crew import Freeze
from tests.faults.deliveries import check_deliveries
from tests.faults.faults import plan
from tests.faults.ledger import Ledger, Note, Stint, read_ledger
from tests.faults.leftovers import EMPTY, permanent_keys
from tests.faults.limits import check_limits, most_alive

AT = datetime(2026, 1, 1, tzinfo=UTC)
ZERO = AT.timestamp()


def a_run(run_id: str, *attempts: Attempt, claim: int = 1, queue: str = "f-one") -> Run:
    """Return a run that completed under a claim."""
    return Run(
        run_id, "f-hooked", RunStatus.COMPLETED, queue, "small-1x", "process", AT, 3,
        output={"claim": claim, "attempt": claim}, metadata={"claim": claim}, attempts=attempts,
    )  # fmt: skip


def an_attempt(claim: int, outcome: AttemptOutcome, at: float = 0.0) -> Attempt:
    """Return an attempt that ended at an instant."""
    return Attempt(claim, claim, "node", AT, datetime.fromtimestamp(ZERO + at, UTC), outcome)


def a_stint(run_id: str, began: float, ended: float, claim: int = 1) -> Stint:
    """Return the stint of process 7 from one instant to another."""
    return Stint(run_id, claim, claim, 7, ZERO + began, ZERO + ended)


def a_clock(folder: Path) -> StoreClock:
    """Return a clock that has been right since long before."""
    clock = StoreClock(folder / "clock")
    clock.moves = [(ZERO - 1000, 0.0)]
    return clock


def test_one_plan_belongs_to_a_seed_and_has_every_kind() -> None:
    """A seed must give the same plan each time."""
    assert plan(7, 60, has_broker=True) == plan(7, 60, has_broker=True) != plan(8, 60, has_broker=True)
    assert len({fault.kind for fault in plan(7, 60, has_broker=True)}) == 15
    assert "restart broker" not in {fault.kind for fault in plan(7, 60, has_broker=False)}


def test_two_runs_at_once_in_a_queue_of_one_are_found(tmp_path: Path) -> None:
    """Each run counts from its start to its end, or to its process's death."""
    runs = {name: a_run(name) for name in "ab"}
    both = [a_stint("a", 0, 2), a_stint("b", 1, 3)]
    overlaps = check_limits(both, runs, a_clock(tmp_path), [], [], {}, None, ZERO + 10)
    assert overlaps.problems == ["queue f-one, key None: 2 at a time, and the limit is 1: a, b"]
    after = [a_stint("a", 0, 1), a_stint("b", 1, 3)]
    assert not check_limits(after, runs, a_clock(tmp_path), [], [], {}, None, ZERO + 10).problems
    assert most_alive([("a", 0, 4), ("b", 1, 2), ("c", 1, 3), ("d", 3, 4)]) == ["a", "b", "c"]


def test_the_code_of_a_frozen_node_is_counted_apart_until_it_could_know(tmp_path: Path) -> None:
    """Its claim ended at 3 s. It woke at 9 s, and may take a heartbeat and its grace to stop."""
    runs = {"a": a_run("a", an_attempt(1, AttemptOutcome.LOST, 3), claim=2), "b": a_run("b")}
    freezes = [Freeze((7,), ZERO + 1, ZERO + 9)]

    def judged(ended: float) -> tuple[int, int]:
        stints = [a_stint("a", 0, ended), a_stint("b", 4, 5)]
        overlaps = check_limits(stints, runs, a_clock(tmp_path), freezes, [], {}, None, ZERO + 60)
        return len(overlaps.late), len(overlaps.problems)

    assert judged(10) == (1, 0)
    assert judged(30) == (1, 1)


def test_what_a_claim_that_was_over_has_written_is_found() -> None:
    """The writes are an output and metadata."""
    lost = an_attempt(1, AttemptOutcome.LOST)
    assert not check_claims({"a": a_run("a", lost, an_attempt(2, AttemptOutcome.COMPLETED), claim=2)}, Ledger())
    assert len(check_claims({"a": a_run("a", lost, claim=1)}, Ledger())) == 1
    other = replace(a_run("a", lost, claim=2), metadata={"claim": 1})
    assert len(check_claims({"a": other}, Ledger())) == 1
    assert len(check_claims({"a": a_run("a", lost, lost, claim=2)}, Ledger())) == 1


def test_a_claim_that_began_twice_and_a_hook_that_did_not_run_are_found(tmp_path: Path) -> None:
    """The lines of the tasks show it."""
    path = tmp_path / "ledger"
    path.write_text("start a 1 1 7 1.0\nstart b 1 1 8 1.0\nend b 1 1 8 2.0\nstart a 1 1 9 3.0\nhook b complete 8 2.0\n")
    ledger = read_ledger(path, {7: 2.5})
    assert ledger.twice == ["claim 1 of a began twice"]
    assert [stint.ended for stint in ledger.stints] == [2.5, 2.0, None]
    assert check_hooks({"a": a_run("a"), "b": a_run("b")}, ledger) == ["the final hook of a (COMPLETED) did not run"]


def test_more_attempts_than_a_run_may_have_are_found() -> None:
    """Failed attempts and lost ones have budgets of their own."""
    failed = [an_attempt(number, AttemptOutcome.FAILED) for number in range(4)]
    lost = [an_attempt(number, AttemptOutcome.LOST) for number in range(12)]
    assert not check_budgets({"a": a_run("a", *failed[:3], *lost[:11])}, 10)
    assert len(check_budgets({"a": a_run("a", *failed, *lost)}, 10)) == 2


def test_a_clock_that_jumped_back_showed_an_instant_twice(tmp_path: Path) -> None:
    """An instant of the store's clock then has several host times."""
    clock = a_clock(tmp_path)
    clock.moves += [(ZERO + 10, 60.0), (ZERO + 20, 55.0)]
    assert clock.host_times(ZERO + 5) == [ZERO + 5]
    assert clock.host_times(ZERO + 78) == [ZERO + 18, ZERO + 23]


def test_the_table_of_keys_says_which_need_no_time_to_live() -> None:
    """A run's hash needs none while the run is live. At rest no key of a run may be without."""
    permanent = permanent_keys()
    names = [
        ":finished",
        ":queue:f-one",
        ":node:n1",
        ":node:n1:inbox",
        ":serving:dev.small-1x.async",
        ":events",
        ":wake",
    ]
    assert all(permanent.fullmatch(name) for name in names)
    assert not [name for name in (":run:a", ":key:task:1", ":batch:b", ":debounce:t:1") if permanent.fullmatch(name)]
    going_on = [
        ":queue:f-one:slots",
        ":queue:q:pending:small-1x.async:key",
        ":tickets:q",
        ":waiters:run_a",
        ":node:n:runs",
        ":live",
    ]
    assert all(EMPTY.fullmatch(name) for name in going_on)


def test_a_delivery_that_made_two_runs_or_none_is_found() -> None:
    """Whether the ledger shows it, or the answers to the sender."""
    records = {"a": a_run("a"), "b": a_run("b")}

    def ledger(*pairs: tuple[str, str]) -> Ledger:
        return Ledger(notes=[Note("delivery", run_id, 1, 1, (delivery,)) for delivery, run_id in pairs])

    assert not check_deliveries({"d": ["a", "a"], "e": ["b"]}, records, ledger(("d", "a"), ("d", "a"), ("e", "b")))
    assert not check_deliveries({}, records, ledger(("d", "a")))
    assert "made the runs a, b" in check_deliveries({"d": ["a"]}, records, ledger(("d", "a"), ("d", "b")))[0]
    assert "answered with the runs a, b" in check_deliveries({"d": ["a", "b"]}, records, ledger(("d", "a")))[0]
    assert "made b and was answered" in check_deliveries({"d": ["a"]}, records, ledger(("d", "b")))[0]
    assert "completed without it" in check_deliveries({"d": ["a"]}, records, ledger())[0]
