"""Payloads as JSON, checked before anything is sent."""

from taskflow.definition.task_definition import TaskDefinition
from taskflow.errors import PayloadError, PayloadTooLargeError


def payload_document(task: TaskDefinition, payload: object, limit: int) -> bytes:
    """Return the JSON of a payload. That of a task that is not declared in this process may be any JSON.

    Raises:
        PayloadError: The payload does not fit, or is too large.
    """
    if task.payload is None:
        if payload is not None:
            raise PayloadError(task.id, "the task takes none; trigger it without a payload.")
        return b"null"
    document = task.payload.dump(payload)
    if len(document) > limit:
        raise PayloadTooLargeError(task.id, len(document), limit)
    return document
