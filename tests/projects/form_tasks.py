"""Tasks whose payloads have every kind of field, for the page of tests."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, field_validator

from taskflow import ScheduledPayload, WebhookEvent, schedules, task, webhooks


class Priority(StrEnum):
    """The speed of a parcel."""

    ECONOMY = "economy"
    STANDARD = "standard"
    EXPRESS = "express"


class Address(BaseModel):
    """The place that a parcel goes to."""

    country: Literal["AT", "CH", "DE", "FR", "IT"]
    postcode: str
    street: str
    instructions: str | None = None


class Parcel(BaseModel):
    """One parcel."""

    sku: str
    quantity: int = Field(gt=0)
    weight_g: int


class Card(BaseModel):
    """A payment by card."""

    kind: Literal["card"]
    number: str
    secret: str = ""


class Invoice(BaseModel):
    """A payment by invoice."""

    kind: Literal["invoice"]
    days: int = 30


class Category(BaseModel):
    """A category of categories."""

    name: str
    parts: list["Category"] = []


class FulfilOrder(BaseModel):
    """An order to be sent."""

    order_id: str = Field(pattern="^o_[0-9]+$")
    ship_after: datetime | None = None
    priority: Priority = Priority.STANDARD
    destination: Address
    parcels: list[Parcel] = Field(min_length=1, max_length=20)
    declared_value: Decimal
    gift: bool = False
    payment: Annotated[Card | Invoice, Field(discriminator="kind")] | None = None
    labels: dict[str, str] = {}
    category: Category | None = None
    anything: int | list[str] | None = None

    @field_validator("labels")
    @classmethod
    def _few(cls, value: dict[str, str]) -> dict[str, str]:
        if len(value) > 2:
            raise ValueError("at most 2 labels")
        return value


@task(id="form-order", description="Reserve stock, print labels, book the carrier, tell the customer.")
def fulfil(payload: FulfilOrder) -> None:
    """Do nothing: only its form is tried."""


@task(id="form-any")
def take_any(payload: Any) -> None:
    """Take any JSON."""


@task(id="form-none")
def take_none() -> None:
    """Take nothing."""


@schedules.task(id="form-nightly", cron="0 3 * * *")
def nightly(payload: ScheduledPayload) -> None:
    """Run each night."""


@webhooks.task(id="form-hook", source=webhooks.GitHub(secret="s3cret"))
def hook(event: WebhookEvent[dict[str, int]]) -> None:
    """Take an event."""
