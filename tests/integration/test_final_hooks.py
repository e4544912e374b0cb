"""Final hooks run once, however a run ends, and whether its code is alive or not."""

import pytest

from taskflow import RunFailedError, RunHandle, RunStatus
from tests.conftest import StartFleet
from tests.projects import fleet_tasks as tasks
from tests.support.fleet import Fleet
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until

HOOKS = ("on_success", "on_failure", "on_cancel", "on_complete")
QUICK = {"lease": 3, "heartbeat": 1, "reservation_timeout": 2}


def hooks_of(fleet: Fleet, handle: RunHandle[str]) -> list[tuple[str, str]]:
    """Return the final hooks of a run with their reasons, from the ledger."""
    return [(line[0], line[2]) for line in fleet.ledger() if line[0] in HOOKS and line[1] == handle.id]


def wait_for_hooks(fleet: Fleet, handle: RunHandle[str], kind: str, reason: str) -> None:
    """Wait until a run's final hooks have run, and check that they were these, once each."""
    expected = [(kind, reason), ("on_complete", reason)]
    wait_until(lambda: len(hooks_of(fleet, handle)) >= 2, f"the hooks of {handle}", timeout=15)
    assert hooks_of(fleet, handle) == expected


def started(fleet: Fleet, handle: RunHandle[str]) -> int:
    """Return the number of a run's starts, from the ledger."""
    return sum(line[:2] == ["start", handle.id] for line in fleet.ledger())


@pytest.mark.timeout(90)
@pytest.mark.parametrize("executor", ["process", "async"])
def test_final_hooks_run_once_however_a_run_ends(fleet: Fleet, executor: str) -> None:
    """The ends are success, failure, cancel in each status, expiry and timeout."""
    task = tasks.hooked if executor == "process" else tasks.async_hooked
    delayed = task.trigger(tasks.Doing(), delay="1h")
    queued = task.trigger(tasks.Doing())
    expired = task.trigger(tasks.Doing(), ttl=0.2)
    assert delayed.cancel()
    assert queued.cancel()
    node = fleet.start_node(executor=executor, concurrency=4)
    wait_until(lambda: expired.status() is RunStatus.EXPIRED, "the run to expire", timeout=5)
    succeeded, failed = task.trigger(tasks.Doing()), task.trigger(tasks.Doing(fail=True))
    executing = task.trigger(tasks.Doing(seconds=60))
    slow = task.trigger(tasks.Doing(seconds=60), max_duration=0.5)
    assert succeeded.result(timeout=10) == "done"
    with pytest.raises(RunFailedError, match="as told"):
        failed.result(timeout=10)
    wait_until(lambda: started(fleet, executing), "the run to start")
    retrying = tasks.hooked.trigger(tasks.Doing(), delay="1h")
    assert executing.cancel()
    with pytest.raises(RunFailedError) as raised:
        slow.result(timeout=10)
    assert (raised.value.status, raised.value.type) == ("TIMED_OUT", "TimedOut")
    for handle, kind, reason in (
        (delayed, "on_cancel", "canceled"),
        (queued, "on_cancel", "canceled"),
        (expired, "on_failure", "expired"),
        (succeeded, "on_success", "completed"),
        (failed, "on_failure", "failed"),
        (executing, "on_cancel", "canceled"),
        (slow, "on_failure", "timed-out"),
    ):
        wait_for_hooks(fleet, handle, kind, reason)
    assert [started(fleet, handle) for handle in (delayed, queued, expired, failed, slow)] == [0, 0, 0, 2, 1]
    assert retrying.cancel()
    assert node.process.poll() is None


@pytest.mark.timeout(60)
def test_final_hooks_run_when_the_worker_was_killed(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """The lost attempt was the last one allowed: the run is SYSTEM_FAILURE, and another worker runs the hooks."""
    fleet = start_fleet(valkey.url, max_lost=0, **QUICK)
    first = fleet.start_node()
    handle = tasks.hooked.trigger(tasks.Doing(seconds=60))
    wait_until(lambda: started(fleet, handle), "the run to start")
    fleet.start_node()
    first.kill()
    wait_for_hooks(fleet, handle, "on_failure", "worker-lost")
    assert handle.status() is RunStatus.SYSTEM_FAILURE


@pytest.mark.timeout(60)
def test_a_worker_that_dies_in_a_final_hook_executes_nothing_again(
    start_fleet: StartFleet, valkey: RedisServer
) -> None:
    """The hook runs at least once more. The function does not, and the outcome stays."""
    fleet = start_fleet(valkey.url, **QUICK)
    fleet.start_node()
    handle = tasks.hooked.trigger(tasks.Doing(), tags="die-in-hook")
    assert handle.result(timeout=20) == "done"
    wait_until(lambda: len(hooks_of(fleet, handle)) >= 5, "the hooks to run again", timeout=15)
    kinds = [kind for kind, _ in hooks_of(fleet, handle)]
    assert kinds == ["on_success", "on_success", "on_complete", "on_success", "on_complete"]  # each hook has died once
    assert started(fleet, handle) == 1
