"""Tasks that start processes, fork, and change the state of their process."""

import asyncio
import contextlib
import logging
import logging.config
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextvars import ContextVar
from multiprocessing.synchronize import Event
from typing import Any

from taskflow import Context, Retry, metadata, task, wait
from taskflow.errors import OutsideRunError
from tests.projects.fleet_tasks import write

log = logging.getLogger("shop.forks")
ONCE = Retry(max_attempts=1)
_kept: list[Any] = []


def double(number: int) -> int:
    """Return twice the number."""
    return 2 * number


def double_by_process(number: int, method: str) -> int:
    """Return twice the number, computed by a process."""
    context: Any = multiprocessing.get_context(method)
    queue = context.Queue()
    process = context.Process(target=_put, args=(queue, number))
    process.start()
    doubled: int = queue.get(timeout=20)
    process.join()
    assert process.exitcode == 0
    return doubled


def _put(queue: Any, number: int) -> None:
    queue.put(double(number))
    print("doubled", number)


def _double_by_own_process(number: int) -> int:
    return double_by_process(number, "fork")


@task(id="p-multiprocessing", retry=ONCE)
def uses_multiprocessing(payload: str) -> list[int]:
    """Compute in processes, pools and executors, and in processes of processes."""
    context: Any = multiprocessing.get_context(payload)
    with context.Pool(2) as pool:
        pooled = sum(pool.map(double, range(5)))
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        executed = sum(executor.map(double, range(5)))
        nested = executor.submit(_double_by_own_process, 4).result(timeout=30)
    with context.Manager() as manager:
        shared = manager.dict(a=1)
        managed = shared["a"]
    return [pooled, executed, nested, double_by_process(1, payload), managed]


def _wait_for_ever(started: Event) -> None:
    started.set()
    time.sleep(600)


@task(id="p-leaves", retry=ONCE)
def leaves_processes(payload: str) -> list[int]:
    """Leave processes running, and return them."""
    context: Any = multiprocessing
    if payload == "process":
        started = context.Event()
        process = context.Process(target=_wait_for_ever, args=(started,))
        process.start()
        started.wait(20)
        return [process.pid]
    if payload == "pool":
        pool = context.Pool(2)
        pool.map_async(time.sleep, [600, 600])
        _kept.append(pool)
        return [each.pid for each in context.active_children()]
    if payload == "program":
        program = subprocess.Popen(["sh", "-c", "while true; do echo still here; sleep 0.05; done"])
        _kept.append(program)
        return [program.pid]
    program = subprocess.Popen(["sh", "-c", "sleep 600 & echo $!"], stdout=subprocess.PIPE)
    assert program.stdout is not None
    return [int(program.stdout.readline())]


@task(id="p-next", retry=ONCE)
def next_run(payload: float) -> int:
    """Do nothing for a while. Return the process's number."""
    write("next")
    time.sleep(payload)
    return os.getpid()


def _leave(way: str) -> int:
    if way == "raises":
        raise LookupError("in the fork")
    if way == "exits":
        sys.exit(3)
    if way == "says why":
        sys.exit("no good")
    return 1


_WAYS = {"returns": 0, "raises": 1, "exits": 3, "says why": 1}


