"""Plain Celery messages become runs: same id, same payload, and from then on taskflow's rules."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from taskflow.definition.task import TaskDefinition
from taskflow.errors import PayloadError, StoreUnavailableError
from taskflow.worker.runtime import Runtime

log = logging.getLogger("taskflow.node")
_CANVAS = ("callbacks", "errbacks", "chain", "chord")


def adopt(runtime: Runtime, definition: TaskDefinition, consumer: Any, message: Any) -> None:
    """Make a run of a message and acknowledge it. Called on the hub's thread.

    A payload that does not fit is refused with a log line and a ``task-failed`` event; a message that the store could
    not take goes back to the broker.
    """
    args, kwargs, embed = message.payload
    called: dict[str, object] = embed or {}
    try:
        _trigger(runtime, definition, message.headers, [*args, *kwargs.values()])
    except PayloadError as error:
        log.error("message.refused: %s", error)
        _tell_refused(consumer, message, error)
        message.reject_log_error(log, consumer.connection_errors)
    except StoreUnavailableError as error:
        log.warning("message.returned: %s", error)
        message.requeue()
    else:
        if any(called.get(name) for name in _CANVAS):
            log.warning("canvas.ignored: run %s has Celery callbacks, which runs don't honour", message.headers["id"])
        message.ack_log_error(log, consumer.connection_errors)


def _trigger(runtime: Runtime, definition: TaskDefinition, headers: Mapping[str, Any], given: list[object]) -> None:
    if len(given) > 1:
        raise PayloadError(definition.id, f"a task takes one payload, and the message has {len(given)} arguments.")
    eta = headers.get("eta")
    due = datetime.fromisoformat(eta) if isinstance(eta, str) else None
    if due is not None and due.tzinfo is None:
        due = due.replace(tzinfo=UTC)
    run_id = runtime.adopt(definition.id, given[0] if given else None, headers["id"], due)
    log.info("message.adopted: %s as a run of %s", run_id, definition.id)


def _tell_refused(consumer: Any, message: Any, error: PayloadError) -> None:
    events = consumer.event_dispatcher
    if events and events.enabled:
        found = {"uuid": message.headers["id"], "name": message.headers["task"]}
        events.send("task-received", **found)
        events.send("task-failed", exception=repr(error), traceback="", **found)
