"""Pool children of a real Celery node: their deaths, the reports of these deaths, and what remains."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from taskflow.worker.children.memory import family, proportional, resident
from tests.faults.proxy import Proxy, through
from tests.integration.worker_processes.fleet import ROOT, Events
from tests.support.measured_time import measured_unit
from tests.support.processes import kill_group, spawn, stop_group, tail
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until


class Node(Events):
    """A running node of ``stock_app``."""

    def __init__(self, folder: Path, broker: str, concurrency: int, **env: str) -> None:
        super().__init__(folder, broker)
        argv = [sys.executable, "-m", "celery", "-A", "stock_app", "worker", "-c", str(concurrency), "-P", "prefork"]
        argv += ["-O", "fair", "--without-gossip", "--without-mingle", "--loglevel", "INFO"]
        with self.log.open("ab") as output:
            self.process = spawn(argv, env={**self.env, **env}, output=output)
        self.node = self.wait_for("node", timeout=20)

    def wait_until_ready(self) -> None:
        """Wait until the node consumes."""
        wait_until(lambda: " ready." in self.log.read_text(), f"the node; {tail(self.log)}", timeout=20)


StartNode = Callable[..., Node]


@pytest.fixture
def start_node(tmp_path: Path, valkey: RedisServer) -> Iterator[StartNode]:
    """Start nodes that end with the test."""
    nodes: list[Node] = []

    def start(concurrency: int = 1, *, broker: str = "", **env: str) -> Node:
        folder = tmp_path / f"node-{len(nodes)}"
        folder.mkdir()
        nodes.append(Node(folder, broker or valkey.url, concurrency, **env))
        if not broker:
            nodes[-1].wait_until_ready()
        return nodes[-1]

    yield start
    for node in nodes:
        kill_group(node.process)
        node.close()


def is_gone(pid: int) -> bool:
    """Whether a process has ended. A zombie has ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


def stop_with_job(node: Node, child: int) -> str:
    """Stop the only child, with a job in its pipe."""
    os.kill(child, signal.SIGSTOP)
    run = node.send("hold", 0)
    wait_until(lambda: f"[{run}] received" in node.log.read_text(), "the job to be at hand")
    node.command("child_of", run_id=run)  # the reply shows that the loop has turned, so the job is written
    return run


def test_a_killed_child_is_reported_and_replaced_within_a_second(start_node: StartNode) -> None:
    """Celery alone takes up to 5 s, and a run must not wait for its next attempt that long."""
    node = start_node()
    busy = node.started("hold", 60)
    with measured_unit() as unit:
        os.kill(busy["pid"], signal.SIGKILL)
        killed_at = time.time()
        ended = node.wait_for("exit", pid=busy["pid"])
        after = node.started("hold", 0)
    assert (ended["signal"], ended["exitcode"], ended["reason"]) == (signal.SIGKILL, None, "")
    assert ended["runs"] == [busy["id"]]
    assert ended["at"] - killed_at < unit.times(20)
    assert after["at"] - killed_at < unit.times(20)


def test_a_child_whose_last_words_were_not_read_is_reported_with_its_run(start_node: StartNode) -> None:
    """Its end may be handled before its result is read, so the node also checks its children at other times."""
    node = start_node()
    [child] = node.node["children"]
    run = stop_with_job(node, child)
    node.celery.control.broadcast("lose_unheard", reply=True, timeout=5, limit=1)
    assert node.wait_for("exit", pid=child)["runs"] == [run]


def test_an_idle_child_that_dies_is_replaced_too(start_node: StartNode) -> None:
    """The next run must find a child. The exit names no run."""
    node = start_node()
    [child] = node.node["children"]
    os.kill(child, signal.SIGKILL)
    assert node.wait_for("exit", pid=child)["runs"] == []
    assert node.started("hold", 0)["pid"] != child


def test_a_child_that_dies_before_the_broker_is_there_does_not_end_the_node(
    start_node: StartNode, valkey: RedisServer
) -> None:
    """Celery treats it as a child that could not start, however long ago it did. A lost lease ends all children so."""
    with contextlib.closing(Proxy(valkey.port)) as proxy:
        proxy.refuses = True
        node = start_node(2, broker=through(proxy, valkey.url))
        [child, other] = node.node["children"]
        os.kill(child, signal.SIGKILL)
        wait_until(lambda: is_gone(child), "the child to end")
        proxy.heal()
        node.wait_until_ready()
        assert node.wait_for("exit", pid=child)["signal"] == signal.SIGKILL
        busy = {node.started("hold", 60)["pid"] for _ in range(2)}
        assert other in busy
        assert child not in busy


def test_a_connection_that_breaks_while_it_is_made_does_not_end_a_node_that_has_lost_a_child(
    start_node: StartNode,
) -> None:
    """Before its loop Celery frees no pipes of dead children, and has none for the next ones."""
    node = start_node(2, LOSE_EARLY="1")
    dead = node.wait_for("lost")["pid"]
    assert node.wait_for("exit", pid=dead)["signal"] == signal.SIGKILL
    busy = {node.started("hold", 60)["pid"] for _ in range(2)}
    assert busy == {*node.node["children"]}
    assert dead not in busy


