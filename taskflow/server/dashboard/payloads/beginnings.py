"""The payload with which a test begins: of a run, of a template, or an example of the schema."""

from datetime import UTC, datetime
from uuid import uuid4

from taskflow.definition.documents.exact_json import is_object
from taskflow.server.dashboard.payloads.checks import Target
from taskflow.server.dashboard.payloads.documents import write
from taskflow.server.dashboard.payloads.schemas import Schemas


def example_of(target: Target, *, is_whole: bool = False) -> str:
    """Return an example of a task's payload. Scheduled and webhook tasks get one of their kind."""
    if target.schema is None or not target.has_payload:
        return "null"
    try:
        example = Schemas(target.schema).example(target.schema, is_whole=is_whole)
    except Exception:  # noqa: BLE001 - the schema is a worker's, and may be anything
        return "null"
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    task = target.definition
    if is_object(example) and task is not None and task.webhook is not None:
        example |= {"received_at": now, "delivery_id": f"test-{uuid4().hex[:8]}", "event_type": "test"}
    if is_object(example) and {"timestamp", "schedule_id", "upcoming"} <= _members(target):
        example |= {"timestamp": now, "last_timestamp": None, "timezone": "UTC", "external_id": None}
    return write(example)


def _members(target: Target) -> set[str]:
    schema = target.schema or {}
    members = Schemas(schema).shape(schema).schema.get("properties", {})
    return set(members) if is_object(members) else set()
