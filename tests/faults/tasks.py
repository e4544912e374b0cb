"""The tasks of the fault driver. Each notes what it does in a ledger that taskflow knows nothing of.

Lines: ``start|end run attempt claim pid time``, ``hook run kind pid time``, ``made child parent certain|maybe``.
"""

import asyncio
import os
import signal
import time
from collections.abc import Generator
from contextlib import contextmanager

from pydantic import BaseModel

from taskflow import AbortRun, Context, Queue, Retry, StoreUnavailableError, logger, metadata, task
from taskflow.execution.reporting.current import require_live_run
from tests.fleet_tasks import write

FAST = Retry(max_attempts=3, min_delay=0.05, max_delay=0.5)
ONE = Queue("f-one", concurrency_limit=1)
THREE = Queue("f-three", concurrency_limit=3)
TENANTS = Queue("f-tenants", per_key_limit=1, total_limit=3)
RATED = Queue("f-rated", rate_limit="10/s")


class Work(BaseModel):
    """What a run does: it sleeps in two halves, fails or dies at its first attempts, has children."""

    seconds: float = 0.0
    fails: int = 0
    aborts: bool = False
    deaths: int = 0
    children: int = 0


class Done(BaseModel):
    """What a run returns: under which claim it was done."""

    claim: int
    attempt: int


@contextmanager
def noted(ctx: Context) -> Generator[Done]:
    """Note the start and the end of what is inside, with the claim, which user code does not see otherwise."""
    claim = require_live_run("the ledger").identity.claim
    words = (ctx.run.id, ctx.attempt.number, claim, os.getpid())
    write("start", *words, f"{time.time():.6f}")
    metadata.set("claim", claim)
    try:
        yield Done(claim=claim, attempt=ctx.attempt.number)
    finally:
        write("end", *words, f"{time.time():.6f}")


def _begin(work: Work, ctx: Context) -> None:
    if ctx.attempt.number <= work.deaths:
        os.kill(os.getpid(), signal.SIGKILL)
    if work.children:
        _have_children(work, ctx)


def _finish(work: Work, ctx: Context) -> None:
    metadata.increment("halves")
    logger.info("half done")
    if work.aborts:
        raise AbortRun("as told")
    if ctx.attempt.number <= work.fails:
        raise ConnectionError(f"attempt {ctx.attempt.number} fails as told")


def _have_children(work: Work, ctx: Context) -> None:
    for number in range(work.children):
        child = (short, ashort)[number % 2]
        try:
            write("made", child.trigger(Work(seconds=0.1)).id, ctx.run.id, "certain")
        except StoreUnavailableError as error:
            write("made", error.run_id, ctx.run.id, "maybe")
            raise


def _work(work: Work, ctx: Context) -> Done:
    with noted(ctx) as done:
        _begin(work, ctx)
        time.sleep(work.seconds / 2)
        metadata.set("claim", done.claim)
        time.sleep(work.seconds / 2)
        _finish(work, ctx)
        return done


async def _awork(work: Work, ctx: Context) -> Done:
    with noted(ctx) as done:
        await asyncio.sleep(work.seconds / 2)
        metadata.set("claim", done.claim)
        await asyncio.sleep(work.seconds / 2)
        _finish(work, ctx)
        return done


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
    """Note that a final hook runs."""
    write("hook", ctx.run.id, "complete", os.getpid(), f"{time.time():.6f}")


@task(id="f-hooked", retry=FAST, on_complete=note_hook)
def hooked(payload: Work, ctx: Context) -> Done:
    """Work in a child, with a final hook."""
    return _work(payload, ctx)


@task(id="f-ahooked", retry=FAST, on_complete=note_hook)
async def ahooked(payload: Work, ctx: Context) -> Done:
    """Work as a coroutine, with a final hook."""
    return await _awork(payload, ctx)
