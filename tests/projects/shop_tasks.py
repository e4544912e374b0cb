"""Tasks of a shop, for the tour of the dashboard: they complete, fail, retry, wait, log, and call each other."""

import asyncio
import time
from collections.abc import AsyncIterator
from decimal import Decimal

from pydantic import BaseModel, Field

from taskflow import (
    AbortRun,
    Context,
    Queue,
    Retry,
    ScheduledPayload,
    WebhookEvent,
    astep,
    logger,
    metadata,
    schedules,
    task,
    wait,
    webhooks,
)

SECRET = "It's a Secret to Everybody"


class Customer(BaseModel):
    """A customer."""

    id: int
    name: str
    email: str


class Destination(BaseModel):
    """The place that an order goes to."""

    country: str = Field(pattern="^[A-Z]{2}$")
    postcode: str
    street: str


class Parcel(BaseModel):
    """One parcel."""

    sku: str
    quantity: int = Field(gt=0)


class Order(BaseModel):
    """An order to be sent. ``pace``: seconds of one piece of work."""

    order_id: str = Field(pattern="^o_[0-9]+$")
    customer: Customer
    destination: Destination
    parcels: list[Parcel] = Field(min_length=1, max_length=20)
    declared_value: Decimal
    express: bool = False
    reference: int | None = None
    pace: float = 0.1


class Label(BaseModel):
    """A parcel's label."""

    order_id: str = "o_48213"
    sku: str = "mug-blue"
    is_down: bool = False
    seconds: float = 0.1


class Invoice(BaseModel):
    """An order's invoice."""

    order_id: str = "o_48213"
    pages: int = 2
    seconds: float = 0.1


class Approval(BaseModel):
    """The answer of a person."""

    approved: bool
    note: str = ""


class CarrierTimeoutError(Exception):
    """A carrier did not answer in time."""


async def db() -> AsyncIterator[None]:
    """Open the database around a run."""
    yield


async def prepare() -> dict[str, str]:
    """Load the carriers' prices."""
    await asyncio.sleep(0.02)
    return {"prices": "2026-11"}


async def tell() -> None:
    """Tell the shop that an attempt has failed."""


async def quote(order: Order, *, is_down: bool) -> Decimal:
    """Ask the carrier for a price."""
    with logger.span("carrier.quote", carrier="DHL", parcels=len(order.parcels)):
        await asyncio.sleep(order.pace * 5)
        if is_down:
            logger.error("DHL did not answer within 2.5 s", carrier="DHL", host="quotes.dhl.example")
            try:
                raise TimeoutError("timed out")
            except TimeoutError as error:
                raise CarrierTimeoutError("DHL did not answer within 2.5 s") from error
    return Decimal("18.40")


@task(
    id="order-fulfil",
    description="Quote the carrier, reserve stock, print labels, clear customs, ship.",
    queue=Queue("fulfilment", concurrency_limit=40),
    retry=Retry(max_attempts=5, factor=1.4, min_delay=0.5, max_delay=30),
    middleware=db,
    init=prepare,
    on_error=tell,
)
async def fulfil(payload: Order, ctx: Context) -> dict[str, object]:
    """Send an order. Its carrier does not answer at first, and its customs wait for a person."""
    logger.info(f"Order {payload.order_id}: {len(payload.parcels)} parcels to {payload.destination.country}")
    price = await quote(payload, is_down=ctx.attempt.number == 1)
    await astep("reserve-stock", asyncio.sleep, payload.pace)
    for number, parcel in enumerate(payload.parcels, 1):
        label = Label(order_id=payload.order_id, sku=parcel.sku, seconds=payload.pace * 8)
        (await draw_label.atrigger_and_wait(label)).unwrap()
        metadata.set("progress", {"done": number, "of": len(payload.parcels)})
    logger.info(f"Labels rendered: {len(payload.parcels)} files", carrier="DHL")
    if payload.declared_value >= 1000:
        logger.warning(f"Declared value of {payload.declared_value} EUR: customs need an approval")
        token = await wait.acreate_token(Approval, tags=["customs-approval", f"order:{payload.order_id}"], timeout="1d")
        answer = (await wait.afor_token(token)).unwrap()
        logger.info("Customs: approved" if answer.approved else "Customs: refused", note=answer.note)
    await wait.afor_(payload.pace)
    logger.info("Handed to the carrier")
    return {"order_id": payload.order_id, "price": str(price), "labels": len(payload.parcels)}


@task(
    id="label-render",
    description="Draw one parcel's label.",
    retry=Retry(max_attempts=3, min_delay=0.2, max_delay=30, factor=10),
)
def draw_label(payload: Label) -> str:
    """Draw one parcel's label, unless the carrier is down."""
    logger.info(f"Drawing {payload.sku}")
    with logger.span("labels.draw", dpi=300):
        time.sleep(payload.seconds)
        if payload.is_down:
            raise ConnectionError(f"503 from labels.ups.example for {payload.order_id}")
    return f"{payload.order_id}-{payload.sku}.pdf"


@task(id="invoice-render", description="Render one order's invoice.", queue=Queue("invoices", concurrency_limit=1))
def render_invoice(payload: Invoice) -> dict[str, object]:
    """Render one order's invoice."""
    logger.info(f"Rendering {payload.order_id}")
    metadata.set("progress", {"done": 1, "of": payload.pages})
    time.sleep(payload.seconds)
    return {"file": f"{payload.order_id}.pdf", "pages": payload.pages, "total": 41.90}


@task(id="catalog-import", description="Read a supplier's catalog.", queue=Queue("imports", concurrency_limit=4))
def import_catalog(payload: Invoice) -> int:
    """Read a catalog of so many pages."""
    time.sleep(payload.seconds)
    return payload.pages


@task(id="email-send", description="Send one mail.", queue=Queue("email", concurrency_limit=30))
async def send_mail(payload: Invoice) -> str:
    """Send one mail, after as many seconds as it says."""
    await wait.afor_(payload.seconds)
    return "sent"


@schedules.task(id="stock-sync", description="Read the warehouse's stock.", cron="*/15 * * * *", retry=Retry(1))
async def sync_stock(payload: ScheduledPayload) -> None:
    """Fail at once."""
    raise AbortRun(f"The warehouse did not open for {payload.external_id or 'the shop'}")


@schedules.task(id="report-send", description="Send the numbers of the day.", cron="30 6 * * mon-fri")
async def send_report(payload: ScheduledPayload) -> str:
    """Send the report."""
    return "sent"


@webhooks.task(id="repository-push", source=webhooks.GitHub(secret=SECRET), events=["push"])
async def on_push(event: WebhookEvent[dict[str, object]]) -> str:
    """Note a push."""
    return event.event_type
