"""Celery's signals, current task and books, for runs in children and for coroutines alike."""

from functools import partial
from typing import Any

import pytest

from taskflow import RunStatus
from tests.conftest import StartFleet
from tests.projects import signal_tasks as tasks
from tests.support.fleet import TASKS, Fleet
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.interpreter

ALL = f"{TASKS},tests.projects.signal_tasks"
PAIRS: dict[str, tuple[Any, Any, Any]] = {
    "process": (tasks.work, tasks.odd, tasks.hang),
    "async": (tasks.awork, tasks.aodd, tasks.ahang),
}


@pytest.fixture
def fleet(start_fleet: StartFleet, valkey: RedisServer) -> Fleet:
    return start_fleet(valkey.url, lease=3, heartbeat=0.5)


def signals_of(fleet: Fleet, run_id: str) -> list[str]:
    """Return what the receivers have written of a run, without its id."""
    return [" ".join([line[0], *line[2:]]) for line in fleet.ledger() if line[1] == run_id]


def has_signals(fleet: Fleet, run_id: str, count: int) -> bool:
    """Whether so many receivers were called for a run."""
    return len(signals_of(fleet, run_id)) >= count


@pytest.mark.timeout(60)
@pytest.mark.parametrize("executor", ["process", "async"])
def test_receivers_get_the_task_its_request_and_every_documented_argument(fleet: Fleet, executor: str) -> None:
    """Sentry, OpenTelemetry and Django's fix-up read ``sender.name`` and ``task.request``: text has neither."""
    work, odd, _ = PAIRS[executor]
    node = fleet.start_node(executor=executor, TASKFLOW_TASKS=ALL)
    handles = [work.trigger("x") for _ in range(5)]
    failing, shown = work.trigger("fails"), odd.trigger(7)
    assert [handle.result(timeout=20) for handle in handles] == ["x"] * 5
    assert shown.result(timeout=20).number == 7
    wait_until(lambda: failing.status() is RunStatus.FAILED, "the failure")
    name = work.definition.id
    for handle in handles:
        wait_until(partial(has_signals, fleet, handle.id, 4), "the signals")
        assert signals_of(fleet, handle.id) == [
            f"received {name} True",
            f"prerun {name} True {name}",
            f"success {name} True {name} str True",
            f"postrun {name} True {name} SUCCESS str",
        ]
    wait_until(partial(has_signals, fleet, failing.id, 8), "the signals of both attempts")
    seen = signals_of(fleet, failing.id)  # another process than the child's receives the ticket of the next attempt
    assert seen.count(f"received {name} True") == 2
    assert [line for line in seen if not line.startswith("received")] == [
        f"prerun {name} True {name}",
        f"retry {name} True {name} Retry LookupError True",
        f"postrun {name} True {name} RETRY Retry",
        f"prerun {name} True {name}",
        f"failure {name} True {name} LookupError True ExceptionWithTraceback",
        f"postrun {name} True {name} FAILURE LookupError",
    ]
    assert signals_of(fleet, shown.id).count("executed") == 1
    assert "Signal handler" not in node.output()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("executor", ["process", "async"])
def test_what_a_receiver_raises_costs_nothing_but_a_log_line(fleet: Fleet, executor: str) -> None:
    """Telemetry that fails, or leaves, must not fail a run, repeat it, or end its process."""
    work, odd, _ = PAIRS[executor]
    node = fleet.start_node(executor=executor, options=("-E",), TASKFLOW_TASKS=ALL, BAD_RECEIVERS="1")
    family = node.family()
    handles = [work.trigger("x") for _ in range(3)]
    failing, shown = work.trigger("fails"), odd.trigger(7)
    assert [handle.result(timeout=20) for handle in handles] == ["x"] * 3
    assert shown.result(timeout=20).number == 7
    wait_until(lambda: failing.status() is RunStatus.FAILED, "the failure")
    assert [len(handle.retrieve().attempts) for handle in (*handles, shown, failing)] == [1, 1, 1, 1, 2]
    assert signals_of(fleet, shown.id).count("executed") == 1
    assert node.family() == family
    assert "receiver.failed" in node.output()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("executor", ["process", "async"])
def test_celery_lists_what_executes_and_ends_it(fleet: Fleet, executor: str) -> None:
    """``celery inspect active``, ``revoke(terminate=True)`` and Flower's button work for coroutines, too."""
    work, _, hang = PAIRS[executor]
    fleet.start_node(executor=executor, TASKFLOW_TASKS=ALL)
    control = fleet.flow.celery.control
    handle, done = hang.trigger(), work.trigger("x")
    assert done.result(timeout=20) == "x"
    wait_until(lambda: [line[0] for line in fleet.ledger() if line[1] == handle.id][-1:] == ["hangs"], "the run")

    def active() -> list[Any]:
        return [each for found in (control.inspect(timeout=2, limit=1).active() or {}).values() for each in found]

    (shown,) = wait_until(lambda: found if len(found := active()) == 1 else [], "only the run that executes")
    assert (shown["id"], shown["name"], shown["type"]) == (handle.id, hang.definition.id, hang.definition.id)
    assert shown["time_start"]
    control.revoke(handle.id, terminate=True)
    wait_until(lambda: handle.status() is RunStatus.CANCELED, "the end")
    wait_until(lambda: not active(), "the books to be empty")
    wait_until(lambda: f"revoked {hang.definition.id} True False" in signals_of(fleet, handle.id), "the signal")
    assert work.trigger("x").result(timeout=20) == "x"
