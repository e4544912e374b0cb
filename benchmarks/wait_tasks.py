"""Tasks that wait, for ``benchmarks.waits``. Each writes the time of its next line to a file of its own."""

import os
import time

from taskflow import task, wait
from taskflow.verbs.task import Task

_marks = -1


def mark(what: str, number: int) -> None:
    """Append an event and the clock in one write."""
    global _marks
    if _marks < 0:
        _marks = os.open(os.environ["BENCH_MARKS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(_marks, f"{what} {number} {time.monotonic_ns()}\n".encode())


@task(id="bench-start")
def start(payload: int) -> None:
    """Write the time of the start, in a child."""
    mark("start", payload)


@task(id="bench-async-start")
async def async_start(payload: int) -> None:
    """Write the time of the start, as a coroutine."""
    mark("start", payload)


@task(id="bench-token")
async def for_token(payload: tuple[int, str]) -> None:
    """Wait for a token, and write the time at which the run went on."""
    number, token = payload
    mark("waits", number)
    await wait.afor_token(token)
    mark("next", number)


@task(id="bench-hour")
async def an_hour(payload: int) -> None:
    """Wait for an hour."""
    mark("waits", payload)
    await wait.afor_("1h")
    mark("woke", payload)


@task(id="bench-child")
def child(payload: int) -> int:
    """Write the time of the end, in a child."""
    mark("end", payload)
    return payload


@task(id="bench-async-child")
async def async_child(payload: int) -> int:
    """Write the time of the end, as a coroutine."""
    mark("end", payload)
    return payload


@task(id="bench-parent")
def parent(payload: int) -> None:
    """Wait for one child after the other, and write the times at which the run went on."""
    for number in range(payload):
        child.trigger_and_wait(number)
        mark("next", number)
    mark("done", payload)


@task(id="bench-async-parent")
async def async_parent(payload: int) -> None:
    """Wait for one child after the other, and write the times at which the run went on."""
    for number in range(payload):
        await async_child.atrigger_and_wait(number)
        mark("next", number)
    mark("done", payload)


STARTS: dict[str, Task[int, None]] = {"process": start, "async": async_start}
PARENTS: dict[str, Task[int, None]] = {"process": parent, "async": async_parent}
