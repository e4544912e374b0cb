"""A plain Celery app with the node's process handling, installed as by a bootstep. The tests start it.

Each event is a line of JSON in ``$EVENTS``. The commands of the hub thread are Celery control commands.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
from typing import Any

from celery import Celery, bootsteps
from celery.worker.control import control_command

from taskflow.worker.attempt.relay import Relay
from taskflow.worker.children.exits import ChildExit
from taskflow.worker.children.guard import Guard
from taskflow.worker.children.memory import MemoryWatch
from taskflow.worker.children.next_jobs import NextJobs
from taskflow.worker.children.node_pool import node_pool_of, use_node_pool
from taskflow.worker.children.start import bind_children
from taskflow.worker.children.watch import ChildWatch

app = Celery("stock", broker=os.environ["BROKER"])
app.conf.update(
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
)
MEMORY_LIMIT = int(os.environ.get("MEMORY_LIMIT", "0"))
_installed: dict[str, Any] = {}


def note(kind: str, **facts: object) -> None:
    """Append one event."""
    line = json.dumps({"kind": kind, "at": time.time(), **facts})
    with open(os.environ["EVENTS"], "a") as events:
        events.write(line + "\n")


class Processes(bootsteps.StartStopStep):
    """Installs guard, child watch and memory watch around the prefork pool."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        bind_children()
        use_node_pool(Relay())

    def start(self, parent: Any) -> None:
        """Install it after the pool has started."""
        guard = Guard()
        pool = node_pool_of(parent.pool)
        _installed["next_jobs"] = NextJobs(pool)
        pool.busy.may_queue = True
        watch = _installed["watch"] = ChildWatch(pool, guard, self.child_exited)
        if MEMORY_LIMIT:
            MemoryWatch(watch, MEMORY_LIMIT).start()
        if os.environ.get("TAKE_NUMBERS"):
            take_numbers(pool)
        if os.environ.get("LOSE_EARLY"):
            lose_early(parent.pool, watch)
        note("node", pid=os.getpid(), guard=guard.pid, children=watch.pids())

    def register_with_event_loop(self, parent: Any, hub: Any) -> None:
        """Register it anew at each start of the loop."""
        _installed["watch"].register(hub)
        _installed["next_jobs"].register(hub)

    @staticmethod
    def child_exited(ended: ChildExit) -> None:
        """Record the exit that the node is notified of."""
        note(
            "exit", pid=ended.pid, exitcode=ended.exitcode, signal=ended.signal, reason=ended.reason, runs=ended.run_ids
        )


def take_numbers(asyn: Any) -> None:
    """Open other files between the end of a child's pipes and the next ones, so that they take the pipes' numbers."""
    create = asyn.create_process_queues

    def create_later() -> Any:
        for _ in range(8):
            os.open(os.devnull, os.O_RDONLY)
        return create()

    asyn.create_process_queues = create_later


def lose_early(pool: Any, watch: ChildWatch) -> None:
    """Kill a child and flush the pool, as after a connection that broke while it was made."""
    dead = watch.pids()[0]
    os.kill(dead, signal.SIGKILL)
    os.waitid(os.P_PID, dead, os.WEXITED | os.WNOWAIT)
    pool.flush()
    note("lost", pid=dead)


app.steps["worker"].add(Processes)


@control_command(args=[("run_id", str), ("grace", float)], signature="[run_id] [grace]")
def stop_run(state: Any, run_id: str, grace: float) -> dict[str, object]:
    """Stop a run's child, as a cancel does; on the hub's thread."""
    watch: ChildWatch = _installed["watch"]
    return {"pid": watch.pid_of(run_id), "killed": watch.kill_run(run_id, grace=grace, reason="canceled")}


@control_command(args=[("run_id", str)], signature="[run_id]")
def child_of(state: Any, run_id: str) -> dict[str, object]:
    """Return the child that executes a run, by Celery's books; on the hub's thread."""
    watch: ChildWatch = _installed["watch"]
    return {"pid": watch.pid_of(run_id)}


@control_command()
def close_pipes(state: Any) -> int:
    """Let Celery see every child's pipe close although no child can be waited for, as in the moment of a death."""
    consumer = state.consumer
    children = list(consumer.pool._pool._pool)
    for process in children:
        consumer.pool._pool._event_process_exit(consumer.hub, process)
    return len(children)


@control_command()
def lose_unheard(state: Any) -> int:
    """Let a child that was stopped write its result, kill it, and handle its end before the result is read."""
    [process] = state.consumer.pool._pool._pool
    os.kill(process.pid, signal.SIGCONT)
    if not select.select([process.outqR_fd], [], [], 5)[0]:
        raise RuntimeError("The child has said nothing.")
    os.kill(process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    state.consumer.pool._pool.maintain_pool()
    return int(process.pid)


@control_command()
def read_children(state: Any) -> dict[str, list[int]]:
    """Return the children whose results Celery reads, and the children that exist."""
    asyn = state.consumer.pool._pool
    return {"read": [each.pid for each in asyn._fileno_to_outq.values()], "alive": [each.pid for each in asyn._pool]}


@app.task(bind=True)
def hold(self: Any, seconds: float, spawn: bool = False) -> None:
    """Execute for a time, with a ``sleep`` process beside it on request."""
    spawned = subprocess.Popen(["sleep", "600"]).pid if spawn else None
    note("start", id=self.request.id, pid=os.getpid(), pgid=os.getpgid(0), ppid=os.getppid(), spawned=spawned)
    time.sleep(seconds)
    note("end", id=self.request.id, pid=os.getpid())


@app.task(bind=True)
def resist(self: Any, seconds: float) -> None:
    """Ignore SIGTERM's SystemExit."""
    note("start", id=self.request.id, pid=os.getpid())
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            time.sleep(0.05)
        except SystemExit:
            note("resisted", id=self.request.id, pid=os.getpid())


@app.task(bind=True)
def swell(self: Any, megabytes: int, go: str, elsewhere: bool = False) -> None:
    """Take memory once a file exists, in this process or in one that it starts."""
    note("start", id=self.request.id, pid=os.getpid())
    while not os.path.exists(go):
        time.sleep(0.01)
    code = f"import time; held = b'x' * ({megabytes} << 20); time.sleep(600)"
    if elsewhere:
        subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)
    else:
        exec(code)


@app.task(bind=True)
def share(self: Any, megabytes: int, seconds: float) -> None:
    """Hold memory and fork processes that share it."""
    note("start", id=self.request.id, pid=os.getpid())
    held = b"x" * (megabytes << 20)
    for _ in range(3):
        if not os.fork():
            time.sleep(600)
    time.sleep(seconds)
    note("end", id=self.request.id, pid=os.getpid(), held=len(held))


@app.task(bind=True)
def leave_behind(self: Any) -> None:
    """Return while a process that it started goes on."""
    note("start", id=self.request.id, pid=os.getpid(), spawned=subprocess.Popen(["sleep", "600"]).pid)
