"""A child's outcome and its next claim share a round trip; neither is lost when the other fails."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from unittest.mock import Mock

import pytest

from taskflow.definition.signal import CANCELED
from taskflow.errors import RunNotClaimableError
from taskflow.models import RunError, RunStatus
from taskflow.store import operations
from taskflow.store.operations.claims import ClaimedRun
from taskflow.store.operations.operation import Operation
from taskflow.store.sync_store import Store
from taskflow.worker.attempt.relay import Relay
from tests.support.bench import Bench, real_time


@pytest.fixture
def store(one_bench: Bench) -> Iterator[Store]:
    """A child's store."""
    made = Store(real_time(one_bench))
    yield made
    made.close()


@pytest.fixture
def relay(one_bench: Bench) -> Relay:
    """The relay of a child of the node n1 whose next job is at hand."""
    one_bench.node()
    made = Relay()
    made.is_next_at_hand = lambda: True
    return made


def claim_of(run_id: str, reservation: int = 1) -> Operation[ClaimedRun]:
    """Return a child's claim."""
    return operations.runs.claim_run(run_id, node_id="n1", reservation=reservation, pid=7)


def finish_of(claimed: ClaimedRun) -> Operation[RunStatus]:
    """Return the word that a run has completed."""
    return operations.runs.finish_run(claimed.run_id, claimed.claim, RunStatus.COMPLETED, output=b"1")


def test_an_outcome_is_written_with_the_next_claim(one_bench: Bench, store: Store, relay: Relay) -> None:
    """In one write: the store sees both or, at a death before, neither."""
    first, second = one_bench.claim(one_bench.trigger()), one_bench.trigger()
    late = Mock()
    assert relay.defer(first.run_id, finish_of(first), late)
    assert one_bench.status(first.run_id) is RunStatus.EXECUTING
    claimed = relay.claim(store, second, claim_of(second))
    assert claimed is not None
    assert claimed.run_id == second
    assert one_bench.status(first.run_id) is RunStatus.COMPLETED
    late.assert_not_called()
    relay.flush()
    late.assert_not_called()


def test_a_refused_claim_loses_no_outcome(one_bench: Bench, store: Store, relay: Relay) -> None:
    """The ticket at hand may be stale."""
    first, second = one_bench.claim(one_bench.trigger()), one_bench.trigger()
    relay.defer(first.run_id, finish_of(first), Mock())
    with pytest.raises(RunNotClaimableError):
        relay.claim(store, second, claim_of(second, reservation=9))
    assert one_bench.status(first.run_id) is RunStatus.COMPLETED


def test_a_refused_outcome_loses_no_claim(one_bench: Bench, store: Store, relay: Relay) -> None:
    """It is settled by itself then: the run was canceled meanwhile, say."""
    first, second = one_bench.claim(one_bench.trigger()), one_bench.trigger()
    one_bench.run(operations.runs.cancel_run(first.run_id, RunError("Canceled", CANCELED)))
    late = Mock()
    relay.defer(first.run_id, finish_of(first), late)
    assert relay.claim(store, second, claim_of(second)) is not None
    late.assert_called_once_with()


def test_a_store_that_is_away_leaves_both_to_those_who_insist(one_bench: Bench, relay: Relay) -> None:
    """The outcome comes first."""
    first, second = one_bench.claim(one_bench.trigger()), one_bench.trigger()
    late = Mock()
    relay.defer(first.run_id, finish_of(first), late)
    nowhere = replace(one_bench.config, url="redis://127.0.0.1:1/0", timeout=timedelta(seconds=0.1), clock=None)
    away = Store(nowhere)
    assert relay.claim(away, second, claim_of(second)) is None
    late.assert_called_once_with()
    away.close()


def test_nothing_is_kept_without_a_next_job(one_bench: Bench, relay: Relay) -> None:
    """It might not come for days."""
    claimed = one_bench.claim(one_bench.trigger())
    relay.is_next_at_hand = lambda: False
    assert not relay.defer(claimed.run_id, finish_of(claimed), Mock())


def test_an_outcome_that_was_kept_is_settled_once(one_bench: Bench, relay: Relay) -> None:
    """The child leaves instead of taking the next job."""
    claimed = one_bench.claim(one_bench.trigger())
    late = Mock()
    relay.defer(claimed.run_id, finish_of(claimed), late)
    relay.flush_unless_at_hand()
    late.assert_not_called()
    relay.is_next_at_hand = lambda: False
    relay.flush_unless_at_hand()
    relay.flush()
    late.assert_called_once_with()


def test_a_settlement_that_is_interrupted_is_repeated(one_bench: Bench, relay: Relay) -> None:
    """SIGTERM may come while the store is away; the child settles once more before it leaves."""
    claimed = one_bench.claim(one_bench.trigger())
    late = Mock(side_effect=[SystemExit, None])
    relay.defer(claimed.run_id, finish_of(claimed), late)
    with pytest.raises(SystemExit):
        relay.flush()
    relay.flush()
    assert late.call_count == 2


def test_a_refused_outcome_whose_settling_is_interrupted_is_settled_again(
    one_bench: Bench, store: Store, relay: Relay
) -> None:
    """The child has claimed by then, and leaves."""
    first, second = one_bench.claim(one_bench.trigger()), one_bench.trigger()
    one_bench.run(operations.runs.cancel_run(first.run_id, RunError("Canceled", CANCELED)))
    late = Mock(side_effect=[SystemExit, None])
    relay.defer(first.run_id, finish_of(first), late)
    with pytest.raises(SystemExit):
        relay.claim(store, second, claim_of(second))
    relay.flush()
    assert late.call_count == 2
