"""Plain Celery messages become runs, with the same id and payload. From then on taskflow's rules hold."""

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from celery.worker.state import revoked

from taskflow.broker.canvas import UNAVAILABLE
from taskflow.definition.task_definition import TaskDefinition
from taskflow.engine.celery_records import REVOKED
from taskflow.errors import PayloadError, StoreScriptError
from taskflow.models import RunError, RunStatus
from taskflow.worker.attempt.runtime import Runtime

log = logging.getLogger("taskflow.node")


def adopt(runtime: Runtime, definition: TaskDefinition, consumer: Any, message: Any) -> None:
    """Make a run of a message and acknowledge it. Called on the hub's thread.

    A payload that does not fit is refused with a log line and a ``task-failed`` event. A message that the store could
    not take goes back to the broker.
    """
    args, kwargs, embed = message.payload
    headers = message.headers
    if headers["id"] in revoked:
        log.info("message.revoked: %s", headers["id"])
        _refuse(runtime, consumer, message, RunStatus.CANCELED, REVOKED)
        return
    try:
        _trigger(runtime, definition, headers, [*args, *kwargs.values()], runtime.canvas.kept(headers, embed or {}))
    except (PayloadError, StoreScriptError) as error:
        log.error("message.refused: %s", error)
        _refuse(runtime, consumer, message, RunStatus.FAILED, RunError(type(error).__name__, str(error)))
    except UNAVAILABLE as error:
        log.warning("message.returned: %s", error)
        message.requeue()
    else:
        message.ack_log_error(log, consumer.connection_errors)


def _trigger(
    runtime: Runtime,
    definition: TaskDefinition,
    headers: Mapping[str, Any],
    values: Sequence[object],
    canvas: str | None,
) -> None:
    if len(values) > 1:
        raise PayloadError(
            definition.id,
            f"a task takes one payload, and the message has {len(values)} arguments. In a chain or chord the payload "
            "is the result before: give the signature no arguments of its own, or make it immutable with .si(payload).",
        )
    eta = headers.get("eta")
    due = datetime.fromisoformat(eta) if isinstance(eta, str) else None
    if due is not None and due.tzinfo is None:
        due = due.replace(tzinfo=UTC)
    run_id = runtime.adopt(definition.id, values[0] if values else None, headers["id"], due, canvas)
    log.info("message.adopted: %s as a run of %s", run_id, definition.id)


def _refuse(runtime: Runtime, consumer: Any, message: Any, status: RunStatus, error: RunError) -> None:
    """End what waits for the message's result, or was to follow it, and reject the message."""
    embed: dict[str, Any] = message.payload[2] or {}
    try:
        runtime.canvas.refuse(message.headers, embed, status, error)
    except UNAVAILABLE as failed:
        log.warning("message.returned: %s", failed)
        message.requeue()
        return
    except Exception:  # for example a malformed errback: a second try would not help
        log.exception("canvas.broken: message %s", message.headers["id"])
    _send_refused_events(consumer, message, status, error)
    message.reject_log_error(log, consumer.connection_errors)


def _send_refused_events(consumer: Any, message: Any, status: RunStatus, error: RunError) -> None:
    events = consumer.event_dispatcher
    if events and events.enabled:
        fields = {"uuid": message.headers["id"], "name": message.headers["task"]}
        events.send("task-received", **fields)
        if status is RunStatus.CANCELED:
            events.send("task-revoked", terminated=False, signum=None, expired=False, **fields)
        else:
            events.send("task-failed", exception=f"{error.type}: {error.message}", traceback="", **fields)
