"""Debounced triggers: which run they name, put off and write to."""

from datetime import timedelta

from taskflow.definition.calls.debounce import Debounce
from taskflow.models import RunStatus
from taskflow.store import operations
from taskflow.store.operations.making import NewRun
from taskflow.store.wire import new_run_id
from tests.support.bench import CLASS, Bench


def test_a_debounced_trigger_puts_the_delayed_run_off(bench: Bench) -> None:
    """Leading keeps the first payload, trailing takes the last one; beyond max_delay there is another run."""
    leading = Debounce("k", 5, max_delay=8)

    def trigger(debounce: Debounce, payload: bytes) -> str:
        return bench.trigger(debounce=debounce, due=debounce.delay, payload=payload)

    first = trigger(leading, b"1")
    bench.pass_time(2)
    assert trigger(leading, b"2") == first
    run = bench.run(operations.runs.read_run(first))
    assert run.payload == 1
    assert run.due_at is not None
    assert run.due_at - run.created_at > timedelta(seconds=6.9)
    bench.pass_time(2)
    second = trigger(leading, b"3")
    assert second != first
    other = trigger(Debounce("other", 5, mode="trailing"), b"1")
    assert trigger(Debounce("other", 5, mode="trailing"), b"9") == other
    assert bench.run(operations.runs.read_run(other)).payload == 9
    bench.pass_time(6)
    bench.upkeep()
    assert bench.status(other) is RunStatus.QUEUED
    assert trigger(Debounce("other", 5, mode="trailing"), b"1") != other


def test_a_batch_may_debounce(bench: Bench) -> None:
    """Its items' arguments stand elsewhere in the call."""
    debounce = Debounce("k", 5)
    news = [
        NewRun(new_run_id(0), "t", b"1", None, "q", CLASS, 1, due=debounce.delay, debounce=debounce) for _ in range(2)
    ]
    (first, is_new), (second, is_also_new) = bench.run(operations.batches.trigger_runs(news))
    assert (first == second, is_new, is_also_new) == (True, True, False)


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
