"""What type checkers know of tasks with several parameters. Never run: mypy and pyright hold it under strict."""

from collections.abc import Coroutine, Sequence
from decimal import Decimal
from typing import Any, assert_type

from celery.canvas import Signature, chain, group
from pydantic import BaseModel

from taskflow import BatchHandle, BatchItem, Context, RunHandle, Task, batch, task
from taskflow.definition.calls.task_result import TaskResult
from taskflow.definition.documents.arguments import Arguments


class Receipt(BaseModel):
    url: str


@task(id="typed-charge")
def charge(order_id: str, amount: Decimal = Decimal(1), *, note: str | None = None) -> Receipt:
    return Receipt(url=f"{order_id}.{amount}.{note}")


@task()
async def acharge(order_id: str, amount: Decimal = Decimal(1), *, note: str | None = None) -> Receipt:
    return Receipt(url=f"{order_id}.{amount}.{note}")


@task()
def two(order_id: str, queue: int) -> str:
    return order_id * queue


@task()
def with_context(ctx: Context, order_id: str, count: int = 1, *, delay: str = "") -> list[str]:
    return [ctx.run.id, order_id, delay] * count


@task()
async def with_context_async(ctx: Context, a: int, b: int, c: int) -> int:
    return len(ctx.run.id) + a + b + c


@task()
def all_optional(days: int = 30, region: str = "eu") -> int:
    return days + len(region)


@task()
def one_optional(days: int = 30) -> int:
    return days


@task()
def by_name(*, days: int) -> int:
    return days


@task()
def partly_by_name(order_id: str, *, note: str) -> str:
    return order_id + note


@task()
def by_position(a: int, b: str, /) -> str:
    return b * a


@task()
def untyped_data(a: int, data: dict[str, Any]) -> dict[str, Any]:
    return data | {"a": a}


@task()
def one_payload(data: dict[str, Any]) -> dict[str, Any]:
    return data


@task()
def one_payload_context(data: dict[str, Any], ctx: Context) -> dict[str, Any]:
    return data | {"run": ctx.run.id}


@task()
def nothing() -> int:
    return 1


@task()
def any_object(payload: object) -> str:
    return str(payload)


@task()
def payload_init(payload: int, init: str) -> str:
    return init * payload


@task()
async def payload_init_context(payload: int, *, init: str, ctx: Context) -> str:
    return init * payload + ctx.run.id


def triggers() -> None:
    assert_type(charge.trigger("o1"), RunHandle[Receipt])
    assert_type(charge.trigger("o1", Decimal(2), note="n"), RunHandle[Receipt])
    assert_type(charge.trigger(order_id="o1", amount=Decimal(2)).result(), Receipt)
    assert_type(two.trigger("o1", queue=5), RunHandle[str])
    assert_type(with_context.trigger("o1", delay="text"), RunHandle[list[str]])
    assert_type(with_context_async.trigger(1, 2, c=3), RunHandle[int])
    assert_type(all_optional.trigger(), RunHandle[int])
    assert_type(all_optional.trigger(7, region="us"), RunHandle[int])
    assert_type(one_optional.trigger(days=7), RunHandle[int])
    assert_type(by_name.trigger(days=7), RunHandle[int])
    assert_type(partly_by_name.trigger("o", note="n"), RunHandle[str])
    assert_type(by_position.trigger(1, "a"), RunHandle[str])
    assert_type(untyped_data.trigger(1, {"b": 2}), RunHandle[dict[str, Any]])


def options() -> None:
    later = charge.with_options(delay="1h", queue="payments", tags=["a"], idempotency_key="o1")
    assert_type(later.trigger("o1", note="n"), RunHandle[Receipt])
    assert_type(two.with_options(queue="payments").trigger("o1", queue=5), RunHandle[str])
    assert_type(later.trigger_and_wait("o1"), TaskResult[Receipt])


def waits() -> None:
    assert_type(charge.trigger_and_wait("o1", amount=Decimal(2)), TaskResult[Receipt])
    assert_type(with_context.trigger_and_wait("o1").unwrap(), list[str])


async def twins() -> None:
    assert_type(await acharge.atrigger("o1", note="n"), RunHandle[Receipt])
    assert_type(await acharge.atrigger_and_wait(order_id="o1"), TaskResult[Receipt])
    assert_type(await charge.with_options(delay=5).atrigger("o1"), RunHandle[Receipt])
    assert_type(await charge.abatch_trigger([charge.arguments("o1")]), BatchHandle[Receipt])


def batches() -> None:
    items = [charge.arguments("o1"), charge.arguments("o2", amount=Decimal(2))]
    assert_type(charge.batch_trigger(items), BatchHandle[Receipt])
    assert_type(charge.batch_trigger([BatchItem(items[0], delay="5m"), items[1]]), BatchHandle[Receipt])
    assert_type(charge.batch_trigger_and_wait(items), Sequence[TaskResult[Receipt]])
    assert_type(batch.trigger([(charge, items[0]), ("by-id", {"a": 1})]), BatchHandle[object])
    one_of_two: Arguments[[str, int]] = two.arguments("o", 1)
    print(one_of_two)


def hooks() -> None:
    @charge.on_failure
    def told(payload: Any, error: Exception) -> str:
        return f"{payload.order_id} {error}"

    assert_type(told(None, ValueError()), str)


def in_place(ctx: Context) -> None:
    assert_type(charge("o1", note="n"), Receipt)
    coroutine: Coroutine[Any, Any, Receipt] = acharge("o1")
    coroutine.close()
    assert_type(with_context(ctx, "o1", 2), list[str])
    assert_type(one_payload_context({}, ctx=ctx), dict[str, Any])


def one_payload_stays_one_payload() -> None:
    """Also when its type, or that of the result, holds Any."""
    assert_type(one_payload.trigger({"a": 1}, delay="5m"), RunHandle[dict[str, Any]])
    assert_type(one_payload_context.trigger({"a": 1}), RunHandle[dict[str, Any]])
    assert_type(any_object.trigger(object()), RunHandle[str])
    assert_type(payload_init.trigger(1), RunHandle[str])
    assert_type(payload_init_context.trigger(1), RunHandle[str])
    chosen: Task[int, str] = payload_init
    assert_type(chosen.trigger(1), RunHandle[str])


def signatures() -> None:
    assert_type(charge.s(amount=Decimal(2)), Signature[Receipt])
    assert_type(charge.si("o1", amount=Decimal(2)), Signature[Receipt])
    assert_type(one_payload.s(), Signature[dict[str, Any]])
    assert_type(one_payload.s({"a": 1}), Signature[dict[str, Any]])
    assert_type(payload_init.si(1), Signature[str])
    assert_type(nothing.si(), Signature[int])
    chained = chain(charge.si("o1"), one_payload.s(), group(charge.s(), one_payload.s()))
    chained.apply_async()
