"""Hooks, middlewares and locals on real nodes, seen from a ledger. The unit tests define what each of them means."""

import pytest

from taskflow import ErrorCause, RunFailedError, RunStatus, Task
from tests.conftest import StartFleet
from tests.projects.lifecycle.tasks import Doing, in_loop, in_process
from tests.support.fleet import Fleet
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until

TASKS: dict[str, Task[Doing, str]] = {"process": in_process, "async": in_loop}
BEFORE = ["global-before", "task-before", "init"]
FAILED_ATTEMPT = ["run", "on_error"]
AFTER = ["cleanup", "task-after", "global-saw", "global-after"]


def told(fleet: Fleet, run_id: str) -> list[str]:
    """Return a run's words in the ledger."""
    return [line[1] for line in fleet.ledger() if line[0] == run_id]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("executor", ["process", "async"])
def test_a_run_goes_through_its_hooks_in_order(executor: str, start_fleet: StartFleet, valkey: RedisServer) -> None:
    """The node imports ``init.py`` beside the tasks. The runs fail, succeed, end for good and are canceled."""
    fleet = start_fleet(valkey.url)
    fleet.start_node(executor=executor, TASKFLOW_TASKS="tests.projects.lifecycle.tasks")
    subject = TASKS[executor]

    run = subject.trigger(Doing(succeed_at=2))
    assert run.result(timeout=20) == "set by the global middleware"
    ended = ["global-on_complete", "on_complete", "cleanup", "task-after", "global-after"]
    first = [*BEFORE, "on_start", "on_start_attempt", *FAILED_ATTEMPT, *AFTER]
    second = [*BEFORE, "on_start_attempt", "run", "on_success", *ended]
    wait_until(lambda: len(told(fleet, run.id)) == len(first + second), "the hooks of the end")
    assert told(fleet, run.id) == first + second
    error = run.retrieve().attempts[0].error
    assert error is not None
    assert (error.message, error.causes) == ("not yet", (ErrorCause("KeyError", "'the cause'"),))

    failing = subject.trigger(Doing(succeed_at=9), max_attempts=1)
    with pytest.raises(RunFailedError, match="not yet"):
        failing.result(timeout=20)
    ended = ["on_failure", "global-on_complete", "on_complete"]
    whole = [*BEFORE, "on_start", "on_start_attempt", *FAILED_ATTEMPT, *ended, *AFTER]
    wait_until(lambda: len(told(fleet, failing.id)) == len(whole), "the hooks of the end")
    assert told(fleet, failing.id) == whole
    assert [line for line in fleet.ledger() if line[0] == failing.id and line[1] == "global-on_complete"] == [
        [failing.id, "global-on_complete", "failed"]
    ]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("executor", ["process", "async"])
def test_an_executing_run_that_is_canceled_runs_its_cancel_hooks_once(
    executor: str, start_fleet: StartFleet, valkey: RedisServer
) -> None:
    """The hooks run within the run's middlewares, with its locals. The run is not retried, and the node goes on."""
    fleet = start_fleet(valkey.url)
    fleet.start_node(executor=executor, TASKFLOW_TASKS="tests.projects.lifecycle.tasks")
    subject = TASKS[executor]
    run = subject.trigger(Doing(seconds=60))
    wait_until(lambda: "run" in told(fleet, run.id), "the run to start")
    assert run.cancel()
    wait_until(lambda: "global-after" in told(fleet, run.id), "the code to stop")
    assert told(fleet, run.id)[5:] == ["run", "on_cancel", "global-on_complete", "on_complete", *AFTER]
    assert [run.id, "on_cancel", "set-by-the-global-middleware"] in fleet.ledger()
    assert subject.trigger(Doing()).result(timeout=20) == "set by the global middleware"
    assert run.status() is RunStatus.CANCELED
    assert told(fleet, run.id).count("on_cancel") == 1