def test_nothing_is_read_for_a_child_that_died_with_a_job_in_its_pipe(start_node: StartNode) -> None:
    """The number of its pipe belongs to another descriptor then. A store's socket has lost four bytes in this way."""
    node = start_node(1, TAKE_NUMBERS="1")
    [child] = node.node["children"]
    run = stop_with_job(node, child)
    os.kill(child, signal.SIGKILL)
    assert node.wait_for("end", id=run)["pid"] != child
    known = node.command("read_children")
    assert sorted(known["read"]) == sorted(known["alive"])


def test_a_connection_that_is_lost_while_a_child_dies_does_not_end_the_node(
    start_node: StartNode, valkey: RedisServer
) -> None:
    """Celery has closed the child's pipe, cannot wait for the child yet, and fails when it listens to that pipe."""
    node = start_node()
    node.celery.control.broadcast("close_pipes", reply=True, timeout=5, limit=1)
    with contextlib.closing(valkey.client()) as client:
        client.execute_command("CLIENT", "KILL", "TYPE", "normal")
    wait_until(lambda: node.log.read_text().count("Connected to") == 2, "the node to reconnect")
    assert node.started("hold", 0)["pid"] in node.node["children"]


def test_what_a_run_had_spawned_dies_with_its_child(start_node: StartNode) -> None:
    """Processes that a dead child has started must not live on with the node."""
    node = start_node()
    busy = node.started("hold", 60, True)
    assert busy["pgid"] == busy["pid"]
    os.kill(busy["pid"], signal.SIGKILL)
    wait_until(lambda: is_gone(busy["spawned"]), "the spawned process to die")
    assert node.process.poll() is None


def test_killing_only_the_parent_takes_children_and_their_spawn_along(start_node: StartNode) -> None:
    """Nothing may go on executing a run that another node will start again."""
    node = start_node(2)
    busy = node.started("hold", 60, True)
    family = [*node.node["children"], busy["spawned"], node.node["guard"]]
    os.kill(node.process.pid, signal.SIGKILL)
    wait_until(lambda: all(map(is_gone, family)), f"{family} to die", timeout=5)


def test_a_killed_guard_is_replaced_and_knows_what_the_first_knew(start_node: StartNode) -> None:
    """The guard is a process like any other: the kernel may kill it for its memory."""
    node = start_node()
    busy = node.started("hold", 60, True)
    os.kill(node.node["guard"], signal.SIGKILL)
    wait_until(lambda: "guard.replaced" in node.log.read_text(), "the second guard")
    os.kill(node.process.pid, signal.SIGKILL)
    wait_until(lambda: is_gone(busy["spawned"]), "the spawned process to die")


def test_stopping_a_run_ends_its_child_and_frees_its_place(start_node: StartNode) -> None:
    """A cancel names a run. The child gets SIGTERM, and another child takes its place."""
    node = start_node()
    busy = node.started("hold", 60)
    assert node.command("stop_run", run_id=busy["id"], grace=60) == {"pid": busy["pid"], "killed": True}
    ended = node.wait_for("exit", pid=busy["pid"])
    assert (ended["reason"], ended["runs"]) == ("canceled", [busy["id"]])
    assert ended["at"] - busy["at"] < 50, "SIGTERM was enough"
    assert node.started("hold", 0)["pid"] != busy["pid"]


def test_a_run_that_resists_is_killed_after_the_grace(start_node: StartNode) -> None:
    """Code may catch SystemExit; it may not catch SIGKILL."""
    node = start_node()
    busy = node.started("resist", 60)
    with measured_unit() as unit:
        node.command("stop_run", run_id=busy["id"], grace=0.5)
        ended = node.wait_for("exit", pid=busy["pid"])
    resisted = node.wait_for("resisted", pid=busy["pid"])
    assert ended["signal"] == signal.SIGKILL
    assert 0.3 < ended["at"] - resisted["at"] < unit.times(40)


def test_a_child_that_was_asked_to_end_gets_no_other_run(start_node: StartNode) -> None:
    """A run that outlives SIGTERM and returns must not hand its own SIGKILL on to the next run."""
    node = start_node()
    busy = node.started("resist", 1)
    following = node.send("hold", 0.5)
    node.command("stop_run", run_id=busy["id"], grace=60)
    assert node.wait_for("end", id=following)["pid"] != busy["pid"]
    ended = node.wait_for("exit", pid=busy["pid"])
    assert ended["at"] - busy["at"] < 50, "killed when it returned, not after the grace"


def test_a_run_that_is_over_is_not_found(start_node: StartNode) -> None:
    """Its child belongs to another run by now."""
    node = start_node()
    over = node.send("hold", 0)
    node.wait_for("end", id=over)
    other = node.started("hold", 60)
    assert node.command("stop_run", run_id=over, grace=0) == {"pid": None, "killed": False}
    assert not is_gone(other["pid"])


