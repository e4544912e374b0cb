"""Tasks that end in unusual ways, one way a payload."""

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable

from taskflow import Queue, Retry, task
from taskflow.execution.reporting.live_run import LiveRun
from taskflow.execution.reporting.reports import Reports
from tests.projects.fleet_tasks import write

ONCE = Retry(max_attempts=1)


class Mine(BaseException):
    """As gevent's Timeout, and the outcomes of test frameworks."""


def _leave_later() -> None:
    asyncio.get_running_loop().call_soon(sys.exit, 3)


async def _exit() -> None:
    sys.exit(3)


async def _task() -> None:
    await asyncio.create_task(_exit())


async def _forgotten() -> None:
    left = asyncio.create_task(_exit())
    await asyncio.sleep(60)
    del left


async def _group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(_exit())


async def _callback() -> None:
    _leave_later()
    await asyncio.sleep(60)


async def _stop_loop() -> None:
    asyncio.get_running_loop().stop()


async def _close_loop() -> None:
    asyncio.get_running_loop().close()


async def _change_factory() -> None:
    asyncio.get_running_loop().set_task_factory(None)


async def _end_threads() -> None:
    await asyncio.get_running_loop().shutdown_default_executor()


async def _close_generators() -> None:
    await asyncio.get_running_loop().shutdown_asyncgens()


async def _cancel_myself() -> None:
    me = asyncio.current_task()

    async def watch() -> None:
        assert me is not None
        me.cancel("the feed is stale")

    watching = asyncio.create_task(watch())
    await asyncio.sleep(60)
    del watching


async def _cancel_all() -> None:
    for each in asyncio.all_tasks():
        each.cancel()
    await asyncio.sleep(60)


async def _in_executor() -> None:
    await asyncio.get_running_loop().run_in_executor(None, sys.exit, 3)


COROUTINES: dict[str, Callable[[], Awaitable[None]]] = {
    "task": _task,
    "forgotten": _forgotten,
    "task group": _group,
    "callback": _callback,
    "stop": _stop_loop,
    "close": _close_loop,
    "factory": _change_factory,
    "threads": _end_threads,
    "generators": _close_generators,
    "cancel me": _cancel_myself,
    "cancel all": _cancel_all,
    "executor": _in_executor,
}
ERRORS: dict[str, Callable[[], BaseException]] = {
    "Mine": Mine,
    "KeyboardInterrupt": KeyboardInterrupt,
    "GeneratorExit": GeneratorExit,
    "SystemExit": lambda: SystemExit(-200),
    "SIGTERM's code": lambda: SystemExit(-241),
    "group": lambda: BaseExceptionGroup("several", [Mine()]),
    "CancelledError": asyncio.CancelledError,
}


@task(id="u-async", retry=ONCE)
async def unusual_coroutine(payload: str) -> str:
    """End in one of the ways."""
    write("start", payload.replace(" ", "-"))
    if payload in ERRORS:
        raise ERRORS[payload]()
    await COROUTINES[payload]()
    return "returned"


@task(id="u-def", retry=ONCE, queue=Queue("u-one", concurrency_limit=1), executor="process")
def unusual(payload: str) -> str:
    """End in one of the ways."""
    write("start", payload.replace(" ", "-"))
    if payload in ERRORS:
        raise ERRORS[payload]()
    return "returned"


@task(id="u-def-async", retry=ONCE, executor="process")
async def unusual_in_child(payload: str) -> str:
    """End in one of the ways, in the loop of a child."""
    write("start", payload.replace(" ", "-"))
    if payload in ERRORS:
        raise ERRORS[payload]()
    await COROUTINES[payload]()
    return "returned"


@task(id="u-broken-node", retry=ONCE, executor="process")
def broken_node(payload: str) -> str:
    """Have the node's own code around the run fail once, as with a full disk."""
    write("start", payload)
    send = Reports.send

    def fail_once(self: Reports, live: LiveRun) -> None:
        Reports.send = send  # type: ignore[method-assign]  # back again
        raise OSError(28, "No space left on device")

    if not os.path.exists(payload):
        with open(payload, "w"):
            Reports.send = fail_once  # type: ignore[method-assign]  # the fault
    return "done"


@task(id="u-deaf", retry=ONCE, max_duration=1)
async def deaf(payload: bool) -> None:
    """Never stop. With True the loop is blocked as well."""
    write("start", "deaf")
    while True:
        try:
            if payload:
                threading.Event().wait(60)
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            continue


@task(id="u-patient", retry=ONCE)
async def patient(payload: float) -> str:
    """Sleep, and end at once when asked to."""
    write("start", "patient", os.getpid())
    await asyncio.sleep(payload)
    return f"slept at {time.time():.0f}"


@task(id="u-dies", retry=ONCE)
def dies(payload: None) -> None:
    """Take the process along, each time."""
    write("start", "dies", f"{time.time():.3f}")
    os.kill(os.getpid(), signal.SIGKILL)
