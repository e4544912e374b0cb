"""Records of deliveries as values. They hold no header that proves the sender, and no secret."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import overload


class DeliveryStatus(StrEnum):
    """Status of a delivery that was verified. Those that were not leave no record."""

    ACCEPTED = "ACCEPTED"
    FILTERED = "FILTERED"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery that the server has verified: its record in the store at one moment.

    Attributes:
        id: ``delivery_...``, made by the server.
        delivery_id: The sender's id.
        run_id: The run that it made, None for a filtered one.
        replays: The runs that its replays made, oldest first.
        duplicates: How often the sender has sent it again.
        headers: Those that are kept.
        size: Bytes of the raw body.
        digest: SHA-256 of the raw body, in hex.
        body: The raw body as text. Only ``retrieve`` reads it. None for a filtered one, and for one that is too large.
    """

    id: str
    task_id: str
    source: str
    status: DeliveryStatus
    event_type: str
    delivery_id: str
    received_at: datetime
    run_id: str | None = None
    replays: tuple[str, ...] = ()
    duplicates: int = 0
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    size: int = 0
    digest: str = ""
    body: str | None = None


@dataclass(frozen=True, slots=True)
class DeliveryPage(Sequence[Delivery]):
    """A page of deliveries, newest first.

    Attributes:
        cursor: Gives the following page when passed to ``webhooks.deliveries.list``; None on the last page.
    """

    deliveries: tuple[Delivery, ...]
    cursor: str | None = None

    @overload
    def __getitem__(self, index: int) -> Delivery: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Delivery, ...]: ...

    def __getitem__(self, index: int | slice) -> Delivery | tuple[Delivery, ...]:
        return self.deliveries[index]

    def __len__(self) -> int:
        return len(self.deliveries)

    def __iter__(self) -> Iterator[Delivery]:
        return iter(self.deliveries)


@dataclass(frozen=True, slots=True)
class WebhookEndpoint:
    """The address of a webhook task.

    Attributes:
        source: The name of the source, for example ``GitHub``.
        path: The path below the server's address. It cannot be guessed, and stays the same.
        url: The whole address; None where ``TASKFLOW_PUBLIC_URL`` is not set.
        secrets: How many secrets can be used now. 0: every delivery is refused. None: they could not be read.
    """

    task: str
    source: str
    path: str
    url: str | None
    events: tuple[str, ...]
    secrets: int | None
