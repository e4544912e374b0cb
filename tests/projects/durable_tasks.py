"""Durable tasks for the nodes of the tests: a ``def`` and an ``async def`` task of each kind."""

import asyncio
import os
import time
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel

from taskflow import Context, Retry, Wait, astep, batch, durable, metadata, step, task, wait
from tests.projects.fleet_tasks import FAST, Nap, async_sleep, sleep, write
from tests.projects.waiting_tasks import child


class Order(BaseModel):
    """The payload of a durable task."""

    id: str = "o1"
    wait: float = 0.3
    children: list[int] = []


class Charge(BaseModel):
    """The result of a step."""

    order: str
    cents: int


def charge(order: Order, cents: int) -> Charge:
    """A step with an effect."""
    write("charge", order.id, cents)
    return Charge(order=order.id, cents=cents)


@step
async def ship(order: Order) -> str:
    """A step of an ``async def`` task."""
    write("ship", order.id)
    await asyncio.sleep(0)
    return f"shipped {order.id}"


@task(id="d-shop", durable=True, retry=FAST, suspend_after=0)
def shop(payload: Order, ctx: Context) -> list[str]:
    """Steps around a wait without a process and children."""
    write("begin", payload.id, ctx.attempt.number)
    try:
        paid = step("charge", charge, payload, 5)
        write("key", payload.id, durable.uuid4())
        wait.for_(5 + payload.wait)
        values = [child.trigger_and_wait(value).unwrap().value for value in payload.children]
        again = step("receipt", lambda: f"{paid.cents} {sum(values)}")
        return [type(paid).__name__, again]
    finally:
        metadata.increment("left", 1)
        write("finally", payload.id)


@task(id="d-async-shop", durable=True, retry=FAST, suspend_after=0)
async def async_shop(payload: Order, ctx: Context) -> list[str]:
    """Do the same in an event loop, with all children at a time."""
    write("begin", payload.id, ctx.attempt.number)
    try:
        paid = await astep("charge", charge, payload, 5)
        await wait.afor_(5 + payload.wait)
        values = await asyncio.gather(*(child.atrigger_and_wait(value) for value in payload.children))
        total = sum(each.unwrap().value for each in values)
        return [type(paid).__name__, f"{paid.cents} {total}", await ship(payload)]
    finally:
        metadata.increment("left", 1)
        write("finally", payload.id)


@task(id="d-hardy", durable=True, retry=FAST, suspend_after=5.5)
def hardy(payload: str, ctx: Context) -> int:
    """Five steps and two waits: the first in memory, the second without a process."""
    total = 0
    for number in range(5):
        total += step(f"s{number}", effect, ctx.run.id, number)
        if number in WAITS:
            wait.for_(WAITS[number])
    return total


@task(id="d-async-hardy", durable=True, retry=FAST, suspend_after=5.5)
async def async_hardy(payload: str, ctx: Context) -> int:
    """Do the same in an event loop."""
    total = 0
    for number in range(5):
        total += await astep(f"s{number}", aeffect, ctx.run.id, number)
        if number in WAITS:
            await wait.afor_(WAITS[number])
    return total


WAITS = {1: 5.05, 3: 5.8}


def effect(run_id: str, number: int) -> int:
    """Write to the ledger, and take a while."""
    write("step", run_id, f"s{number}")
    time.sleep(0.15)
    return number


async def aeffect(run_id: str, number: int) -> int:
    """Write to the ledger, and take a while."""
    write("step", run_id, f"s{number}")
    await asyncio.sleep(0.15)
    return number


@task(id="d-retrying", durable=True, retry=FAST)
def retrying(payload: Order, ctx: Context) -> list[object]:
    """Fail twice, after a step, children and a step that is retried."""
    first = step("charge", charge, payload, ctx.attempt.number)
    doubled = child.trigger_and_wait(payload.children[0]).unwrap().value
    batches = [
        *child.batch_trigger_and_wait(payload.children),
        *batch.trigger_and_wait([(child, 1), ("w-child", "not a number"), ("d-slow-child", 0.01)]),
    ]
    kinds = [type(result.output).__name__ if result.ok else result.status.value for result in batches]
    if ctx.attempt.number == 1:
        raise ValueError("after the child")
    second = step("flaky", flaky, payload.id, retry=FAST)
    if ctx.attempt.number == 2:
        raise ValueError("after the flaky one")
    return [first.cents, doubled, second, ctx.attempt.number, *kinds]


