"""Runs whose outcome is kept while their final hooks are left to run."""

from datetime import timedelta
from typing import Any

import pytest

from taskflow.errors import RunNotClaimableError
from taskflow.models import RunError, RunStatus
from taskflow.store import operations
from taskflow.store.operations.making import declare
from taskflow.store.operations.operation import Operation
from tests.support.bench import ERROR, Bench, let_time_pass

REASON = RunError("Canceled", "Canceled by user")


def settled(bench: Bench, **options: Any) -> tuple[str, int]:
    """Return a run that has completed and is in its final hooks, and its claim."""
    bench.run(declare_hooks())
    bench.node()
    claimed = bench.claim(bench.trigger("q", limit=1, **options))
    bench.run(operations.runs.settle_run(claimed.run_id, claimed.claim, RunStatus.COMPLETED, output=b"1"))
    return claimed.run_id, claimed.claim


def declare_hooks() -> Operation[int]:
    """Say that task t has final hooks."""

    return declare({}, {}, by_worker=True, final_hooks={"t": True})


def test_final_hooks_without_a_living_attempt_get_a_ticket_of_their_own(bench: Bench) -> None:
    """Run once by a worker; again when that dies inside them, or by the code that a cancel stops."""
    bench.run(operations.making.declare({}, {}, by_worker=True, final_hooks={"t": True}))
    bench.node()
    run_id = bench.trigger("q", limit=1)
    bench.run(operations.runs.cancel_run(run_id, REASON))
    claimed = bench.claim(run_id)
    assert (claimed.ended, claimed.error) == (RunStatus.CANCELED, REASON)
    assert bench.status(run_id) is RunStatus.CANCELED
    bench.give_up(claimed)
    again = bench.claim(run_id)
    assert again.ended is RunStatus.CANCELED
    bench.run(operations.runs.finish_hooks(run_id, again.claim, [RunError("E", "in a hook")]))
    with pytest.raises(RunNotClaimableError):
        bench.claim(run_id)
    assert bench.run(operations.runs.read_run(run_id)).hook_errors == (RunError("E", "in a hook"),)

    executing = bench.claim(bench.trigger("q", limit=1))
    bench.run(operations.runs.cancel_run(executing.run_id, REASON))
    bench.run(operations.runs.finish_hooks(executing.run_id, executing.claim))
    assert (bench.slots("q"), bench.field(executing.run_id, "hooks")) == (set(), "DONE")


def test_a_run_that_has_settled_is_never_executed_again(bench: Bench) -> None:
    """Its worker died in a final hook: the outcome stands, and the hooks run once more."""
    bench.run(operations.making.declare({}, {}, by_worker=True, final_hooks={"t": True}))
    bench.node()
    claimed = bench.claim(bench.trigger("q", limit=1))
    bench.run(operations.runs.settle_run(claimed.run_id, claimed.claim, RunStatus.COMPLETED, output=b'"x"'))
    assert bench.status(claimed.run_id) is RunStatus.EXECUTING
    bench.give_up(claimed)
    assert bench.status(claimed.run_id) is RunStatus.COMPLETED
    hooks = bench.claim(claimed.run_id)
    assert (hooks.ended, hooks.output, hooks.attempt_number) == (RunStatus.COMPLETED, b'"x"', 1)


def test_a_run_in_its_final_hooks_neither_times_out_nor_is_canceled_nor_tried_again(bench: Bench) -> None:
    """It has ended, whatever becomes of the hooks and of their child."""
    run_id, claim = settled(bench, max_duration=timedelta(seconds=5))
    let_time_pass(bench, "n1")
    assert bench.status(run_id) is RunStatus.EXECUTING
    assert not bench.run(operations.runs.cancel_run(run_id, REASON))
    assert bench.run(operations.runs.retry_run(run_id, claim, ERROR, timedelta(0))) is RunStatus.COMPLETED
    assert bench.claim(run_id).ended is RunStatus.COMPLETED
    run_id, claim = settled(bench)
    crashed = operations.runs.finish_run(run_id, claim, RunStatus.CRASHED, error=ERROR, hooks_left=True)
    assert bench.run(crashed) is RunStatus.COMPLETED
