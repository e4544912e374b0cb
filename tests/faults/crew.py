"""The nodes of the fault driver. Their number stays the same, whatever fault hits them."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.fleet import Fleet, Node
from tests.support.processes import group_is_alive
from tests.support.waiting import wait_until

POSTS: tuple[Mapping[str, object], ...] = (
    {"executor": "process", "concurrency": 3},
    {"executor": "async", "concurrency": 40},
    {"executor": "process", "concurrency": 2},
    {"executor": "async", "concurrency": 20},
)
STOP_SECONDS = 60


@dataclass(slots=True)
class Freeze:
    """The time for which a node's processes stood still, by the host's clock. ``until`` is infinite while they do."""

    pids: tuple[int, ...]
    since: float
    until: float = float("inf")


@dataclass
class Crew:
    """One node at each post.

    Attributes:
        errors: Nodes that ended on their own, or that did not end when asked to.
    """

    fleet: Fleet
    nodes: list[Node] = field(default_factory=list[Node])
    freezes: list[Freeze] = field(default_factory=list[Freeze])
    errors: list[str] = field(default_factory=list[str])
    _leaving: list[tuple[Node, float]] = field(default_factory=list[tuple[Node, float]])
    _frozen: dict[int, Freeze] = field(default_factory=dict[int, Freeze])

    def start(self) -> None:
        """Start every node, and wait for their leases."""
        self.nodes = [self._start(post) for post in range(len(POSTS))]
        for node in self.nodes:
            self.fleet.wait_for(node)

    def is_frozen(self, post: int) -> bool:
        """Whether the node at a post stands still."""
        return post in self._frozen

    def kill(self, post: int, *, with_children: bool) -> None:
        """``kill -9`` a node, or only its parent process, and start another."""
        node = self.nodes[post]
        if with_children:
            for pid in reversed(_family(node)):
                _signal(pid, signal.SIGKILL)
        node.process.send_signal(signal.SIGKILL)
        node.process.wait(10)
        self.nodes[post] = self._start(post)

    def terminate(self, post: int) -> None:
        """Send SIGTERM to a node and start another, without waiting until the first has drained."""
        node = self.nodes[post]
        node.process.terminate()
        self._leaving.append((node, time.monotonic()))
        self.nodes[post] = self._start(post)

    def kill_child(self, post: int, choice: float) -> bool:
        """``kill -9`` one of a node's children. Returns False when it has none."""
        children = _family(self.nodes[post])[1:]
        if not children:
            return False
        _signal(children[int(choice * len(children))], signal.SIGKILL)
        return True

    def freeze(self, post: int) -> None:
        """Send SIGSTOP to a node and its children."""
        pids = _family(self.nodes[post])
        for pid in pids:
            _signal(pid, signal.SIGSTOP)
        self._frozen[post] = Freeze(tuple(pids), time.time())
        self.freezes.append(self._frozen[post])

    def wake(self, post: int) -> None:
        """Send SIGCONT to the processes that ``freeze`` has stopped."""
        freeze = self._frozen.pop(post)
        for pid in reversed(freeze.pids):
            _signal(pid, signal.SIGCONT)
        freeze.until = time.time()

    def look(self) -> None:
        """Start a node for each that ended on its own, and record an error."""
        for post, node in enumerate(self.nodes):
            code = node.process.poll()
            if code is not None:
                if not _could_not_start(node):
                    self.errors.append(f"{node.name} ended on its own with {code}: {node.log}")
                self.nodes[post] = self._start(post)
        for node, asked in list(self._leaving):
            if node.process.poll() is not None:
                self._leaving.remove((node, asked))
                if node.process.returncode != 0 and not _could_not_start(node):
                    self.errors.append(f"{node.name} was asked to stop and ended with {node.process.returncode}")
            elif time.monotonic() - asked > STOP_SECONDS:
                self._leaving.remove((node, asked))
                self.errors.append(f"{node.name} did not stop within {STOP_SECONDS} s: {node.log}")
                _cry(node)
                node.kill()

    def gather(self) -> None:
        """Wake frozen nodes, and wait until every node has a lease and those asked to stop have ended."""
        for post in list(self._frozen):
            self.wake(post)
        self.look()
        for node in self.nodes:
            self.fleet.wait_for(node)

        def have_left() -> bool:
            self.look()
            return not self._leaving

        wait_until(have_left, "the nodes that were asked to stop to end", timeout=STOP_SECONDS + 10, interval=0.1)

    def leave(self) -> None:
        """Send SIGTERM to every node. Records an error for a node that does not end well or leaves a process behind."""
        for node in self.nodes:
            node.process.terminate()
        for node in self.nodes:
            with contextlib.suppress(subprocess.TimeoutExpired):  # a second SIGTERM would ask for a cold shutdown
                node.process.wait(STOP_SECONDS)
            code = node.process.poll()
            if code is None:
                _cry(node)
            if code != 0:
                self.errors.append(f"{node.name} was stopped at the end and ended with {code}: {node.log}")
        self.errors += [f"{node.name} left processes behind" for node in self.fleet.nodes if group_is_alive(node.pid)]

    def logs(self) -> dict[str, str]:
        """Return the log of every node that there was, by its name."""
        return {node.name: node.output() for node in self.fleet.nodes}

    def _start(self, post: int) -> Node:
        return self.fleet.start_node(wait=False, **dict(POSTS[post]))  # type: ignore[arg-type]  # the posts say only what start_node takes


def _could_not_start(node: Node) -> bool:
    """Whether a node ended before it had started: it found no store, or was asked to stop before it handled signals."""
    was_killed = node.process.returncode == -signal.SIGTERM
    return "node.ready" not in node.output() and (was_killed or "StoreUnavailableError" in node.output())


def _cry(node: Node) -> None:
    """Make a node that hangs log the stack of each of its threads: Celery's answer to SIGUSR1."""
    size = len(node.output())
    node.process.send_signal(signal.SIGUSR1)
    with contextlib.suppress(AssertionError):
        wait_until(lambda: len(node.output()) > size, "the stacks of a node that hangs", timeout=5)


def _family(node: Node) -> list[int]:
    with contextlib.suppress(FileNotFoundError):
        return node.family()
    return [node.pid] if Path(f"/proc/{node.pid}").exists() else []


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
