"""Real nodes for the tests: Celery workers in processes of their own, and the app that triggers runs on them."""

import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

from taskflow import Settings, TaskFlow
from taskflow.definition.registry import Registry
from taskflow.worker.attempt.runtime import runtime_of
from tests.support.connections import close_connections
from tests.support.fork_server import ForkServer
from tests.support.processes import Process, kill_group, signal_group, spawn, stop_group, tail
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
_KINDS = ("fleet", "waiting", "scenario", "durable", "unusual", "parameter")
TASKS = ",".join(f"tests.projects.{kind}_tasks" for kind in _KINDS)
ASYNC_POOL = "taskflow.worker.coroutines.pool:AsyncPool"
NODES = ForkServer(
    "celery.__main__",
    "celery.bin.celery",
    "celery.apps.worker",
    "celery.concurrency.prefork",
    "celery.events.state",
    "taskflow.app",
    CELERY_CUSTOM_WORKER_POOL=ASYNC_POOL,
)
"""Forks nodes: an interpreter of its own would import for a second of CPU before it reads a node's app."""


def node_arguments(app: str, name: str, celery_queue: str, executor: str, concurrency: int) -> list[str]:
    """Return the arguments of ``celery`` for a node of a queue."""
    pool = ("-P", "custom") if executor == "async" else ("-P", "prefork", "-O", "fair")
    return [
        "-A", app, "worker", "-Q", celery_queue,
        "-c", str(concurrency), "-n", f"{name}@%h", "--loglevel", "INFO", "--without-gossip", "--without-mingle", *pool,
    ]  # fmt: skip


class Node:
    """One Celery worker process and its children."""

    def __init__(self, name: str, process: Process, log: Path) -> None:
        self.name = name
        self.process = process
        self.log = log
        self._frozen: list[int] = []

    @property
    def pid(self) -> int:
        """The process id of the node's parent process, which leads a process group."""
        return self.process.pid

    def kill(self) -> None:
        """``kill -9`` the node's process group and wake its children, which lead groups of their own and may notice."""
        kill_group(self.process)
        self.wake()

    def stop(self, timeout: float = 30) -> int:
        """Send SIGTERM, at which the node drains and ends. Returns its exit code."""
        return stop_group(self.process, timeout)

    def freeze(self) -> None:
        """Send SIGSTOP to the node and its children."""
        self._frozen = self.family()
        for pid in self._frozen:
            os.kill(pid, signal.SIGSTOP)

    def wake(self) -> None:
        """Send SIGCONT to the processes that ``freeze`` has stopped."""
        for pid in self._frozen:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self._frozen = []

    def family(self) -> list[int]:
        """Return the process ids of the node and of its children."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [self.pid, *map(int, children)]

    def output(self) -> str:
        """Return the content of the node's log."""
        return self.log.read_text(errors="replace")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the node's process group."""
        signal_group(self.process, number)


class Fleet:
    """An environment of its own on given servers. ``flow`` triggers, ``start_node`` adds workers.

    Args:
        broker_url: None when the store is the broker.
        is_new: Whether no worker has ever been up. Otherwise the tests' tasks are registered, as by a worker.
        forks: Whether nodes without options may be forks (``tests.support.fork_server``).
        settings: More ``TASKFLOW_*`` settings, by field name, for the app and the nodes.
    """

    def __init__(
        self,
        folder: Path,
        redis_url: str,
        broker_url: str | None = None,
        *,
        is_new: bool = False,
        forks: bool = True,
        **settings: object,
    ) -> None:
        self.folder = folder
        self.forks = forks
        self.environment = str(settings.get("environment", f"t{uuid4().hex[:8]}"))
        given: dict[str, object] = {"redis_url": redis_url, "broker_url": broker_url, "environment": self.environment}
        given |= {"home": folder, "database_url": "none"} | settings  # tests/history tests the history
        self._settings = {name: value for name, value in given.items() if value is not None}
        self.flow = TaskFlow(Settings.read(**self._settings), tasks=TASKS.split(",")).set_default()
        if not is_new:
            self._register()
        self.nodes: list[Node] = []

    def _register(self) -> None:
        """Register the tests' tasks as a node does, and no others: this process may have declared broken ones."""
        everything, modules = self.flow.registry, TASKS.split(",")
        self.flow.registry = Registry()
        for task in everything:
            if task.module in modules:
                self.flow.registry.add(task)
        runtime_of(self.flow.celery).declare()
        self.flow.registry = everything

    def start_node(
        self,
        machine: str = "small-1x",
        executor: str = "process",
        *,
        concurrency: int = 2,
        queue: str | None = None,
        app: str = "tests.projects.fleet_app",
        options: tuple[str, ...] = (),
        wait: bool = True,
        **env: str,
    ) -> Node:
        """Start a node and wait until it has its lease.

        Args:
            queue: The only queue to consume, a limited one, from its dedicated Celery queue.
            app: The module of the Celery app.
            options: More options of ``celery worker``.
        """
        name = f"n{len(self.nodes)}-{uuid4().hex[:4]}"
        celery_queue = f"{self.environment}.{machine}.{executor}{f'.{queue}' if queue else ''}"
        arguments = [*node_arguments(app, name, celery_queue, executor, concurrency), *options]
        log = self.folder / f"{name}.log"
        with log.open("wb") as output:
            environment = self.env(**env)
            if self.forks and not options and NODES.can_fork(environment):
                process: Process = NODES.fork(["-m", "celery", *arguments], env=environment, cwd=ROOT, output=output)
            else:
                process = spawn([sys.executable, "-m", "celery", *arguments], env=environment, cwd=ROOT, output=output)
        node = Node(name, process, log)
        self.nodes.append(node)
        if wait:
            self.wait_for(node)
        return node

    def wait_for(self, node: Node) -> None:
        """Wait until a node holds a lease."""

        def is_up() -> bool:
            assert node.process.poll() is None, f"{node.name} ended at its start:\n{tail(node.log)}"
            return any(node_id.startswith(f"{node.name}@") for node_id in self.flow.engine.nodes.list())

        wait_until(is_up, f"{node.name} to hold a lease; its log: {node.log}", timeout=30)

    def env(self, **more: str) -> Mapping[str, str]:
        """Return the environment variables for the processes of this environment."""
        own = {f"TASKFLOW_{name.upper()}": _text(value) for name, value in self._settings.items()}
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.folder),
            "PYTHONPATH": str(ROOT),
            "TASKFLOW_TASKS": TASKS,
            "CELERY_CUSTOM_WORKER_POOL": ASYNC_POOL,
            "LEDGER": str(self.folder / "ledger"),
            **own,
            **more,
        }

    def ledger(self) -> list[list[str]]:
        """Return the words of each line that the tasks have written to the independent ledger."""
        path = self.folder / "ledger"
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def close(self) -> None:
        """Kill every node and close the app."""
        for node in self.nodes:
            node.kill()
        close_connections(self.flow.celery)
        self.flow.close()


def _text(value: object) -> str:
    return value if isinstance(value, str) else str(value)
