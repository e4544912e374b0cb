"""The tasks that nodes execute in the tests. They write to a ledger that taskflow does not read."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta

from pydantic import BaseModel

from taskflow import AbortRun, Context, OutOfMemory, Queue, Retry, RetryAfter, task

log = logging.getLogger(__name__)
FAST = Retry(max_attempts=3, min_delay=0.05, max_delay=0.2, factor=1)


def write(*words: object) -> None:
    """Append one line to the ledger, atomically: it is under PIPE_BUF bytes and is one write."""
    descriptor = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, (" ".join(map(str, words)) + "\n").encode())
    finally:
        os.close(descriptor)


class Nap(BaseModel):
    """The time to sleep, in seconds, and the time of later attempts if that differs."""

    seconds: float = 0.0
    again: float | None = None

    def of(self, ctx: Context) -> float:
        """Return the seconds that an attempt sleeps."""
        return self.seconds if self.again is None or ctx.attempt.number == 1 else self.again


def note(what: str, ctx: Context) -> None:
    """Write a line ``start|end run attempt pid time``."""
    write(what, ctx.run.id, ctx.attempt.number, os.getpid(), f"{time.time():.6f}")


@task(id="t-echo", retry=FAST)
def echo(payload: object, ctx: Context) -> object:
    """Return the payload."""
    note("start", ctx)
    return payload


@task(id="t-async-echo", retry=FAST)
async def async_echo(payload: object) -> object:
    """Return the payload, as a coroutine."""
    return payload


@task(id="t-says", retry=FAST)
def says(payload: int) -> int:
    """Write a log line."""
    log.info("said %d", payload)
    return payload


@task(id="t-async-says", retry=FAST)
async def async_says(payload: int) -> int:
    """Write a log line, as a coroutine."""
    log.info("said %d", payload)
    return payload


class Point(BaseModel):
    """A payload of two fields."""

    x: int
    y: int = 0


@task(id="t-point", retry=FAST)
def point(payload: Point) -> list[int]:
    """Return the fields."""
    return [payload.x, payload.y]


@task(id="t-sleep", retry=FAST)
def sleep(payload: Nap, ctx: Context) -> str:
    """Sleep in a child."""
    note("start", ctx)
    time.sleep(payload.of(ctx))
    note("end", ctx)
    return ctx.run.id


@task(id="t-async-sleep", retry=FAST)
async def async_sleep(payload: Nap, ctx: Context) -> str:
    """Sleep as a coroutine."""
    note("start", ctx)
    await asyncio.sleep(payload.of(ctx))
    note("end", ctx)
    return ctx.run.id


@task(
    id="t-tenant",
    queue=Queue("t-tenants", per_key_limit=2, total_limit=4, rate_limit="100/s"),
    retry=FAST,
)
async def tenant(payload: Nap, ctx: Context) -> None:
    """Work for a tenant: the concurrency key."""
    write("start", ctx.run.id, ctx.run.concurrency_key, os.getpid(), f"{time.time():.6f}")
    await asyncio.sleep(payload.seconds)
    write("end", ctx.run.id, ctx.run.concurrency_key, os.getpid(), f"{time.time():.6f}")


@task(id="t-one", queue=Queue("t-one", concurrency_limit=1), retry=FAST)
def one(payload: Nap, ctx: Context) -> int:
    """Sleep alone."""
    note("start", ctx)
    time.sleep(payload.seconds)
    note("end", ctx)
    return ctx.attempt.number


@task(id="t-one-large", queue=Queue("t-one", concurrency_limit=1), machine="large-1x", retry=FAST)
def one_large(payload: Nap, ctx: Context) -> int:
    """Sleep alone, on a large machine."""
    note("start", ctx)
    time.sleep(payload.seconds)
    note("end", ctx)
    return ctx.attempt.number


@task(id="t-three", queue=Queue("t-three", concurrency_limit=3), retry=Retry(max_attempts=5, min_delay=0.05))
def three(payload: Nap, ctx: Context) -> int:
    """Sleep, three at a time at most."""
    note("start", ctx)
    time.sleep(payload.seconds)
    note("end", ctx)
    return ctx.attempt.number


@task(id="t-flaky", retry=FAST)
def flaky(payload: int, ctx: Context) -> int:
    """Fail before attempt number ``payload``."""
    note("start", ctx)
    if ctx.attempt.number < payload:
        raise ConnectionError(f"attempt {ctx.attempt.number}")
    return ctx.attempt.number


@task(id="t-async-flaky", retry=FAST)
async def async_flaky(payload: int, ctx: Context) -> int:
    """Fail before attempt number ``payload``, as a coroutine."""
    note("start", ctx)
    if ctx.attempt.number < payload:
        raise ConnectionError(f"attempt {ctx.attempt.number}")
    return ctx.attempt.number


@task(id="t-signals", retry=FAST)
def signals(payload: str, ctx: Context) -> str:
    """Raise one of taskflow's signals, or end in another way."""
    note("start", ctx)
    if ctx.attempt.number > 1:
        return "second"
    match payload:
        case "abort":
            raise AbortRun("no use in trying again")
        case "after":
            raise RetryAfter(timedelta(seconds=1))
        case "memory":
            raise OutOfMemory("too much")
        case "exit":
            sys.exit(3)
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case _:
            pass
    return "first"