@task(id="p-forks", retry=ONCE)
def forks(payload: str) -> str:
    """Fork, and let the fork leave the function. It logs, prints, changes metadata and triggers a run before."""
    handle: Any = None
    pid = os.fork()
    if pid == 0:
        log.info("logged by the fork")
        print("printed by the fork")
        metadata.increment("forks")
        next_run.trigger(0)
        _leave(payload)
        return "fork"
    log.info("logged by the parent")
    metadata.increment("parents")
    handle = next_run.trigger(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == _WAYS[payload]
    handle.result(timeout=20)
    print("printed by the parent")
    return "parent"


@task(id="p-aforks", retry=ONCE, executor="async")
async def aforks(payload: str) -> str:
    """Do the same in a coroutine, whose fork also awaits."""
    pid = os.fork()
    if pid == 0:
        if payload == "awaits":
            await asyncio.sleep(0)
        write("fork")
        _leave(payload)
        return "fork"
    await asyncio.sleep(0.2)
    os.waitpid(pid, 0)
    return "parent"


@task(id="p-waits-in-fork", retry=ONCE)
def waits_in_fork(payload: None) -> int:
    """Wait in a fork, which is refused there."""
    pid = os.fork()
    if pid == 0:
        try:
            wait.for_("10s")
        except OutsideRunError:
            os._exit(7)
        os._exit(8)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@task(id="p-dies", retry=Retry(max_attempts=2, min_delay=0.05))
def dies(payload: None, ctx: Context) -> int:
    """Die in the first attempt."""
    if ctx.run.id and not _was_here(ctx.run.id):
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


def _was_here(run_id: str) -> bool:
    path = f"{os.environ['LEDGER']}.{run_id}"
    was_here = os.path.exists(path)
    with open(path, "a"):
        return was_here


_tenant: ContextVar[str] = ContextVar("tenant", default="nobody")


def _logging_state() -> object:
    root, named = logging.getLogger(), logging.getLogger("shop.named")
    return [
        root.level,
        len(root.handlers),
        named.level,
        named.disabled,
        logging.root.manager.disable,
        len(log.handlers),
    ]


LOOKS: dict[str, Callable[[], object]] = {
    "context variable": _tenant.get,
    "SIGTERM": lambda: repr(signal.getsignal(signal.SIGTERM)),
    "SIGCHLD": lambda: repr(signal.getsignal(signal.SIGCHLD)),
    "alarm": lambda: signal.getitimer(signal.ITIMER_REAL)[0] > 0,
    "mask": lambda: sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    "folder": os.getcwd,
    "removed folder": os.getcwd,
    "environment": lambda: (os.environ.get("SHOP"), os.environ.get("HOME"), os.environ.get("TZ"), time.tzname),
    "umask": lambda: [os.umask(0o22), os.umask(0o22)][0],
    "arguments": lambda: list(sys.argv),
    "timeout": socket.getdefaulttimeout,
    "warnings": lambda: [each[0] for each in warnings.filters],
    "basicConfig": _logging_state,
    "dictConfig": _logging_state,
    "disable": _logging_state,
    "level": _logging_state,
    "handler": _logging_state,
}


def _remove_folder() -> None:
    folder = tempfile.mkdtemp()
    os.chdir(folder)
    os.rmdir(folder)


def _change_environment() -> None:
    os.environ["SHOP"] = "berlin"
    os.environ["TZ"] = "Asia/Tokyo"
    time.tzset()
    del os.environ["HOME"]


def _dict_config() -> None:
    root: dict[str, object] = {"handlers": [], "level": "ERROR"}
    logging.config.dictConfig({"version": 1, "root": root})


CHANGES: dict[str, Callable[[], object]] = {
    "context variable": lambda: _tenant.set("acme"),
    "SIGTERM": lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL),
    "SIGCHLD": lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN),
    "alarm": lambda: signal.alarm(1),
    "mask": lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]),
    "folder": lambda: os.chdir("/"),
    "removed folder": _remove_folder,
    "environment": _change_environment,
    "umask": lambda: os.umask(0o77),
    "arguments": lambda: sys.argv.append("--verbose"),
    "timeout": lambda: socket.setdefaulttimeout(0.5),
    "warnings": lambda: warnings.simplefilter("error"),
    "basicConfig": lambda: logging.basicConfig(force=True, level=logging.ERROR),
    "dictConfig": _dict_config,
    "disable": lambda: logging.disable(logging.CRITICAL),
    "level": lambda: logging.getLogger("shop.named").setLevel(logging.ERROR),
    "handler": lambda: log.addHandler(logging.StreamHandler()),
}


@task(id="p-looks", retry=ONCE)
def looks(payload: str) -> str:
    """Return a part of the process's state, and log a line."""
    log.info("looks at %s", payload)
    logging.getLogger("shop.named").info("so do others")
    return repr(LOOKS[payload]())


@task(id="p-changes", retry=ONCE)
def changes(payload: str) -> str:
    """Change a part of the process's state, and return it."""
    logging.getLogger("shop.named").info("changes %s", payload)
    CHANGES[payload]()
    with contextlib.suppress(OSError):
        return repr(LOOKS[payload]())
    return "unknown"


@task(id="p-cleans-up", retry=ONCE)
def cleans_up(payload: str) -> None:
    """Wait for a cancel beside threads, and write to the ledger when the code is left."""
    forever = threading.Event()
    for _ in range(8):
        threading.Thread(target=forever.wait, daemon=True).start()
    write("waits", payload)
    try:
        time.sleep(60)
    finally:
        write("left", payload)
