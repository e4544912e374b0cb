"""Tasks of the shop. Workers find this module, because its app is installed."""

from django.db import transaction
from pydantic import BaseModel

from taskflow import AbortRun, task

from .models import Order

IN_STOCK = 100


class OrderPayload(BaseModel):
    """The order to confirm."""

    order_id: int


@task(id="confirm-order")
def confirm_order(payload: OrderPayload) -> str:
    """Confirm an order if there is enough in stock. Safe to repeat."""
    with transaction.atomic():
        order = Order.objects.get(pk=payload.order_id)
        order.status = "confirmed" if order.quantity <= IN_STOCK else "sold out"
        order.save()
    if order.status != "confirmed":
        raise AbortRun(f"only {IN_STOCK} in stock")
    return order.status
