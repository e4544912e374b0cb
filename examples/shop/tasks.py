"""The tasks of a small shop. ``test_shop.py`` tests them."""

import asyncio
from datetime import timedelta
from typing import Final

from pydantic import BaseModel

from taskflow import (
    AbortRun,
    Context,
    Debounce,
    Local,
    Queue,
    Retry,
    ScheduledPayload,
    metadata,
    schedules,
    step,
    streams,
    tags,
    task,
    wait,
)


class Order(BaseModel):
    """The goods that a customer has bought."""

    id: str
    customer: str = "ann@example.com"
    cents: int = 1000


class Mail(BaseModel):
    """A message to a customer."""

    to: str
    subject: str


class Charge(BaseModel):
    """A payment. ``busy`` is how many times the bank is busy before it answers."""

    order: Order
    busy: int = 0


class Approval(BaseModel):
    """The decision of a person."""

    by: str
    yes: bool


prices = Local[dict[str, int]]("prices")
progress = streams.define("progress", str)
scans = streams.input("scans", str)


@task(id="shop-mail")
def send_mail(mail: Mail) -> str:
    """Send a message."""
    tags.add(f"to_{mail.to}")
    return f"{mail.subject} to {mail.to}"


@task(id="shop-charge", retry=Retry(max_attempts=4, min_delay="10m", max_delay="2h"))
def charge(payload: Charge, ctx: Context) -> str:
    """Charge a customer, and try again while the bank is busy."""
    metadata.append("tries", ctx.attempt.number)
    if payload.order.cents <= 0:
        raise AbortRun("nothing to pay")
    if ctx.attempt.number <= payload.busy:
        raise ConnectionError("the bank is busy")
    return f"paid {payload.order.cents}"


@charge.on_failure
def tell_the_customer(payload: Charge) -> None:
    """Write to the customer when nothing helped."""
    send_mail.trigger(Mail(to=payload.order.customer, subject=f"{payload.order.id} was not paid"))


@task(id="shop-price")
def price(name: str) -> int:
    """Look a price up that the middleware has loaded."""
    return prices.get_or_raise()[name]


@price.middleware
def load_prices():  # type: ignore[no-untyped-def]
    """Load the prices around each attempt."""
    prices.set({"tea": 300, "cup": 900})
    yield
    metadata.set("unloaded", True)


@task(id="shop-order", durable=True)
def fulfil(order: Order) -> list[str]:
    """Take an order through the shop: days, in which no process waits."""
    done = [step("reserve", reserve, order.id)]
    done.append(charge.trigger_and_wait(Charge(order=order)).unwrap())
    metadata.set("state", "paid")
    wait.for_(timedelta(days=3))
    send_mail.trigger(Mail(to=order.customer, subject=f"{order.id} has arrived"), idempotency_key=f"arrived-{order.id}")
    done.append("reminded")
    return done


def reserve(order_id: str) -> str:
    """Reserve what was bought: a step, which is done once."""
    metadata.increment("reserved", 1)
    return f"reserved {order_id}"


@task(id="shop-reminder")
def remind(order: Order) -> str:
    """Remind a customer after a week, and again after a month."""
    wait.for_(timedelta(weeks=1))
    metadata.set("reminded", order.id)
    wait.for_(timedelta(days=30))
    return "reminded twice"


@task(id="shop-refund")
def refund(order: Order) -> str:
    """Pay an order back when a person agrees within two days."""
    token = wait.create_token(Approval, timeout="2d")
    metadata.set("token", token.id)
    answer = wait.for_token(token)
    if not answer.ok:
        return f"nobody has answered about {order.id}"
    approval = answer.unwrap()
    return f"{order.id} {'refunded' if approval.yes else 'refused'} by {approval.by}"


@task(id="shop-label")
async def label(order_id: str) -> str:
    """Print a label."""
    await asyncio.sleep(0)
    return f"label of {order_id}"


@task(id="shop-parcels")
async def pack(order_ids: list[str]) -> list[str]:
    """Print the labels of several orders at a time, and show how far it is."""
    results = await label.abatch_trigger_and_wait(order_ids)
    for result in results:
        await progress.aappend(result.unwrap())
    await wait.afor_("8h")  # until the parcels are picked up
    return [result.unwrap() for result in results]


@task(id="shop-scan")
def scan(count: int) -> list[str]:
    """Wait for parcels that a scanner reports."""
    return [scans.wait() for _ in range(count)]


@schedules.task(id="shop-report", cron="0 6 * * *", timezone="UTC")
def report(tick: ScheduledPayload) -> str:
    """Report each morning."""
    return f"report of {tick.timestamp:%Y-%m-%d %H:%M}"


@task(id="shop-stock", queue=Queue("shop-stock", concurrency_limit=1))
def count_stock(article: str) -> str:
    """Count an article: one at a time."""
    return f"counted {article}"


@task(id="shop-index")
def index_article(article: str) -> str:
    """Index an article for the search. Triggers within a minute become one run."""
    return f"indexed {article}"


INDEX_ONCE: Final = Debounce("article", "1m", mode="trailing")


@task(id="shop-double")
def double(number: int) -> int:
    """A member of Celery's chains and chords."""
    return number * 2


@task(id="shop-sum")
def total(numbers: list[int]) -> int:
    """The body of a chord."""
    return sum(numbers)