@pytest.mark.parametrize("elsewhere", [False, True], ids=["in the child", "in a process it started"])
def test_a_child_over_its_machines_memory_is_killed_alone(start_node: StartNode, elsewhere: bool) -> None:
    """A run's memory is that of its child and of the processes that the child started. Other runs go on."""
    node = start_node(2, MEMORY_LIMIT=str(200 << 20))
    neighbour = node.started("hold", 60)
    go = node.file.with_name("go")
    heavy = node.started("swell", 300, str(go), elsewhere)
    wait_until(
        lambda: node.command("child_of", run_id=heavy["id"]) == {"pid": heavy["pid"]}, "the node to know its child"
    )
    go.touch()
    ended = node.wait_for("exit", pid=heavy["pid"])
    assert (ended["signal"], ended["reason"], ended["runs"]) == (signal.SIGKILL, "out of memory", [heavy["id"]])
    assert not is_gone(neighbour["pid"])


def test_memory_that_processes_share_counts_once(start_node: StartNode) -> None:
    """A run that forks helpers around its data has not taken the data's memory four times."""
    node = start_node(1, MEMORY_LIMIT=str(300 << 20))
    run = node.send("share", 120, 2)
    assert node.wait_for("end", id=run)["held"] == 120 << 20
    assert not node.events("exit")


def test_the_family_of_a_process_is_found_without_a_scan(tmp_path: Path) -> None:
    """A scan of all processes of the host would be too slow for ten times a second."""
    pids = tmp_path / "pids"
    grandparent = spawn(["sh", "-c", f"(sleep 60 & echo $! > {pids}; wait) & wait"])
    grandchild = wait_until(lambda: pids.exists() and int(pids.read_text() or 0), "the grandchild")
    assert {grandparent.pid, grandchild} < family(grandparent.pid)
    assert resident(grandchild) > 0
    assert 0 < proportional(grandchild) <= resident(grandchild)
    kill_group(grandparent)


def test_a_child_killed_while_the_node_drains_is_reported(start_node: StartNode) -> None:
    """A draining node has left its loop. Even then its runs must not be lost silently."""
    node = start_node(2)
    busy = node.started("hold", 60)
    last = node.started("hold", 2)
    node.process.terminate()
    wait_until(lambda: "Warm shutdown" in node.log.read_text(), "the drain")
    os.kill(busy["pid"], signal.SIGKILL)
    assert node.wait_for("exit", pid=busy["pid"])["runs"] == [busy["id"]]
    node.wait_for("end", id=last["id"])
    assert node.process.wait(10) == 0


def test_a_clean_end_leaves_nothing_behind(start_node: StartNode) -> None:
    """Processes that a finished run had started in the background end with the node."""
    node = start_node()
    left = node.started("leave_behind")
    assert stop_group(node.process, 15) == 0
    family = [*node.node["children"], node.node["guard"], left["spawned"]]
    wait_until(lambda: all(map(is_gone, family)), f"{family} to end", timeout=5)


def test_children_are_still_watched_after_the_broker_was_lost(start_node: StartNode, valkey: RedisServer) -> None:
    """A reconnect empties Celery's event loop, except for what is registered again."""
    node = start_node()
    before = len(node.log.read_text())
    valkey.restart()
    wait_until(lambda: "Connected to" in node.log.read_text()[before:], f"the reconnect: {tail(node.log)}", timeout=20)
    busy = node.started("hold", 60)
    with measured_unit() as unit:
        os.kill(busy["pid"], signal.SIGKILL)
        killed_at = time.time()
        ended = node.wait_for("exit", pid=busy["pid"])
        after = node.started("hold", 0)
    assert ended["at"] - killed_at < unit.times(20)
    assert after["at"] - killed_at < unit.times(40)


def test_a_grandchild_without_exec_does_not_keep_the_guard_waiting(tmp_path: Path) -> None:
    """The pipe's write end is closed in every fork, because one open copy would hide the node's death for ever."""
    code = """
import os, sys, time
from taskflow.worker.children.guard import Guard
guard = Guard()
child = os.fork()
if not child:
    os.setpgid(0, 0)
    if os.fork():
        os._exit(0)
    os.setpgid(0, 0)  # not in the watched group: only this fork's copy of the pipe could matter
    time.sleep(600)
watched = os.fork()
if not watched:
    os.setpgid(0, 0)
    time.sleep(600)
guard.watch(watched)
print(guard.pid, watched, flush=True)
time.sleep(600)
"""
    output = tmp_path / "output"
    with output.open("wb") as file:
        node = spawn([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)}, output=file)
    guard, watched = wait_until(lambda: [int(pid) for pid in output.read_text().split()], "the guard")
    wait_until(lambda: os.getpgid(watched) == watched, "its own group")
    left = [process.pid for process in psutil.process_iter() if _was_started_by(process, node)]
    os.kill(node.pid, signal.SIGKILL)
    wait_until(lambda: is_gone(watched) and is_gone(guard), "the guard to act")
    kill_group(node)
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _was_started_by(process: psutil.Process, node: "subprocess.Popen[bytes]") -> bool:
    with contextlib.suppress(ProcessLookupError):
        return os.getsid(process.pid) == node.pid
    return False
