"""Plain Celery messages become runs, with the same id and payload. From then on taskflow's rules hold."""

import logging
from datetime import UTC, datetime
from typing import Any, Final, cast

from celery.worker.state import revoked, revoked_stamps

from taskflow.broker.canvas import UNAVAILABLE
from taskflow.definition.call_arguments import as_given, payload_of
from taskflow.definition.calls.trace_headers import trace_of_headers
from taskflow.definition.calls.trigger_options import TriggerOptions
from taskflow.definition.task_definition import TaskDefinition
from taskflow.engine.celery_records import REVOKED
from taskflow.errors import DefinitionError, PayloadError
from taskflow.models import RunError, RunStatus
from taskflow.texts import cut
from taskflow.worker.attempt.runtime import Adoption, Runtime
from taskflow.worker.tickets.plain_message import PlainMessage, read_plain

log = logging.getLogger("taskflow.node")
_SECONDS_OF_A_LEVEL: Final = 3600.0
"""Seconds by which a level of a message's priority comes before the next, so that levels rarely mix."""
_LOGGED_CHARS: Final = 1000
EXPIRED: Final = RunError("Expired", "The message came after the instant at which it expires.")
_End = tuple[RunStatus, RunError] | None


def adopt(runtime: Runtime, definition: TaskDefinition, consumer: Any, message: Any) -> None:
    """Make a run of a message and acknowledge it. Called on the hub's thread.

    A message that has expired, was revoked, or whose arguments do not fit becomes a run that has ended. One that the
    store could not take goes back to the broker.

    Raises:
        UnreadableMessageError: The message is not one of Celery's.
    """
    plain = read_plain(message)
    where = {"reply_to": plain.reply_to, "correlation_id": plain.correlation_id}
    canvas = runtime.canvas.kept(plain.headers, plain.embed, **where)
    end, payload, trace = _end(plain), None, trace_of_headers(plain.headers)
    try:
        try:
            payload = as_given(plain.args, plain.kwargs) if end else payload_of(definition, plain.args, plain.kwargs)
            options = _options(plain, is_higher_first=bool(runtime.canvas.app.conf.task_acks_late), is_ended=bool(end))
            runtime.adopt(Adoption(definition.id, plain.id, payload, options, canvas, end, trace))
        except (PayloadError, DefinitionError) as error:  # the latter: the task itself cannot be served
            log.error("message.misfit: %r: %s", plain.id, cut(str(error), _LOGGED_CHARS))
            end = (RunStatus.FAILED, RunError(type(error).__name__, str(error)))
            payload = as_given(plain.args, plain.kwargs)
            runtime.adopt(Adoption(definition.id, plain.id, payload, TriggerOptions(), canvas, end, trace))
    except UNAVAILABLE as error:
        log.warning("message.returned: %s", error)
        message.requeue()
        return
    log.info("message.adopted: %r as a run of %s%s", plain.id, definition.id, f", {end[0]}" if end else "")
    if end:
        _send_end(consumer, definition, plain, *end)
    message.ack_log_error(log, consumer.connection_errors)


def _end(plain: PlainMessage) -> _End:
    """Return how the run ends without being executed, None when it may execute."""
    if plain.id in revoked or _has_revoked_stamp(plain):
        return RunStatus.CANCELED, REVOKED
    begin = max(datetime.now(UTC), plain.eta or datetime.min.replace(tzinfo=UTC))
    return (RunStatus.EXPIRED, EXPIRED) if plain.expires is not None and plain.expires <= begin else None


def _has_revoked_stamp(plain: PlainMessage) -> bool:
    """Whether ``revoke_by_stamped_headers`` has named a stamp of the message."""
    if not revoked_stamps:
        return False
    stamps: object = plain.headers.get("stamps")
    if not isinstance(stamps, dict):
        return False
    given = cast("dict[str, object]", stamps)
    return any(not _texts(revoked_stamps.get(name)).isdisjoint(_texts(value)) for name, value in given.items())


def _texts(given: object) -> set[str]:
    if isinstance(given, list | tuple | set):
        return {str(value) for value in cast("list[object]", given)}
    return set() if given is None else {str(given)}


def _options(plain: PlainMessage, *, is_higher_first: bool, is_ended: bool) -> TriggerOptions:
    if is_ended:
        return TriggerOptions()
    begin = max(datetime.now(UTC), plain.eta) if plain.eta else datetime.now(UTC)
    return TriggerOptions(
        delay=plain.eta,
        ttl=plain.expires - begin if plain.expires else None,
        # On Redis kombu takes 0 first, on RabbitMQ the highest number.
        priority=plain.priority * (_SECONDS_OF_A_LEVEL if is_higher_first else -_SECONDS_OF_A_LEVEL),
        max_duration=plain.time_limit,
    )


def _send_end(
    consumer: Any, definition: TaskDefinition, plain: PlainMessage, status: RunStatus, error: RunError
) -> None:
    events = consumer.event_dispatcher
    if events and events.enabled:
        fields = {"uuid": plain.id, "name": definition.id}
        events.send("task-received", **fields)
        if status is RunStatus.FAILED:
            events.send("task-failed", exception=f"{error.type}: {error.message}", traceback="", **fields)
        else:
            is_expired = status is RunStatus.EXPIRED
            events.send("task-revoked", terminated=False, signum=None, expired=is_expired, **fields)
