"""The operations of webhooks' deliveries."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, NamedTuple

from taskflow.definition.webhooks.deliveries import Delivery, DeliveryStatus
from taskflow.errors import DeliveryNotFoundError
from taskflow.store.operations.encoding import instant, milliseconds, pairs, text
from taskflow.store.operations.making import NewRun, trigger_run
from taskflow.store.operations.operation import Operation

FIRST: Final = ""
"""The cursor of a list's beginning."""


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A delivery to keep.

    Attributes:
        id: ``delivery_...``.
        sender_id: The sender's id.
        headers: Those that are kept.
        body: The raw body.
        is_body_kept: Whether the record has the body: it fits the store.
        dedupe: How long the sender's id counts.
        kept: How long the record is kept.
    """

    id: str
    task_id: str
    source: str
    event_type: str
    sender_id: str
    headers: Mapping[str, str]
    body: bytes
    is_body_kept: bool
    dedupe: timedelta
    kept: timedelta


class Accepted(NamedTuple):
    """A delivery that is kept with its run, or the one of the same id that came before."""

    id: str
    run_id: str
    is_duplicate: bool


def accept_delivery(new: NewDelivery, run: NewRun) -> Operation[Accepted]:
    """Accept a delivery: keep it and make its run, once for each id of the sender."""
    digest = f"{new.task_id}:{hashlib.sha256(new.sender_id.encode(errors='surrogatepass')).hexdigest()[:32]}"
    body = new.body if new.is_body_kept else b""
    args = (
        new.id,
        digest,
        milliseconds(new.dedupe),
        milliseconds(new.kept),
        _record(new, DeliveryStatus.ACCEPTED),
        body,
        *trigger_run(run).args,
    )

    def read(code: int, value: Any) -> Accepted:
        delivery_id, run_id = value
        return Accepted(delivery_id.decode(), run_id.decode(), code == 2)

    return Operation("accept_delivery", args, read, run.id, needs_replicas=True)


def keep_delivery(new: NewDelivery) -> Operation[None]:
    """Keep the record of a delivery that the task's filter leaves out."""
    args = (new.id, milliseconds(new.kept), _record(new, DeliveryStatus.FILTERED))
    return Operation("keep_delivery", args, lambda _, __: None)


def replay_delivery(delivery_id: str, run: NewRun) -> Operation[str]:
    """Make another run of a delivery. Reads as the run's id.

    Raises (when read):
        DeliveryNotFoundError: No such delivery.
    """

    def read(code: int, value: bytes) -> str:
        if code == 0:
            raise DeliveryNotFoundError(delivery_id)
        return value.decode()

    return Operation("replay_delivery", (delivery_id, *trigger_run(run).args), read, run.id, needs_replicas=True)


def read_delivery(delivery_id: str) -> Operation[Delivery]:
    """Read the record of a delivery.

    Raises (when read):
        DeliveryNotFoundError: No such delivery.
    """

    def read(code: int, value: Any) -> Delivery:
        if code == 0:
            raise DeliveryNotFoundError(delivery_id)
        return _delivery(delivery_id, pairs(value))

    return Operation("read_delivery", (delivery_id,), read)


def list_deliveries(
    cursor: str, limit: int, status: DeliveryStatus | None, task_id: str | None
) -> Operation[tuple[str, list[tuple[int, Delivery]]]]:
    """List deliveries of one shard behind a cursor, newest first, each with its score.

    Reads as the next cursor and those. One call may return fewer than there are: ``FIRST`` as the next cursor means
    the end.
    """

    def read(_: int, value: Any) -> tuple[str, list[tuple[int, Delivery]]]:
        further, *rows = value
        found = [(int(score), _delivery(each.decode(), pairs(fields))) for each, score, *fields in rows]
        return further.decode(), found

    args = (cursor, limit, status.value if status else "", task_id or "")
    return Operation("list_deliveries", args, read)


def _record(new: NewDelivery, status: DeliveryStatus) -> str:
    fields = {
        "task": new.task_id,
        "source": new.source,
        "status": status.value,
        "event": new.event_type,
        "sender_id": new.sender_id,
        "headers": json.dumps(dict(new.headers)),
        "size": str(len(new.body)),
        "digest": hashlib.sha256(new.body).hexdigest(),
    }
    return json.dumps(fields)


def _delivery(delivery_id: str, fields: Mapping[str, bytes]) -> Delivery:
    body = fields.get("body", b"")
    return Delivery(
        id=delivery_id,
        task_id=fields["task"].decode(),
        source=fields["source"].decode(),
        status=DeliveryStatus(fields["status"].decode()),
        event_type=fields["event"].decode(),
        delivery_id=fields["sender_id"].decode(),
        received_at=instant(fields["received"]),
        run_id=text(fields.get("run")),
        replays=tuple(fields["replays"].decode().split(",")) if "replays" in fields else (),
        duplicates=int(fields.get("duplicates", 0)),
        headers=json.loads(fields.get("headers", b"{}")),
        size=int(fields["size"]),
        digest=fields["digest"].decode(),
        body=body.decode(errors="replace") if body else None,
    )