def flaky(order: str) -> str:
    """Fail the first time, which a file beside the ledger records."""
    marker = Path(os.environ["LEDGER"]).with_name(f"flaky-{order}")
    if not marker.exists():
        marker.touch()
        raise ConnectionError("not yet")
    return "ok"


@task(id="d-changed", durable=True, retry=FAST)
async def changed(payload: str, ctx: Context) -> None:
    """Call other steps at each attempt."""
    if ctx.attempt.number == 1:
        await astep("charge", str)
        raise ValueError("tried again by other code")
    await wait.afor_("1h")


@task(id="d-patient", durable=True, retry=FAST, suspend_after=0.3)
async def patient(payload: Order, ctx: Context) -> list[float]:
    """Wait for slow children, with hooks."""
    results = await asyncio.gather(*(slow_child.atrigger_and_wait(payload.wait) for _ in range(2)))
    return [result.unwrap() for result in results]


@patient.on_wait
def _waits(wait: Wait, ctx: Context) -> None:
    write("on_wait", ctx.run.id, wait.type, ctx.attempt.number)


@patient.on_resume
def _resumes(wait: Wait, ctx: Context) -> None:
    write("on_resume", ctx.run.id, wait.type, ctx.attempt.number)


@patient.on_start_attempt
def _starts(ctx: Context) -> None:
    write("on_start_attempt", ctx.run.id)


@task(id="d-slow-child", retry=FAST)
async def slow_child(payload: float, ctx: Context) -> float:
    """Take its time."""
    write("slow-child", ctx.run.parent_id)
    await asyncio.sleep(payload)
    return payload


@task(id="d-attentive", durable=True, retry=FAST, suspend_after="1h")
def attentive(payload: float, ctx: Context) -> str:
    """Wait in memory for a child in another kind of node."""
    step("mark", write, "attentive", ctx.run.id)
    return async_sleep.trigger_and_wait(Nap(seconds=payload)).unwrap()


@task(id="d-async-attentive", durable=True, retry=FAST, suspend_after="1h")
async def async_attentive(payload: float, ctx: Context) -> str:
    """Do the same as a coroutine."""
    await astep("mark", write, "attentive", ctx.run.id)
    return (await sleep.atrigger_and_wait(Nap(seconds=payload))).unwrap()


@task(id="d-canceled", durable=True, retry=FAST, suspend_after=0)
def waits_for_ever(payload: str, ctx: Context) -> None:
    """Wait for a day without a process."""
    step("mark", write, "waits", ctx.run.id)
    wait.for_("1d")


@waits_for_ever.on_cancel
def _canceled(ctx: Context) -> None:
    write("on_cancel", ctx.run.id)


@task(id="d-stubborn", durable=True, retry=Retry(max_attempts=1), suspend_after=0)
def stubborn(payload: str, ctx: Context) -> str:
    """Swallow the exception that unloads the run."""
    try:
        wait.for_(5.5)
    except BaseException:  # noqa: BLE001 - the case under test
        write("swallowed", ctx.run.id)
    return "done"


@task(id="d-mixed", durable=True, retry=FAST, suspend_after=0, executor="process")
async def mixed(payload: Order, ctx: Context) -> list[object]:
    """An ``async def`` task in a child of its own."""

    async def branch(number: int) -> float:
        await wait.afor_(5 + payload.wait)
        return await astep(f"branch {number}", aeffect, ctx.run.id, number)

    first = await astep("first", effect, ctx.run.id, 7)
    return [first, *await asyncio.gather(*map(branch, range(3)))]


@task(id="d-held", durable=True, retry=FAST, suspend_after="1h")
async def held(payload: str, ctx: Context) -> None:
    """Wait in memory, and write to the ledger when the code leaves the wait."""
    try:
        await wait.afor_("30m")
    finally:
        await asyncio.sleep(0.1)
        write("left", ctx.run.id)


@task(id="d-token", durable=True, retry=FAST, suspend_after=0)
def approved(payload: str, ctx: Context) -> object:
    """Wait for a person's decision, through a token that is made once."""
    token = wait.create_token(timeout="1h")
    write("token", ctx.run.id, token.id)
    return wait.for_token(token).unwrap()


