"""The same no-op for both systems. It writes one line of monotonic time to a file that neither system reads."""

import asyncio
import os
import time
from datetime import datetime

from celery import Celery

from taskflow import Context, Queue, astep, task, wait

plain = Celery("plain", broker=os.environ.get("BENCH_BROKER"), set_as_current=False)
plain.conf.update(task_ignore_result=True, worker_prefetch_multiplier=4, task_default_queue="plain")
_marks = -1


def mark() -> None:
    """Append the clock in one write."""
    _write(b"%d\n" % time.monotonic_ns())


def note(what: str) -> None:
    """Append words and the clock in one write."""
    _write(f"{what} {time.monotonic_ns()}\n".encode())


def _write(line: bytes) -> None:
    global _marks
    if _marks < 0:
        _marks = os.open(os.environ["BENCH_MARKS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(_marks, line)


@plain.task(name="plain-noop")
def plain_noop(payload: dict[str, str]) -> None:  # noqa: ARG001 - the same argument for both
    """Do nothing, on Celery."""
    mark()


@task(id="bench-noop")
def noop(payload: dict[str, str]) -> int:  # noqa: ARG001
    """Do nothing, in a child."""
    mark()
    return 1


@task(id="bench-async-noop")
async def async_noop(payload: dict[str, str]) -> int:  # noqa: ARG001
    """Do nothing, as a coroutine."""
    mark()
    return 1


@task(id="bench-sleep")
async def sleep(payload: float) -> None:
    """Wait as I/O would."""
    await asyncio.sleep(payload)
    mark()


@task(id="bench-tenant", queue=Queue("bench-tenants", per_key_limit=2, total_limit=4, rate_limit="100/s"))
async def tenant(payload: float, ctx: Context) -> None:
    """Work for a tenant, the concurrency key, and write the times: ``start|end tenant clock``."""
    note(f"start {ctx.run.concurrency_key}")
    await asyncio.sleep(payload)
    note(f"end {ctx.run.concurrency_key}")


@task(id="bench-alarm", durable=True, suspend_after=0)
async def alarm(payload: datetime) -> None:
    """Wait until an instant without a process, and write how late the run went on, in nanoseconds."""
    await astep("begun", int)
    await wait.auntil(payload)
    late = time.time() - payload.timestamp()
    await astep("late", note_number, round(late * 1e9))


def note_number(value: int) -> int:
    """Append a number to the marks."""
    descriptor = os.open(os.environ["BENCH_MARKS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, b"%d\n" % value)
    os.close(descriptor)
    return value
