"""Delayed runs get another instant to start at."""

from datetime import timedelta

import pytest

from taskflow.errors import RunNotDelayedError
from taskflow.models import RunStatus
from taskflow.store import operations
from tests.support.bench import Bench


def test_a_delayed_run_is_rescheduled_and_the_old_instant_does_nothing(bench: Bench) -> None:
    """Only while it is DELAYED."""
    run_id = bench.trigger(due=timedelta(seconds=1))
    bench.run(operations.runs.reschedule_run(run_id, timedelta(seconds=3)))
    bench.pass_time(2)
    bench.upkeep()
    assert bench.status(run_id) is RunStatus.DELAYED
    bench.pass_time(1.1)
    bench.upkeep()
    assert bench.status(run_id) is RunStatus.QUEUED
    with pytest.raises(RunNotDelayedError, match="QUEUED"):
        bench.run(operations.runs.reschedule_run(run_id, timedelta(seconds=3)))
