"""The history with a real worker: lists, and runs that have left the store."""

import asyncio
import contextlib
import json

import pytest
from typer.testing import CliRunner

from taskflow import RunFailedError, RunFilter, RunFilterError, RunNotFoundError, RunStatus, runs
from taskflow.cli.doctor import history as doctor_history
from taskflow.cli.main import app as application
from tests.conftest import StartFleet
from tests.projects import fleet_tasks as tasks
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until


def count(wanted: RunFilter) -> int:
    """Return the number of runs in the history, 0 while there is no history yet."""
    with contextlib.suppress(RunFilterError):
        return len(runs.list(where=wanted))
    return 0


@pytest.mark.timeout(60)
def test_runs_are_found_before_during_and_after_they_leave_the_store(
    start_fleet: StartFleet, valkey: RedisServer
) -> None:
    """``runs.retrieve`` and ``runs.list`` give the same, wherever a run is."""
    fleet = start_fleet(valkey.url, database_url=None)
    early = tasks.echo.trigger(1, tags="early")
    assert [run.id for run in runs.list(where=RunFilter(tag="early"))] == [early.id]
    with pytest.raises(RunFilterError, match="start a worker"):
        runs.list(where=RunFilter(error="x"))
    node = fleet.start_node()
    later = [tasks.flaky.trigger(5, max_attempts=2, tags=("late", f"n{n}")) for n in range(3)]
    for handle in later:
        with pytest.raises(RunFailedError):
            handle.result(timeout=10)
    assert early.result(timeout=10) == 1
    by_error = RunFilter(error="ATTEMPT 2")
    wait_until(lambda: count(by_error) == 3, "the failures to be in the history")
    listed = CliRunner().invoke(application, ["runs", "list", "--error", "ATTEMPT 2", "--json", "-A", tasks.__name__])
    assert {run["id"] for run in json.loads(listed.output)} == {handle.id for handle in later}

    wait_until(lambda: "; 0 entries behind" in doctor_history(fleet.flow), "nothing to be behind")
    known = later[0].retrieve()
    with contextlib.closing(valkey.client()) as client:
        base = fleet.flow.store.config.base(0)
        client.execute_command("DEL", *(f"{base}:run:{handle.id}" for handle in later), f"{base}:finished")
    assert later[0].retrieve() == known
    assert asyncio.run(runs.aretrieve(later[0].id)) == known
    assert len(known.attempts) == 2
    first = runs.list(2, where=RunFilter(status=RunStatus.FAILED, tag=["n0", "n1", "n2"]))
    second = asyncio.run(runs.alist(2, where=RunFilter(status=RunStatus.FAILED), cursor=first.cursor))
    newest = sorted((handle.retrieve() for handle in later), key=lambda run: (run.created_at, run.id), reverse=True)
    assert [run.id for run in (*first, *second)] == [run.id for run in newest]  # some runs have the same millisecond
    with pytest.raises(RunNotFoundError):
        runs.retrieve("run_unknown")
    assert node.stop() == 0


@pytest.mark.timeout(60)
def test_a_worker_without_its_database_runs_everything(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """The hot path never waits for SQL."""
    fleet = start_fleet(valkey.url, database_url="postgresql://taskflow:secret@127.0.0.1:1/none")
    node = fleet.start_node()
    assert [tasks.echo.trigger(n).result(timeout=10) for n in range(5)] == list(range(5))
    wait_until(lambda: "history.waiting" in node.output(), "the worker to say so")
    assert "secret" not in node.output()
    assert node.stop() == 0
