"""A store that has reached its ``maxmemory``: new data is refused by name, and what exists goes on and ends."""

import os
import signal
import time

import pytest

from taskflow import RunStatus, StoreFullError, runs
from taskflow.cli.doctor import _store  # pyright: ignore[reportPrivateUsage] - one finding of the doctor
from tests.conftest import MakeServer, StartFleet
from tests.projects import fleet_tasks
from tests.projects.fleet_tasks import Nap
from tests.support.waiting import wait_until


@pytest.mark.parametrize("executor", ["process", "async"])
def test_runs_end_on_a_full_store_that_has_not_their_scripts_yet(
    start_valkey: MakeServer, start_fleet: StartFleet, executor: str
) -> None:
    """A full server takes no function that it does not have, and ending runs are what frees its memory."""
    server = start_valkey()
    fleet = start_fleet(server.url, lease=3, heartbeat=1)
    node = fleet.start_node(executor=executor)
    task = fleet_tasks.sleep if executor == "process" else fleet_tasks.async_sleep
    handle = task.trigger(Nap(seconds=1))
    wait_until(lambda: fleet.ledger(), "the run to execute")
    with server.full():
        wait_until(lambda: handle.status() is RunStatus.COMPLETED, "the run to end", timeout=15)
    assert len(handle.retrieve().attempts) == 1
    assert "node.lost" not in node.output()


def test_a_trigger_on_a_full_store_says_so(start_valkey: MakeServer, start_fleet: StartFleet) -> None:
    """The error names the cause and the remedy, and that the run does not exist."""
    server = start_valkey()
    fleet = start_fleet(server.url, connect_timeout=1)
    with server.full():
        with pytest.raises(StoreFullError, match=r"maxmemory.*was not made.*TASKFLOW_RETENTION") as one:
            fleet_tasks.echo.trigger("x")
        assert not one.value.may_exist
        with pytest.raises(Exception, match=r"run store is full.*0 of 2 items"):
            fleet_tasks.echo.batch_trigger(["x", "y"])
        with pytest.raises(StoreFullError, match="maxmemory"):
            _store(fleet.flow)
    assert fleet_tasks.echo.trigger("x").status() is RunStatus.QUEUED
    _store(fleet.flow)


@pytest.mark.parametrize("executor", ["process", "async"])
def test_a_node_starts_on_a_full_store(start_valkey: MakeServer, start_fleet: StartFleet, executor: str) -> None:
    """A node that could not start would leave the runs that fill the store there for ever."""
    server = start_valkey()
    fleet = start_fleet(server.url)
    task = fleet_tasks.echo if executor == "process" else fleet_tasks.async_echo
    handle = task.trigger("x")
    with server.full():
        node = fleet.start_node(executor=executor)
        wait_until(lambda: handle.status() is RunStatus.COMPLETED, "the run to end", timeout=20)
    assert "Traceback" not in node.output()


def test_plain_messages_wait_while_the_store_is_full(start_valkey: MakeServer, start_fleet: StartFleet) -> None:
    """A good message is not refused because its run can't be made now."""
    server = start_valkey()
    fleet = start_fleet(server.url, connect_timeout=1)
    node = fleet.start_node()
    os.kill(node.pid, signal.SIGSTOP)
    ids = [fleet.flow.celery.send_task("t-echo", args=[number]).id for number in range(3)]
    with server.full():
        os.kill(node.pid, signal.SIGCONT)
        wait_until(lambda: "message.returned" in node.output(), "a message to go back")
    wait_until(lambda: all(_status(one) is RunStatus.COMPLETED for one in ids), "their runs to end", timeout=20)
    assert "refused" not in node.output()


def _status(run_id: str) -> RunStatus | None:
    try:
        return runs.retrieve(run_id).status
    except LookupError:
        return None


def test_tickets_go_back_to_a_full_store(start_valkey: MakeServer, start_fleet: StartFleet) -> None:
    """A node that was asked to stop puts back what it has taken, although its server takes no new data."""
    server = start_valkey()
    fleet = start_fleet(server.url)
    node = fleet.start_node(concurrency=1)
    handles = [fleet_tasks.sleep.trigger(Nap(seconds=0.05)) for _ in range(60)]
    wait_until(lambda: len(fleet.ledger()) > 20, "some runs to execute")
    with server.full():
        node.stop()
        began = time.monotonic()
        fleet.start_node(concurrency=2)
        wait_until(lambda: all(handle.status() is RunStatus.COMPLETED for handle in handles), "all to end", timeout=20)
    assert time.monotonic() - began < 20  # upkeep would publish a lost ticket after 30 s
    assert "OutOfMemoryError" not in node.output()