@task(id="t-unserializable", retry=FAST)
def unserializable(payload: None) -> object:
    """Return a value that is not JSON."""
    return {"items": [1, {"file": sys.stdout}]}


@task(id="t-spawn", retry=FAST)
def spawn_sleep(payload: float, ctx: Context) -> int:
    """Spawn a ``sleep`` process, write its pid, and wait for it."""
    child = subprocess.Popen(["sleep", str(payload)])
    write("spawned", ctx.run.id, child.pid)
    return child.wait()


@task(id="t-eat", retry=Retry(max_attempts=2, min_delay=0.05))
def eat(payload: int, ctx: Context) -> str:
    """Touch ``payload`` megabytes and hold them for a moment."""
    note("start", ctx)
    held = bytearray(payload << 20)
    time.sleep(2)
    return f"{len(held)} on {ctx.machine.name}"


@task(id="t-eat-larger", retry=Retry(max_attempts=3, min_delay=0.05, out_of_memory="small-2x"))
def eat_larger(payload: int, ctx: Context) -> str:
    """Touch ``payload`` megabytes. The task may be retried on a machine with more memory."""
    note("start", ctx)
    held = bytearray(payload << 20)
    time.sleep(1)
    return f"{len(held)} on {ctx.machine.name}"


@task(id="t-heavy", machine="large-1x", retry=FAST)
def heavy(payload: Nap, ctx: Context) -> str:
    """Run on a large machine."""
    note("start", ctx)
    time.sleep(payload.seconds)
    return ctx.machine.name


@task(id="t-parent", retry=FAST)
def parent(payload: None) -> None:
    """Trigger two children, one of which starts, and keep executing."""
    for seconds in (60.0, 60.0):
        write("child", sleep.trigger(Nap(seconds=seconds)).id)
    time.sleep(60)


def note_end(kind: str, ctx: Context) -> None:
    """Write a final hook's line ``<hook> run reason pid time``. A tag of the run makes the process die here, once."""
    write(kind, ctx.run.id, (ctx.reason or "").replace(" ", "-"), os.getpid(), f"{time.time():.6f}")
    if "die-in-hook" in ctx.run.tags and sum(line.startswith(f"{kind} {ctx.run.id}") for line in ledger()) == 1:
        os.kill(os.getpid(), signal.SIGKILL)


def ledger() -> list[str]:
    """Return the lines of the ledger."""
    with open(os.environ["LEDGER"]) as lines:
        return lines.readlines()


def on_success(ctx: Context) -> None:
    """Write the hook's line."""
    note_end("on_success", ctx)


def on_failure(ctx: Context) -> None:
    """Write the hook's line."""
    note_end("on_failure", ctx)


def on_cancel(ctx: Context) -> None:
    """Write the hook's line."""
    note_end("on_cancel", ctx)


def on_complete(ctx: Context) -> None:
    """Write the hook's line."""
    note_end("on_complete", ctx)


class Doing(BaseModel):
    """The payload of a hooked task: how long it sleeps, and whether it fails."""

    seconds: float = 0.0
    fail: bool = False


@task(
    id="t-hooked",
    retry=Retry(max_attempts=2, min_delay=0.05),
    on_success=on_success,
    on_failure=on_failure,
    on_cancel=on_cancel,
    on_complete=on_complete,
)
def hooked(payload: Doing, ctx: Context) -> str:
    """Sleep in a child, with every final hook."""
    note("start", ctx)
    time.sleep(payload.seconds)
    if payload.fail:
        raise ConnectionError("as told")
    return "done"


@task(
    id="t-async-hooked",
    retry=Retry(max_attempts=2, min_delay=0.05),
    on_success=on_success,
    on_failure=on_failure,
    on_cancel=on_cancel,
    on_complete=on_complete,
)
async def async_hooked(payload: Doing, ctx: Context) -> str:
    """Sleep as a coroutine, with every final hook."""
    note("start", ctx)
    await asyncio.sleep(payload.seconds)
    if payload.fail:
        raise ConnectionError("as told")
    return "done"


def on_stop(ctx: Context) -> None:
    """Write that the attempt cleans up, and the reason."""
    write("cleanup", ctx.run.id, ctx.attempt.number, ctx.signal.reason, f"{time.time():.6f}")


@task(id="t-long", retry=Retry(max_attempts=1), cleanup=on_stop)
def long(payload: Nap, ctx: Context) -> int:
    """Sleep in a child at the first attempt, and go on at once at the second. One failure would end it."""
    note("start", ctx)
    time.sleep(payload.seconds if ctx.attempt.number == 1 else 0)
    return ctx.attempt.number


@task(id="t-async-long", retry=Retry(max_attempts=1), cleanup=on_stop)
async def async_long(payload: Nap, ctx: Context) -> int:
    """Sleep as a coroutine at the first attempt, and go on at once at the second. One failure would end it."""
    note("start", ctx)
    await asyncio.sleep(payload.seconds if ctx.attempt.number == 1 else 0)
    return ctx.attempt.number
