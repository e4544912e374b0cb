"""Rate limits of queues: buckets, debts, and the tokens of withdrawn reservations."""

from datetime import timedelta

from taskflow.definition.queue import Queue, QueueLimits
from taskflow.models import AttemptOutcome
from taskflow.store import operations
from taskflow.store.operations.making import declare
from tests.support.bench import ERROR, Bench, let_time_pass


def startable(bench: Bench, *ids: str) -> list[str]:
    """Return which of these runs have a ticket."""
    return [run_id for run_id in ids if bench.field(run_id, "ticket")]


def test_a_rate_limit_lets_a_bucket_start_and_then_one_each_interval(bench: Bench) -> None:
    """GCRA: 10 a second means 10 at once, then one each 100 ms."""
    bench.node(capacity=100)
    limits = Queue("q", rate_limit="10/s").limits
    ids = [bench.trigger("q", limit=limits) for _ in range(14)]
    assert len(startable(bench, *ids)) == 10
    bench.upkeep()
    assert len(startable(bench, *ids)) == 10
    bench.pass_time(0.21)
    bench.upkeep()
    assert len(startable(bench, *ids)) == 12
    bench.pass_time(1)
    bench.upkeep()
    assert len(startable(bench, *ids)) == 14


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
