"""Calls that type checkers must refuse. Never run: an ignore that is not needed is an error of mypy and of pyright.

The code after ``type: ignore`` is mypy's. pyright heeds the comment too and, by the line below, insists on needing it.
"""
# pyright: reportUnnecessaryTypeIgnoreComment=error

from taskflow.definition.calls.batch_item import BatchItem
from taskflow.definition.caught import Caught
from taskflow.definition.context import Context
from taskflow.definition.local import Local
from taskflow.definition.queue import Queue
from taskflow.definition.retry import Retry
from taskflow.verbs.batch import batch
from taskflow.verbs.batch_handle import BatchHandle
from taskflow.verbs.decorator import task
from taskflow.verbs.run_handle import RunHandle
from taskflow.verbs.steps import step
from taskflow.verbs.tasks_by_id import runs
from taskflow.verbs.wait import wait
from tests.typecheck.right_calls import (
    InvoicePayload,
    async_only_payload,
    nothing,
    only_context,
    only_payload,
    price,
    render_invoice,
    tasks_are_values,
)


def payloads() -> None:
    render_invoice.trigger("o_42")  # type: ignore[arg-type]  # a payload, not its id
    render_invoice.trigger()  # type: ignore[call-arg]  # it takes a payload
    render_invoice.trigger(None)  # type: ignore[arg-type]  # None is no payload of it
    only_payload.trigger("5")  # type: ignore[arg-type]  # text is no int
    nothing.trigger(5)  # type: ignore[call-overload]  # it takes no payload
    only_context.trigger(InvoicePayload(order_id="o"))  # type: ignore[call-overload]  # ctx is not a payload
    async_only_payload.trigger({"a": "1"})  # type: ignore[dict-item]  # dict[str, int]


def steps() -> None:
    step("price", price, 5)  # type: ignore[call-overload]  # the function takes text
    price(5)  # type: ignore[arg-type]  # as the function itself
    step(price, "o")  # type: ignore[call-overload]  # a name comes first


def subtasks() -> None:
    render_invoice.trigger_and_wait("o_42")  # type: ignore[arg-type]  # a payload, not its id
    nothing.trigger_and_wait(5)  # type: ignore[call-overload]  # it takes no payload
    only_payload.trigger_and_wait(5, dealy="5m")  # type: ignore[call-arg]  # delay
    only_payload.batch_trigger_and_wait([5], delay="5m")  # type: ignore[call-arg]  # each item has its own
    number: int = only_payload.trigger_and_wait(5).unwrap()  # type: ignore[assignment]  # list[str]
    print(number)


def batches() -> None:
    render_invoice.batch_trigger(["o_42"])  # type: ignore[list-item]  # payloads, not their ids
    render_invoice.batch_trigger([BatchItem("o_42")])  # type: ignore[arg-type]  # the payload of an item, too
    render_invoice.batch_trigger(InvoicePayload(order_id="o"))  # type: ignore[arg-type]  # several
    only_payload.batch_trigger([BatchItem(5, dealy="5m")])  # type: ignore[call-arg]  # delay
    only_payload.batch_trigger([5], delay="5m")  # type: ignore[call-arg]  # each item has its own
    batch.trigger([only_payload])  # type: ignore[list-item]  # (task, payload)
    handle: BatchHandle[str] = only_payload.batch_trigger([5])  # type: ignore[assignment]  # of list[str]
    print(handle)


def verbs_of_runs() -> None:
    runs.bulk_cancel(task="t")  # type: ignore[call-arg]  # where=RunFilter(task="t")
    for change in runs.asubscribe("run_1"):  # type: ignore[attr-defined]  # async for
        assert change


async def twins() -> None:
    await render_invoice.atrigger("o_42")  # type: ignore[arg-type]  # the twin is as strict
    await nothing.atrigger(5)  # type: ignore[call-overload]  # it takes no payload


def results() -> None:
    handle: RunHandle[str] = render_invoice.trigger(InvoicePayload(order_id="o"))  # type: ignore[assignment]  # of Invoice
    url: str = render_invoice.trigger(InvoicePayload(order_id="o")).result()  # type: ignore[assignment]  # an Invoice
    print(handle, url)


def options() -> None:
    nothing.trigger(dealy="5m")  # type: ignore[call-overload]  # delay
    nothing.trigger(max_attempts="3")  # type: ignore[call-overload]  # a number
    nothing.trigger(None, "5m")  # type: ignore[call-overload]  # options by name only
    Retry(max_attempts="3")  # type: ignore[arg-type]  # a number
    Queue("invoices", limit=4)  # type: ignore[call-arg]  # concurrency_limit


def calls_in_place(ctx: Context) -> None:
    render_invoice(InvoicePayload(order_id="o"))  # type: ignore[call-arg]  # its function wants ctx
    render_invoice("o", ctx)  # type: ignore[arg-type]  # a payload, not its id
    nothing(5)  # type: ignore[call-arg]  # its function takes nothing


def hooks() -> None:
    nothing.on_failure(5)  # type: ignore[call-overload]  # a function, or a name
    nothing.on_sucess(print)  # type: ignore[attr-defined]  # on_success
    Caught(skip_retries=True)  # type: ignore[call-arg]  # skip_retry
    Caught(error="text")  # type: ignore[arg-type]  # an exception
    Local[int]("count").set("5")  # type: ignore[arg-type]  # an int
    number: int = Local[int]("count").get()  # type: ignore[assignment]  # None when it is not set
    print(number)


def tokens() -> None:
    token = wait.create_token(int)
    wait.complete_token(token, "text")  # type: ignore[misc]  # an int
    wait.for_token(token).unwrap().upper()  # type: ignore[attr-defined]  # an int
    wait.create_token(timout="1d")  # type: ignore[call-overload]  # timeout


@task(on_failure="alert")  # type: ignore[arg-type]  # a function
def no_such_hook() -> None: ...


@task(retires=3)  # type: ignore[call-arg]  # retry
def misspelt() -> None: ...


@task(executor="thread")  # type: ignore[arg-type]  # "process" or "async"
def no_such_executor() -> None: ...


@task  # type: ignore[call-arg, arg-type]  # task() takes options only
def no_parentheses() -> None: ...


tasks_are_values(render_invoice)  # type: ignore[arg-type]  # another payload, another result
