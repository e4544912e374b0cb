"""The tasks of Trigger.dev's acceptance scenarios of waits: a ``def`` and an ``async def`` task of each kind."""

import asyncio
from collections.abc import AsyncIterator

from pydantic import BaseModel

from taskflow import Context, TaskResult, TokenResult, Wait, idempotency_keys, task, wait
from tests.projects.fleet_tasks import FAST, write
from tests.projects.waiting_tasks import SINGLE, Sum, child


class Approval(BaseModel):
    """The decision of a person."""

    approved: bool
    by: str


def _by(result: TokenResult[Approval]) -> str:
    return result.unwrap().by if result.ok else type(result.error).__name__


@task(id="s-approved", queue=SINGLE, retry=FAST)
def approved(payload: str) -> str:
    """Wait for a token, and return who completed it, or its error."""
    return _by(wait.for_token(payload, Approval))


@task(id="s-async-approved", queue=SINGLE, retry=FAST)
async def async_approved(payload: str) -> str:
    """Wait for a token, and return who completed it, or its error."""
    return _by(await wait.afor_token(payload, Approval))


@approved.on_wait
@async_approved.on_wait
def _waits(wait: Wait) -> None:
    write("on_wait", wait.type, wait.token_id, wait.until is not None)


@task(id="s-persistent", retry=FAST)
async def persistent(payload: float, ctx: Context) -> str:
    """Stop waiting for a token and fail. The next attempt gets the same token by its key."""
    token = await wait.acreate_token(Approval, idempotency_key="approval")
    write("token", ctx.attempt.number, token.id, token.is_cached)
    if ctx.attempt.number == 1:
        async with asyncio.timeout(payload):
            await wait.afor_token(token)
    return (await wait.afor_token(token)).unwrap().by


def _told(result: TaskResult[Sum]) -> str:
    return str(result.unwrap().value) if result.ok else result.status.value


@task(id="s-sharing", retry=FAST)
def sharing(payload: int) -> str:
    """Wait for a child that other runs wait for too."""
    key = idempotency_keys.create(f"shared-{payload}", scope="global")
    return _told(child.trigger_and_wait(payload, idempotency_key=key))


@task(id="s-async-sharing", retry=FAST)
async def async_sharing(payload: int) -> str:
    """Wait for a child that other runs wait for too."""
    key = idempotency_keys.create(f"shared-{payload}", scope="global")
    return _told(await child.atrigger_and_wait(payload, idempotency_key=key))


@task(id="s-gated", retry=FAST)
async def gated(payload: str, ctx: Context) -> str:
    """Wait for a token and return its output."""
    write("gated", ctx.run.id)
    return str((await wait.afor_token(payload)).unwrap())


@task(id="s-batch", retry=FAST)
def batch_parent(payload: list[str]) -> list[str]:
    """Wait for a batch, and then for one run."""
    results = gated.batch_trigger_and_wait(payload)
    return [*(result.unwrap() for result in results), _told(child.trigger_and_wait(5))]


@task(id="s-async-batch", retry=FAST)
async def async_batch_parent(payload: list[str]) -> list[str]:
    """Wait for a batch, and then for one run."""
    results = await gated.abatch_trigger_and_wait(payload)
    return [*(result.unwrap() for result in results), _told(await child.atrigger_and_wait(5))]


@task(id="s-broken-batch", retry=FAST)
async def broken_batch(payload: list[str]) -> str:
    """Wait for a batch whose iterator of items raises an error."""

    async def items() -> AsyncIterator[str]:
        for item in payload:
            yield item
        raise LookupError("the rest is gone")

    try:
        await gated.abatch_trigger_and_wait(items())
    except LookupError as error:
        return str(error)
    return "made"
