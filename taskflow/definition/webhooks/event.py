"""The payload of a webhook task."""

from typing import Generic, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict

BodyT = TypeVar("BodyT")


class WebhookEvent(BaseModel, Generic[BodyT]):
    """One delivery of a webhook, verified.

    Attributes:
        body: The body: JSON, or the fields of a form.
        headers: Names in lower case. Only those that are kept: type, id, event and what the source names.
        event_type: The type of the event as the source writes it, "" if it has none.
        delivery_id: The sender's id, the same when it sends the delivery again; a digest if it sends none.
        received_at: The instant at which the server received the delivery.
    """

    model_config = ConfigDict(frozen=True)

    body: BodyT
    headers: dict[str, str]
    event_type: str
    delivery_id: str
    received_at: AwareDatetime
