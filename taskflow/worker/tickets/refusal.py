"""The refusal of a message that cannot be read: one line, a copy in the store, and an end for what waits for it."""

import logging
from contextlib import suppress
from typing import Any, Final, cast

from taskflow.broker.canvas import UNAVAILABLE
from taskflow.errors import StoreScriptError, TaskflowError
from taskflow.models import RunError, RunStatus
from taskflow.store import operations
from taskflow.store.operations.adoption import RefusedMessage
from taskflow.texts import cut, storable
from taskflow.worker.attempt.runtime import Runtime, runtime_of
from taskflow.worker.tickets.held_tickets import queue_of
from taskflow.worker.tickets.plain_message import UnreadableMessageError, checked_id, reply_place

log = logging.getLogger("taskflow.node")
_TEXT_CHARACTERS: Final = 8000
_NAME_CHARACTERS: Final = 200
_REASON_CHARACTERS: Final = 1000


def refuse(consumer: Any, message: Any, reason: str) -> None:
    """Refuse a message and take it off the broker. It raises nothing. Called on the hub's thread."""
    runtime, reason = runtime_of(consumer.app), storable(cut(reason, _REASON_CHARACTERS))
    given: object = message.headers
    headers = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    body = message.body if isinstance(message.body, str | bytes) else repr(message.body)
    queue = queue_of(message) if message.delivery_info else ""
    run_id, task = (_shown(headers.get(name)) for name in ("id", "task"))
    keep(runtime, RefusedMessage(run_id, task, queue, reason, len(body), _text(headers, body)))
    _end_waiting(runtime, consumer, headers, reason, reply_place(message))
    if not message.acknowledged:
        with suppress(*consumer.connection_errors):
            message.reject()


def keep(runtime: Runtime, refused: RefusedMessage) -> None:
    """Say in one line that a message was refused, and keep it in the store."""
    log.error(
        "message.refused: %r of task %r from %r, %d bytes: %s. See `taskflow adopt refused`.",
        refused.id, refused.task, refused.queue, refused.size, refused.reason,
    )  # fmt: skip
    try:
        runtime.store.run(operations.adoption.keep_refused(refused))
    except TaskflowError as error:
        log.warning("message.not_kept: %r: %s", refused.id, error)


def _end_waiting(runtime: Runtime, consumer: Any, headers: dict[str, Any], reason: str, place: dict[str, str]) -> None:
    """Fail the message's result and what was to follow it, as far as it says who it is."""
    error = RunError("UnreadableMessage", f"The message was refused: {reason}.")
    try:
        fields = {"uuid": checked_id(headers.get("id")), "name": str(headers.get("task"))}
        runtime.canvas.refuse({**headers, "task": fields["name"]}, {}, RunStatus.FAILED, error, **place)
        events = consumer.event_dispatcher
        if events and events.enabled:
            events.send("task-received", **fields)
            events.send("task-failed", exception=f"{error.type}: {error.message}", traceback="", **fields)
    except UnreadableMessageError:
        pass
    except (StoreScriptError, *UNAVAILABLE) as failed:
        log.warning("message.not_ended: %s", failed)
    except Exception as failed:  # noqa: BLE001 - the message's own parts may be anything
        log.warning("message.not_ended: %s", type(failed).__name__)


def _shown(given: object) -> str:
    text = given if isinstance(given, str) else "" if given is None else repr(given)
    return storable(cut(text, _NAME_CHARACTERS))


def _text(headers: dict[str, Any], body: str | bytes) -> str:
    shown = body.decode(errors="backslashreplace") if isinstance(body, bytes) else body
    try:
        named = repr(headers)
    except Exception:  # noqa: BLE001 - nested too deeply
        named = "{...}"
    return storable(f"{cut(named, _TEXT_CHARACTERS)}\n{cut(shown, _TEXT_CHARACTERS)}")
