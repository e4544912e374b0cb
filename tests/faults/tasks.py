"""The tasks of the fault driver. Each writes to a ledger that taskflow does not read.

Lines: ``start|end|pause|resume run attempt claim pid time``, ``hook run kind pid time``,
``made child parent certain|maybe``; those of other kinds (``note``) begin like a start and have words of their own.
"""

import asyncio
import os
import signal
import time
from collections.abc import Generator
from contextlib import contextmanager

from pydantic import BaseModel

from taskflow import AbortRun, Context, Queue, Retry, StoreUnavailableError, logger, metadata, task, wait
from taskflow.execution.reporting.current import require_live_run
from tests.projects.fleet_tasks import write

FAST = Retry(max_attempts=3, min_delay=0.05, max_delay=0.5)
ONE = Queue("f-one", concurrency_limit=1)
THREE = Queue("f-three", concurrency_limit=3)
TENANTS = Queue("f-tenants", per_key_limit=1, total_limit=3)
RATED = Queue("f-rated", rate_limit="10/s")


class Work(BaseModel):
    """The payload of a run: it sleeps in two halves, fails or dies at its first attempts, and has children."""

    seconds: float = 0.0
    fails: int = 0
    aborts: bool = False
    deaths: int = 0
    children: int = 0
    waits: float = 0.0


class Done(BaseModel):
    """The result of a run: the claim under which it ended."""

    claim: int
    attempt: int


def note(kind: str, ctx: Context, *words: object) -> int:
    """Write a line, with the claim, which user code cannot read otherwise."""
    claim = require_live_run("the ledger").identity.claim
    write(kind, ctx.run.id, ctx.attempt.number, claim, os.getpid(), f"{time.time():.6f}", *words)
    return claim


@contextmanager
def noted(ctx: Context) -> Generator[int]:
    """Write the start and the end of the block, and yield the claim under which it started."""
    claim = note("start", ctx)
    metadata.set("claim", claim)
    try:
        yield claim
    finally:
        note("end", ctx)


@contextmanager
def away(ctx: Context) -> Generator[None]:
    """Write that the run only waits while the block executes, and holds no slot."""
    note("pause", ctx)
    yield
    metadata.set("claim", note("resume", ctx))


def _begin(work: Work, ctx: Context) -> None:
    if ctx.attempt.number <= work.deaths:
        os.kill(os.getpid(), signal.SIGKILL)
    if work.children:
        _have_children(work, ctx)


def done(ctx: Context) -> Done:
    """Return the result of a run, and write it into its metadata and log."""
    claim = require_live_run("the ledger").identity.claim
    metadata.set("claim", claim).increment("halves")
    logger.info("half done")
    return Done(claim=claim, attempt=ctx.attempt.number)


def _finish(work: Work, ctx: Context) -> Done:
    result = done(ctx)
    if work.aborts:
        raise AbortRun("as told")
    if ctx.attempt.number <= work.fails:
        raise ConnectionError(f"attempt {ctx.attempt.number} fails as told")
    return result


def _have_children(work: Work, ctx: Context) -> None:
    for number in range(work.children):
        child = (short, ashort)[number % 2]
        try:
            write("made", child.trigger(Work(seconds=0.1)).id, ctx.run.id, "certain")
        except StoreUnavailableError as error:
            write("made", error.run_id, ctx.run.id, "maybe")
            raise


def _work(work: Work, ctx: Context) -> Done:
    with noted(ctx):
        _begin(work, ctx)
        time.sleep(work.seconds / 2)
        if work.waits:
            with away(ctx):
                wait.for_(work.waits)
        time.sleep(work.seconds / 2)
        return _finish(work, ctx)


async def _awork(work: Work, ctx: Context) -> Done:
    with noted(ctx):
        await asyncio.sleep(work.seconds / 2)
        if work.waits:
            with away(ctx):
                await wait.afor_(work.waits)
        await asyncio.sleep(work.seconds / 2)
        return _finish(work, ctx)


@task(id="f-short", retry=FAST)
def short(payload: Work, ctx: Context) -> Done:
    """Work in a child."""
    return _work(payload, ctx)


@task(id="f-ashort", retry=FAST)
async def ashort(payload: Work, ctx: Context) -> Done:
    """Work as a coroutine."""
    return await _awork(payload, ctx)


@task(id="f-one", queue=ONE, retry=FAST)
def one(payload: Work, ctx: Context) -> Done:
    """Work alone in a child."""
    return _work(payload, ctx)


@task(id="f-aone", queue=ONE, retry=FAST)
async def aone(payload: Work, ctx: Context) -> Done:
    """Work alone as a coroutine, in the same queue."""
    return await _awork(payload, ctx)


@task(id="f-three", queue=THREE, retry=FAST)
def three(payload: Work, ctx: Context) -> Done:
    """Work three at a time."""
    return _work(payload, ctx)


@task(id="f-tenant", queue=TENANTS, retry=FAST)
async def tenant(payload: Work, ctx: Context) -> Done:
    """Work for a tenant, one of each at a time and three in all."""
    return await _awork(payload, ctx)


@task(id="f-rated", queue=RATED, retry=FAST)
async def rated(payload: Work, ctx: Context) -> Done:
    """Start ten times a second."""
    return await _awork(payload, ctx)


def note_hook(ctx: Context) -> None:
    """Write that a final hook runs."""
    write("hook", ctx.run.id, "complete", os.getpid(), f"{time.time():.6f}")


@task(id="f-hooked", retry=FAST, on_complete=note_hook)
def hooked(payload: Work, ctx: Context) -> Done:
    """Work in a child, with a final hook."""
    return _work(payload, ctx)


@task(id="f-ahooked", retry=FAST, on_complete=note_hook)
async def ahooked(payload: Work, ctx: Context) -> Done:
    """Work as a coroutine, with a final hook."""
    return await _awork(payload, ctx)


@task(id="f-parent", queue=THREE, retry=FAST)
def parent(payload: Work, ctx: Context) -> Done:
    """Wait for one child after the other, in a child of the node. Some of them need a child of the node themselves."""
    with noted(ctx):
        for number in range(payload.children):
            with away(ctx):
                result = (ashort, aone, short)[number % 3].trigger_and_wait(Work(seconds=payload.seconds))
            write("made", result.run_id, ctx.run.id, "certain")
        return _finish(payload, ctx)


@task(id="f-aparent", queue=ONE, retry=FAST)
async def aparent(payload: Work, ctx: Context) -> Done:
    """Wait for all children at once, some of them in the same queue of limit 1."""
    with noted(ctx):
        children = [(short, aone, tenant)[number % 3] for number in range(payload.children)]
        with away(ctx):
            results = await asyncio.gather(
                *(child.atrigger_and_wait(Work(seconds=payload.seconds), concurrency_key="a") for child in children)
            )
        for result in results:
            write("made", result.run_id, ctx.run.id, "certain")
        return _finish(payload, ctx)