@task(id="d-clinging", durable=True, retry=Retry(max_attempts=1), suspend_after=0)
def clinging(payload: float, ctx: Context) -> str:
    """Do not end in time when the run is unloaded."""
    try:
        wait.for_(payload)
    except BaseException:  # noqa: BLE001 - the case under test
        write("clings", ctx.run.id)
        time.sleep(60)
    return "done"


@task(id="d-async-clinging", durable=True, retry=Retry(max_attempts=1), suspend_after=0)
async def async_clinging(payload: float, ctx: Context) -> str:
    """Do not end in time when the run is unloaded."""
    try:
        await wait.afor_(payload)
    except BaseException:  # noqa: BLE001 - the case under test
        write("clings", ctx.run.id)
        await asyncio.sleep(60)
    return "done"


class Alarm(BaseModel):
    """The instant to wake at."""

    at: datetime


@task(id="d-alarm", durable=True, retry=FAST, suspend_after=0)
async def alarm(payload: Alarm, ctx: Context) -> float:
    """Wait without a process until an instant, and return how late the run went on."""
    await astep("set", write, "set", ctx.run.id)
    await wait.auntil(payload.at)
    return time.time() - payload.at.timestamp()


async def deployed_calls(run_id: str) -> str:
    """Make the calls of the version that a node executes: the second one has another step at the third place."""
    await astep("first", aeffect, run_id, 1)
    token = await wait.acreate_token()
    write("deployed", run_id, token.id)
    if os.environ.get("TASKFLOW_VERSION") == "v2":
        await astep("new", aeffect, run_id, 2)
    by = str((await wait.afor_token(token)).unwrap())
    await astep("last", aeffect, run_id, 3)
    return by


def unsure(run_id: str, name: str) -> str:
    """Fail in the first version of the code."""
    write("tries", run_id, name)
    if os.environ.get("TASKFLOW_VERSION") == "v1":
        raise ValueError(name)
    return name


@task(id="d-mended", durable=True, retry=Retry(1))
def mended(payload: str, ctx: Context) -> list[str]:
    """Fail in its last step until the code is mended; what comes before has effects."""
    step("first", effect, ctx.run.id, 1)
    key = durable.uuid4()
    value = child.trigger_and_wait(4).unwrap().value
    last = step("last", unsure, ctx.run.id, payload, retry=Retry(2, min_delay=0, max_delay=0))
    return [str(key), str(value), last]


@task(id="d-async-mended", durable=True, retry=Retry(1))
async def async_mended(payload: str, ctx: Context) -> list[str]:
    """Do the same in the loop of a node."""
    await astep("first", aeffect, ctx.run.id, 1)
    key = durable.uuid4()
    value = (await child.atrigger_and_wait(4)).unwrap().value
    last = await astep("last", unsure, ctx.run.id, payload, retry=Retry(2, min_delay=0, max_delay=0))
    return [str(key), str(value), last]


@task(id="d-async-deployed", durable=True, retry=FAST, suspend_after=0)
async def async_deployed(payload: str, ctx: Context) -> str:
    """Execute in a loop of its node."""
    return await deployed_calls(ctx.run.id)


@task(id="d-child-deployed", durable=True, retry=FAST, suspend_after=0, executor="process")
async def child_deployed(payload: str, ctx: Context) -> str:
    """Execute in a loop of its own, in a child."""
    return await deployed_calls(ctx.run.id)


@task(id="d-deployed", durable=True, retry=FAST, suspend_after=0)
def deployed(payload: str, ctx: Context) -> str:
    """Do the same without a loop, and catch what can be caught."""
    try:
        step("first", effect, ctx.run.id, 1)
        token = wait.create_token()
        write("deployed", ctx.run.id, token.id)
        if os.environ.get("TASKFLOW_VERSION") == "v2":
            step("new", effect, ctx.run.id, 2)
        by = str(wait.for_token(token).unwrap())
        step("last", effect, ctx.run.id, 3)
    except Exception:
        write("compensates", ctx.run.id)
        raise
    return by


@deployed.on_failure
def _fails(ctx: Context) -> None:
    write("on_failure", ctx.run.id)
