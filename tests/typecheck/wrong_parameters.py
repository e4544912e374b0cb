"""Calls of tasks with several parameters that type checkers must refuse. Never run; see ``wrong_calls``."""
# pyright: reportUnnecessaryTypeIgnoreComment=error

from decimal import Decimal

from taskflow import Context, RunHandle
from tests.typecheck.right_parameters import (
    all_optional,
    by_name,
    charge,
    one_payload,
    two,
    with_context,
    with_context_async,
)


def arguments() -> None:
    charge.trigger()  # type: ignore[call-arg]  # order_id is missing
    charge.trigger(5)  # type: ignore[arg-type]  # text
    charge.trigger("o", Decimal(1), "n")  # type: ignore[call-arg]  # note has to be named
    charge.trigger("o", amount="2")  # type: ignore[arg-type]  # a Decimal
    charge.trigger("o", amuont=Decimal(2))  # type: ignore[call-arg]  # amount
    charge.trigger("o", delay="5m")  # type: ignore[call-arg]  # an option: with_options
    charge.trigger_and_wait("o", 5.0)  # type: ignore[arg-type]  # a Decimal
    two.trigger("o", queue="payments")  # type: ignore[arg-type]  # the parameter, a number
    all_optional.trigger("thirty")  # type: ignore[arg-type]  # a number
    by_name.trigger(7)  # type: ignore[call-arg]  # by name only
    charge.arguments()  # type: ignore[call-arg]  # order_id is missing


def contexts(ctx: Context) -> None:
    with_context.trigger(ctx, "o")  # type: ignore[arg-type]  # a run has its own context
    with_context("o")  # type: ignore[call-arg, arg-type]  # a call in place needs one
    with_context_async.trigger(1, 2)  # type: ignore[call-arg]  # c is missing


def options() -> None:
    charge.with_options(dealy="5m")  # type: ignore[call-arg]  # delay
    charge.with_options(delay="5m").trigger(5)  # type: ignore[arg-type]  # text
    one_payload.with_options(delay="5m")  # type: ignore[attr-defined]  # trigger({...}, delay="5m")


def batches() -> None:
    charge.batch_trigger(["o"])  # type: ignore[list-item]  # charge.arguments("o")
    charge.batch_trigger([two.arguments("o", 1)])  # type: ignore[list-item]  # another task's


async def twins() -> None:
    await charge.atrigger(5)  # type: ignore[arg-type]  # the twin is as strict


def results() -> None:
    handle: RunHandle[str] = charge.trigger("o")  # type: ignore[assignment]  # of Receipt
    print(handle)


def signatures() -> None:
    charge.si(5)  # type: ignore[arg-type]  # text
    charge.si(amount=Decimal(2))  # type: ignore[call-arg]  # order_id is missing
    one_payload.s(5)  # type: ignore[call-overload]  # a dict
    one_payload.si()  # type: ignore[call-arg]  # it takes a payload
