"""What type checkers know of tasks and handles. Never run: mypy and pyright hold it under strict.

Each definition is one of the shapes that the decorator's overloads tell apart, in their order.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, assert_type
from uuid import UUID

from pydantic import BaseModel

from taskflow.definition.calls.batch_item import BatchItem
from taskflow.definition.calls.bulk import BulkAction
from taskflow.definition.calls.run_filter import RunFilter
from taskflow.definition.calls.task_result import TaskResult
from taskflow.definition.calls.tokens import Token, TokenResult, WaitToken
from taskflow.definition.caught import Caught
from taskflow.definition.context import Context
from taskflow.definition.local import Local
from taskflow.definition.machine import Machine
from taskflow.definition.queue import Queue
from taskflow.definition.retry import Retry
from taskflow.definition.scheduling.schedule import Schedule, ScheduledPayload
from taskflow.definition.signal import Signal
from taskflow.models import Batch, Run, RunStatus
from taskflow.testing import context
from taskflow.verbs.batch import batch
from taskflow.verbs.batch_handle import BatchHandle
from taskflow.verbs.decorator import task
from taskflow.verbs.durable import durable
from taskflow.verbs.run_handle import RunHandle
from taskflow.verbs.schedules import schedules
from taskflow.verbs.steps import astep, step
from taskflow.verbs.task import Task
from taskflow.verbs.tasks_by_id import runs, tasks
from taskflow.verbs.wait import wait


class InvoicePayload(BaseModel):
    order_id: str


@dataclass
class Invoice:
    url: str


@task(
    id="invoice-render",
    queue=Queue("invoices", concurrency_limit=4),
    machine="small-2x",
    retry=Retry(max_attempts=5, min_delay="2s", max_delay=timedelta(minutes=1), out_of_memory="large-1x"),
    tags=["billing"],
)
def render_invoice(payload: InvoicePayload, ctx: Context) -> Invoice:
    return Invoice(url=f"{payload.order_id}.{ctx.attempt.number}.pdf")


@task()
def only_payload(payload: int) -> list[str]:
    return [str(payload)]


@task(machine=Machine(cpu=2, memory=4), queue="shared", executor="process")
def only_context(ctx: Context) -> str:
    return ctx.run.id


@task()
def nothing() -> int:
    return 1


@task(executor="async")
async def async_both(payload: InvoicePayload, ctx: Context) -> Invoice:
    return Invoice(url=ctx.run.id + payload.order_id)


@task()
async def async_only_payload(payload: dict[str, int]) -> int:
    return len(payload)


@task()
async def async_only_context(ctx: Context) -> datetime:
    return ctx.run.created_at


@task()
async def async_nothing() -> None: ...


@task()
def keyword_context(payload: int, *, ctx: Context) -> str:
    return f"{payload} {ctx.run.id}"


@task()
def maybe(payload: InvoicePayload | None) -> Invoice | None:
    return None if payload is None else Invoice(url=payload.order_id)


def alert(error: Exception, ctx: Context) -> None: ...


@task(on_failure=alert, init=[dict], catch_error=lambda: Caught(skip_retry=True))
def with_hooks(payload: int, signal: Signal, init: dict[str, str], ctx: Context) -> str:
    return str(signal.reason or init or ctx.init or payload)


@with_hooks.on_success
def told(output: str) -> int:
    return len(output)


@with_hooks.catch_error
async def caught(error: Exception, retry: Retry) -> Caught | None:
    return Caught(retry_delay="5m", error=ValueError(str(error)))


@with_hooks.middleware("database")
def database() -> Generator[None]:
    with_database.set(5)
    yield


@tasks.on_complete
async def recorded(result: TaskResult[object], reason: str) -> None: ...


@tasks.middleware("timing")
async def timing(next: Callable[[], Awaitable[None]]) -> None:
    await next()


with_database = Local[int]("database")


def hooks() -> None:
    assert_type(with_hooks.trigger(5), RunHandle[str])
    assert_type(with_hooks(5, Signal(), {}, ctx=context()), str)
    assert_type(told("text"), int)  # a decorated hook is what it was
    coroutine: Coroutine[Any, Any, Caught | None] = caught(ValueError(), Retry())
    coroutine.close()
    assert_type(database(), Generator[None])
    assert_type(with_database.set(5), int)
    assert_type(with_database.get(), int | None)
    assert_type(with_database.get_or_raise(), int)
    assert_type(context().signal.reason, str | None)
    assert_type(TaskResult("run", RunStatus.COMPLETED, 5).unwrap(), int)


def subtasks() -> None:
    payload = InvoicePayload(order_id="o")
    assert_type(render_invoice.trigger_and_wait(payload, ttl="5m", tags="a"), TaskResult[Invoice])
    assert_type(nothing.trigger_and_wait(), TaskResult[int])
    assert_type(nothing.trigger_and_wait(None, idempotency_key="k").unwrap(), int)
    assert_type(async_both.batch_trigger_and_wait([payload, BatchItem(payload)]), Sequence[TaskResult[Invoice]])
    assert_type(tasks.trigger_and_wait("invoice-render", payload), TaskResult[object])
    assert_type(tasks.batch_trigger_and_wait("invoice-render", [payload], atomic=True), Sequence[TaskResult[object]])
    assert_type(batch.trigger_and_wait([(only_payload, 5), ("invoice-render", payload)]), Sequence[TaskResult[object]])
    wait.for_("1h30m")
    wait.until(datetime.now(UTC), raise_if_past=True)


@step
def price(order: str, currency: str = "EUR") -> int:
    return len(order + currency)


@step(name="ship", retry=Retry(max_attempts=5))
async def ship(order: str) -> Invoice:
    return Invoice(url=order)


def steps() -> None:
    assert_type(price("o", currency="USD"), int)
    assert_type(step("price", price, "o"), int)
    assert_type(step("again", price, "o", retry=Retry(3)), int)
    assert_type(step("no arguments", dict[str, int]), dict[str, int])
    assert_type(durable.now(), datetime)
    assert_type(durable.random(), float)
    assert_type(durable.uuid4(), UUID)


async def async_steps() -> None:
    assert_type(await ship("o"), Invoice)
    assert_type(await astep("ship", ship, "o"), Invoice)
    assert_type(await astep("ship", ship, "o", retry=Retry(3)), Invoice)
    assert_type(await astep("price", price, "o"), int)


async def async_subtasks() -> None:
    payload = InvoicePayload(order_id="o")
    one, other = await asyncio.gather(render_invoice.atrigger_and_wait(payload), nothing.atrigger_and_wait())
    assert_type(one, TaskResult[Invoice])
    assert_type(other.unwrap(), int)
    assert_type(await only_payload.abatch_trigger_and_wait([5, 6]), Sequence[TaskResult[list[str]]])
    assert_type(await batch.atrigger_and_wait([(only_payload, 5)]), Sequence[TaskResult[object]])
    await wait.afor_(timedelta(hours=1))


def batches() -> None:
    payload = InvoicePayload(order_id="o")
    made = render_invoice.batch_trigger([payload, BatchItem(payload, delay="5m", tags="a")], atomic=True)
    assert_type(made, BatchHandle[Invoice])
    assert_type(made.results(timeout="1m"), Sequence[TaskResult[Invoice]])
    assert_type(made.results()[0].unwrap(), Invoice)
    assert_type(made.runs(), Sequence[RunHandle[Invoice]])
    assert_type(made.retrieve(), Batch)
    assert_type(nothing.batch_trigger([None] * 3), BatchHandle[int])
    assert_type(only_payload.batch_trigger(range(5), idempotency_key="k"), BatchHandle[list[str]])
    mixed = batch.trigger([(render_invoice, payload), (nothing, None), ("by-id", BatchItem({"a": 1}, ttl=5))])
    assert_type(mixed, BatchHandle[object])
    assert_type(tasks.batch_trigger("by-id", ({"a": n} for n in range(3))), BatchHandle[object])


async def async_batches(items: AsyncIterator[InvoicePayload | BatchItem[InvoicePayload]]) -> None:
    assert_type(await render_invoice.abatch_trigger(items), BatchHandle[Invoice])
    assert_type(await (await render_invoice.abatch_trigger([])).aresults(), Sequence[TaskResult[Invoice]])
    assert_type(await batch.atrigger([(nothing, None)]), BatchHandle[object])


def verbs_of_runs() -> None:
    handle = only_payload.trigger(5)
    assert_type(handle.replay(), RunHandle[list[str]])
    assert_type(handle.reschedule("5m"), datetime)
    assert_type(next(handle.subscribe()), Run)
    assert_type(runs.bulk_cancel(["run_1"], on_progress=lambda action: action.abort()), BulkAction)
    assert_type(runs.bulk_replay(where=RunFilter(task="t")).run_ids, Sequence[str])


async def async_verbs_of_runs() -> None:
    async for change in runs.asubscribe("run_1"):
        assert_type(change, Run)
    assert_type(await runs.areplay("run_1"), RunHandle[object])
    assert_type(await runs.abulk_cancel(where=RunFilter(status=RunStatus.QUEUED)), BulkAction)


def definitions() -> None:
    assert_type(render_invoice.trigger(InvoicePayload(order_id="o")), RunHandle[Invoice])
    assert_type(only_payload.trigger(5), RunHandle[list[str]])
    assert_type(only_context.trigger(), RunHandle[str])
    assert_type(nothing.trigger(), RunHandle[int])
    assert_type(async_both.trigger(InvoicePayload(order_id="o")), RunHandle[Invoice])
    assert_type(async_only_payload.trigger({"a": 1}), RunHandle[int])
    assert_type(async_only_context.trigger(), RunHandle[datetime])
    assert_type(async_nothing.trigger(), RunHandle[None])
    assert_type(keyword_context.trigger(5), RunHandle[str])
    assert_type(maybe.trigger(None), RunHandle[Invoice | None])
    assert_type(maybe.trigger(InvoicePayload(order_id="o")), RunHandle[Invoice | None])


def calls_in_place(ctx: Context) -> None:
    assert_type(render_invoice(InvoicePayload(order_id="o"), ctx), Invoice)
    assert_type(render_invoice(InvoicePayload(order_id="o"), ctx=ctx), Invoice)
    assert_type(only_payload(5), list[str])
    assert_type(only_context(ctx), str)
    assert_type(nothing(), int)
    assert_type(keyword_context(5, ctx=ctx), str)


async def awaits_in_place(ctx: Context) -> None:
    coroutine: Coroutine[Any, Any, Invoice] = async_both(InvoicePayload(order_id="o"), ctx)
    assert_type(await async_only_context(ctx), datetime)
    await async_nothing()
    assert_type(await coroutine, Invoice)
    assert_type(await async_both(InvoicePayload(order_id="o"), ctx=ctx), Invoice)
    assert_type(await async_only_payload({"a": 1}), int)


def options() -> None:
    handle = render_invoice.trigger(
        InvoicePayload(order_id="o"),
        queue=Queue("urgent"),
        machine="large-1x",
        delay="5m",
        tags=["a", "b"],
        idempotency_key="invoice:o",
        max_attempts=1,
    )
    assert_type(handle, RunHandle[Invoice])
    nothing.trigger(delay=30, machine=Machine(memory=4), tags="one", queue="slow")
    nothing.trigger(delay=datetime.now(UTC))


def handles(handle: RunHandle[Invoice]) -> None:
    assert_type(handle.id, str)
    assert_type(handle.status(), RunStatus)
    assert_type(handle.result(timeout=timedelta(minutes=10)), Invoice)
    assert_type(handle.retrieve(), Run)
    assert_type(handle.cancel(), bool)


async def twins(handle: RunHandle[Invoice]) -> None:
    assert_type(await render_invoice.atrigger(InvoicePayload(order_id="o"), delay="1h"), RunHandle[Invoice])
    assert_type(await nothing.atrigger(), RunHandle[int])
    assert_type(await handle.astatus(), RunStatus)
    assert_type(await handle.aresult(timeout=5), Invoice)
    assert_type(await handle.aretrieve(), Run)
    assert_type(await handle.acancel(), bool)


def tasks_are_values(chosen: Task[int, list[str]]) -> RunHandle[list[str]]:
    """A function may take any task of a type, whatever function it is made of."""
    return chosen.trigger(5)


tasks_are_values(only_payload)


def tokens_know_what_completes_them() -> None:
    token = wait.create_token(Invoice, timeout="1d", tags=["a"], idempotency_key="k")
    assert_type(token, WaitToken[Invoice])
    assert_type(wait.for_token(token), TokenResult[Invoice])
    assert_type(wait.for_token(token.id, Invoice).unwrap(), Invoice)
    assert_type(wait.for_token("token_00").output, object | None)
    assert_type(wait.complete_token(token, Invoice(url="u")), bool)
    wait.complete_token(token.id, {"url": "u"})
    wait.complete_token(wait.create_token(), 5)
    assert_type(wait.list_tokens(status="WAITING")[0], Token)


@schedules.task(id="typed-nightly", cron="0 3 * * *", timezone="Europe/Berlin", overlap="skip", retry=Retry())
def nightly(payload: ScheduledPayload, ctx: Context) -> int:
    return payload.timestamp.year


def scheduled_tasks_are_tasks() -> None:
    assert_type(nightly.trigger(ScheduledPayload(datetime.now(UTC))), RunHandle[int])
    made = schedules.create(nightly, every=timedelta(hours=1), catch_up="last", jitter="10%")
    assert_type(made, Schedule)
    assert_type(schedules.update(made.id, cron="@daily"), Schedule)
    assert_type(schedules.list(task=nightly)[0], Schedule)
    assert_type(schedules.run_now(made.id), RunHandle[object])


async def schedules_have_twins() -> None:
    assert_type(await schedules.acreate("typed-nightly", cron="@daily"), Schedule)
    assert_type((await schedules.alist()).total, int)


async def tokens_have_twins() -> None:
    token = await wait.acreate_token(list[int], timeout=datetime.now(UTC))
    assert_type(await wait.afor_token(token), TokenResult[list[int]])
    assert_type(await wait.afor_token(token.id, Invoice), TokenResult[Invoice])
    assert_type(await wait.acomplete_token(token, [1]), bool)
    assert_type(await wait.aretrieve_token(token), Token)
