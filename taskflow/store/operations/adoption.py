"""The operations behind messages of plain Celery producers: runs that may not execute, and what could not be read."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from taskflow.models import RunError, RunStatus
from taskflow.store.operations.encoding import error_json, instant
from taskflow.store.operations.operation import Operation


@dataclass(frozen=True, slots=True)
class RefusedMessage:
    """A message that could not be read.

    Attributes:
        id: The id that it gives itself, "" for none; ``task`` the same.
        queue: The Celery queue that it came from.
        size: Bytes of its body.
        text: The beginning of its headers and body.
    """

    id: str
    task: str
    queue: str
    reason: str
    size: int
    text: str


def end_adopted(run_id: str, status: RunStatus, error: RunError) -> Operation[bool]:
    """End a run that was made of a message which may not execute. Reads as whether this call ended it."""
    return Operation("end_adopted", (run_id, status, error_json(error)), lambda code, _: code == 1)


def keep_refused(refused: RefusedMessage) -> Operation[int]:
    """Keep a message that could not be read. The store has the newest 500, for the retention time."""
    return Operation("keep_refused", (json.dumps(asdict(refused)),), lambda _, value: int(value))


def read_refused(most: int) -> Operation[list[tuple[datetime, RefusedMessage]]]:
    """Read the messages that could not be read, the newest first, with the instants of their refusal."""

    def read(_: int, value: Any) -> list[tuple[datetime, RefusedMessage]]:
        entries = (entry.partition(b"\t") for entry in value)
        return [(instant(at_ms), RefusedMessage(**json.loads(document))) for at_ms, _, document in entries]

    return Operation("read_refused", (most,), read)
