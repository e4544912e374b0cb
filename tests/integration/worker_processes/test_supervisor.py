"""The supervisor of real nodes: it drains them, stops them at once, starts them again, and leaves no process behind."""

import contextlib
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.integration.worker_processes.fleet import HERE, Events
from tests.support.measured_time import measured_unit
from tests.support.processes import kill_group, spawn, tail
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until


class Fleet(Events):
    """A supervisor and its nodes. All their processes carry a marker in the environment."""

    def __init__(self, folder: Path, broker: str, nodes: int, kill_after: float, stop_after: float) -> None:
        super().__init__(folder, broker)
        self.marker = secrets.token_hex(8)
        env = {**self.env, "FLEET_MARKER": self.marker}
        argv = [sys.executable, str(HERE / "supervise.py"), str(nodes), str(kill_after), str(stop_after)]
        with self.log.open("ab") as output:
            self.process = spawn(argv, env=env, output=output)
        wait_until(lambda: self.log.read_text().count(" ready.") == nodes, f"the nodes; {tail(self.log)}", timeout=25)

    def living(self) -> list[psutil.Process]:
        """Return the processes that were started here and have not ended, in any session and group."""
        return [process for process in psutil.process_iter() if _has_marker(process, self.marker)]

    def kill(self) -> None:
        """Kill all of these processes."""
        kill_group(self.process)
        for process in self.living():
            with contextlib.suppress(psutil.Error):
                process.kill()


def _has_marker(process: psutil.Process, marker: str) -> bool:
    with contextlib.suppress(psutil.Error, OSError):
        is_ours = process.environ().get("FLEET_MARKER") == marker
        return is_ours and process.status() != psutil.STATUS_ZOMBIE
    return False


def nothing_is_left(fleet: Fleet) -> None:
    """Expect that all of a fleet ends at once."""
    began = time.monotonic()
    with measured_unit() as unit:
        wait_until(lambda: not fleet.living(), "nothing to be left", timeout=20)
        took = time.monotonic() - began
    assert took < unit.times(40)


StartFleet = Callable[..., Fleet]


@pytest.fixture
def start_fleet(tmp_path: Path, valkey: RedisServer) -> Iterator[StartFleet]:
    """Start supervisors that end with the test."""
    fleets: list[Fleet] = []

    def start(nodes: int = 2, kill_after: float = 10, stop_after: float = 600) -> Fleet:
        fleets.append(Fleet(tmp_path, valkey.url, nodes, kill_after, stop_after))
        return fleets[-1]

    yield start
    for fleet in fleets:
        fleet.kill()
        fleet.close()


def test_the_first_ctrl_c_waits_for_what_executes_and_leaves_nothing(start_fleet: StartFleet) -> None:
    """A drained worker has lost no work. Its output names what it waits for."""
    fleet = start_fleet()
    busy = fleet.started("hold", 2, True)
    fleet.process.send_signal(signal.SIGINT)
    assert fleet.process.wait(20) == 0
    assert fleet.events("end", id=busy["id"])
    assert "(2 runs). Ctrl-C again stops at once." in fleet.log.read_text()
    nothing_is_left(fleet)


def test_the_second_ctrl_c_stops_at_once_and_leaves_nothing(start_fleet: StartFleet) -> None:
    """Runs of an hour must not keep a terminal for an hour. The nodes end in good order, before any SIGKILL."""
    fleet = start_fleet(kill_after=25)
    busy = fleet.started("hold", 600, True)
    fleet.process.send_signal(signal.SIGINT)
    wait_until(lambda: "Warm shutdown" in fleet.log.read_text(), "the drain")
    fleet.process.send_signal(signal.SIGINT)
    assert fleet.process.wait(20) == 1
    assert not fleet.events("end", id=busy["id"])
    nothing_is_left(fleet)


def test_a_stop_at_once_ends_a_child_that_is_about_to_begin(start_fleet: StartFleet) -> None:
    """Celery asks the children whose begin it has read, and waits for the jobs of the others."""
    fleet = start_fleet(1, kill_after=25)
    node = fleet.wait_for("node")
    for child in node["children"]:
        os.kill(child, signal.SIGSTOP)
    fleet.send("hold", 600, True)
    wait_until(lambda: " received" in fleet.log.read_text(), "the node to take it")
    fleet.process.send_signal(signal.SIGINT)
    wait_until(lambda: "Warm shutdown" in fleet.log.read_text(), "the drain")
    fleet.process.send_signal(signal.SIGINT)
    wait_until(lambda: "terminate all running" in fleet.log.read_text(), "the stop")
    for child in node["children"]:
        with contextlib.suppress(ProcessLookupError):  # a frozen child may have been killed
            os.kill(child, signal.SIGCONT)
    assert fleet.process.wait(20) == 1
    nothing_is_left(fleet)


def test_a_node_that_does_not_stop_is_killed(start_fleet: StartFleet) -> None:
    """A frozen node reacts to SIGKILL only."""
    fleet = start_fleet(1, kill_after=0.5)
    fleet.started("hold", 600, True)
    node = fleet.wait_for("node")
    os.kill(node["pid"], signal.SIGSTOP)
    fleet.process.send_signal(signal.SIGTERM)
    fleet.process.send_signal(signal.SIGQUIT)
    assert fleet.process.wait(10) == 1
    nothing_is_left(fleet)


def test_a_node_that_does_not_drain_in_time_is_stopped_at_once(start_fleet: StartFleet) -> None:
    """A container's stop is followed by a SIGKILL, for which no process can prepare."""
    fleet = start_fleet(1, kill_after=0.5, stop_after=0.5)
    fleet.started("hold", 600, True)
    fleet.process.send_signal(signal.SIGTERM)
    assert fleet.process.wait(10) == 1
    assert "Stopping at once." in fleet.log.read_text()
    nothing_is_left(fleet)


def test_a_killed_supervisor_leaves_no_node(start_fleet: StartFleet) -> None:
    """Its nodes drain: runs that execute finish, and none is taken."""
    fleet = start_fleet()
    busy = fleet.started("hold", 2, True)
    fleet.process.kill()
    fleet.wait_for("end", id=busy["id"])
    wait_until(lambda: not fleet.living(), f"nothing to be left: {tail(fleet.log)}", timeout=15)


def test_a_dead_node_is_started_again(start_fleet: StartFleet) -> None:
    """Its neighbours go on. Each line of output names its node."""
    fleet = start_fleet()
    first: dict[str, Any] = fleet.wait_for("node")
    os.kill(first["pid"], signal.SIGKILL)
    wait_until(lambda: len(fleet.events("node")) == 3, f"a third start; {tail(fleet.log)}", timeout=15)
    log = fleet.log.read_text()
    assert "ended with signal 9; it is started again in 1 s." in log
    assert "micro.process#1 | " in log
    assert "micro.process#2 | " in log
