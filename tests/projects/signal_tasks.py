"""Tasks with receivers of Celery's signals, written as those of Sentry, OpenTelemetry and Django's fix-up are."""

import asyncio
import os
import sys
from contextvars import ContextVar, Token
from typing import Any

from celery import current_task, signals
from pydantic import BaseModel

from taskflow import Context, Retry, task
from tests.projects.fleet_tasks import write

TWICE = Retry(max_attempts=2, min_delay=0.5, max_delay=0.5)  # the first attempt has sent its signals by then
span: ContextVar[str] = ContextVar("span", default="-")
tokens: dict[str, Token[str]] = {}


def note(signal: str, task: Any, run_id: str, *more: object) -> None:
    """Write what the receivers of others read: name and request of the task."""
    request = task.request
    is_right = request.id == run_id and isinstance(request.headers, dict) and request.hostname and request.root_id
    write(signal, run_id, task.name, bool(is_right), current_task.name, *more)


@signals.task_received.connect
def received(sender: Any, request: Any, **_: Any) -> None:
    """Read the request, and the consumer it came over."""
    write("received", request.id, request.name, bool(sender.hostname == request.hostname))


@signals.task_prerun.connect
def prerun(sender: Any, task_id: str, task: Any, args: Any, kwargs: Any, **_: Any) -> None:
    """Attach a context, as a tracer does."""
    assert sender is task
    assert (list(args), kwargs) == ([], {})
    tokens[task_id] = span.set(f"span-of-{task_id}")
    note("prerun", task, task_id)


@signals.task_postrun.connect
def postrun(sender: Any, task_id: str, task: Any, args: Any, kwargs: Any, retval: Any, state: str, **_: Any) -> None:
    """Detach the context. A tracer logs an error when it is another one."""
    assert sender is task
    span.reset(tokens.pop(task_id))
    note("postrun", task, task_id, state, type(retval).__name__)


@signals.task_success.connect
def success(sender: Any, result: Any, runtime: float, **_: Any) -> None:
    """Read the result itself."""
    note("success", sender, sender.request.id, type(result).__name__, runtime >= 0)


@signals.task_failure.connect
def failure(
    sender: Any, task_id: str, exception: Any, args: Any, kwargs: Any, traceback: Any, einfo: Any, **_: Any
) -> None:
    """Read the exception and its frames."""
    assert (list(args), kwargs) == ([], {})
    frames = traceback.tb_next is not None or traceback.tb_frame is not None
    note("failure", sender, task_id, type(exception).__name__, frames, type(einfo.exception).__name__)


@signals.task_retry.connect
def retried(sender: Any, request: Any, reason: Any, einfo: Any, **_: Any) -> None:
    """Read why."""
    note("retry", sender, request.id, type(reason).__name__, type(reason.exc).__name__, bool(einfo.traceback))


@signals.task_revoked.connect
def revoked(sender: Any, request: Any, terminated: bool, signum: Any, expired: bool, **_: Any) -> None:
    """Read which run was ended."""
    write("revoked", request.id, sender.name, terminated, expired)


class Odd(BaseModel):
    """A value that can't be shown: a detached row of an ORM."""

    number: int

    def __repr__(self) -> str:
        raise RuntimeError("detached row")


async def _work(payload: str, ctx: Context) -> str:
    assert current_task.request.id == ctx.run.id
    await asyncio.sleep(0.05)
    assert current_task.request.id == ctx.run.id
    assert await asyncio.to_thread(lambda: current_task.request.id) == ctx.run.id
    assert span.get() == f"span-of-{ctx.run.id}"
    return _end(payload)


def _end(payload: str) -> str:
    if payload == "fails":
        raise LookupError("no such order")
    return payload


@task(id="g-work", retry=TWICE)
def work(payload: str, ctx: Context) -> str:
    """Return or fail, in a child."""
    assert current_task.request.id == ctx.run.id
    assert span.get() == f"span-of-{ctx.run.id}"
    return _end(payload)


@task(id="g-awork", retry=TWICE)
async def awork(payload: str, ctx: Context) -> str:
    """Return or fail, as a coroutine."""
    return await _work(payload, ctx)


@task(id="g-odd", retry=Retry(1))
def odd(payload: int, ctx: Context) -> Odd:
    """Return what can't be shown."""
    write("executed", ctx.run.id)
    return Odd(number=payload)


@task(id="g-aodd", retry=Retry(1))
async def aodd(payload: int, ctx: Context) -> Odd:
    """Return what can't be shown, as a coroutine."""
    write("executed", ctx.run.id)
    return Odd(number=payload)


@task(id="g-async-hang", retry=Retry(1))
async def ahang(payload: None, ctx: Context) -> None:
    """Wait for ever."""
    write("hangs", ctx.run.id)
    await asyncio.sleep(60)


@task(id="g-hang", retry=Retry(1))
def hang(payload: None, ctx: Context) -> None:
    """Wait for ever, in a child."""
    import time

    write("hangs", ctx.run.id)
    time.sleep(60)


if os.environ.get("BAD_RECEIVERS"):

    def leave(*_: Any, **__: Any) -> None:
        """Do the worst that a receiver can: ``sys.exit`` is no Exception."""
        sys.exit(3)

    def fail(*_: Any, **__: Any) -> None:
        """Fail."""
        raise LookupError("no telemetry")

    def cancel(*_: Any, **__: Any) -> None:
        """Raise what asyncio takes for its own."""
        raise asyncio.CancelledError

    for each in (
        signals.task_received,
        signals.task_prerun,
        signals.task_postrun,
        signals.task_success,
        signals.task_failure,
        signals.task_retry,
        signals.task_revoked,
    ):
        for receiver in (leave, fail, cancel):
            each.connect(receiver, weak=False)
