"""Tasks of a module whose annotations are text, some of names defined further down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel

from taskflow.definition.registry import declared
from taskflow.verbs.decorator import task

if TYPE_CHECKING:
    from decimal import Decimal

    from taskflow.definition.context import Context


@task(id="later-order")
def price(payload: Order, ctx: Context) -> list[Price]:
    return [Price(cents=payload.cents)]


with declared.isolated():  # other tests' applications register all tasks declared in this process

    @task(id="later-nowhere")
    def nowhere(payload: Decimal) -> None: ...


class Order(BaseModel):
    cents: int
    next: Order | None = None


class Price(BaseModel):
    cents: int
