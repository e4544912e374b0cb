"""Messages of plain Celery producers, of protocol 2 and of protocol 1 (Celery 3, celery-php), checked part by part."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

from taskflow.broker.messages import TICKET_HEADER
from taskflow.durations import LONGEST

LONGEST_ID: Final = 1000
"""Most bytes of a message's id, which becomes a part of keys in the store and of an index of the history."""
_CANVAS: Final = ("callbacks", "errbacks", "chain", "chord")
_YEARS: Final = 10


class UnreadableMessageError(ValueError):
    """A message is not one of Celery's. The text says which part is wrong, without its value."""


@dataclass(frozen=True, slots=True)
class PlainMessage:
    """The content of a message. ``headers`` has the names of protocol 2 for both protocols.

    Attributes:
        embed: Callbacks, errbacks, chain and chord.
        priority: The message's own, 0 for none. The broker decides whether a higher number goes first.
        time_limit: The shorter of the hard and the soft one.
        reply_to: The queue on which an ``rpc://`` producer waits for an answer with the correlation id; "" for none.
    """

    id: str
    headers: Mapping[str, Any]
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    embed: Mapping[str, Any]
    eta: datetime | None
    expires: datetime | None
    priority: int
    time_limit: timedelta | None
    reply_to: str = ""
    correlation_id: str = ""


def read_plain(message: Any) -> PlainMessage:
    """Return the content of a message that is no ticket.

    Raises:
        UnreadableMessageError: A part is missing or malformed.
    """
    body = _decoded(message)
    headers: Mapping[str, Any] = message.headers or {}
    if TICKET_HEADER in headers:
        raise UnreadableMessageError("it is marked as a ticket of taskflow, and its id or reservation is broken")
    if isinstance(body, Mapping):  # protocol 1
        fields = cast("Mapping[str, Any]", body)
        args, kwargs, embed = fields.get("args"), fields.get("kwargs"), {name: fields.get(name) for name in _CANVAS}
        headers = {**fields, "group": fields.get("group", fields.get("taskset")), **headers}
    elif isinstance(body, list | tuple) and len(cast("Sequence[Any]", body)) == 3:
        args, kwargs, embed = cast("Sequence[Any]", body)
    else:
        raise UnreadableMessageError("its body is neither of Celery's protocol 2 (three parts) nor of protocol 1")
    return PlainMessage(
        id=checked_id(headers.get("id")),
        headers=headers,
        args=_part("args", args, list, []),
        kwargs=_kwargs(kwargs),
        embed=_canvas(_part("embed", embed, dict, {})),
        eta=_eta(headers.get("eta")),
        expires=_expires(headers.get("expires")),
        priority=_priority(message),
        time_limit=_time_limit(headers.get("timelimit")),
        **reply_place(message),
    )


def reply_place(message: Any) -> dict[str, str]:
    """Return ``reply_to`` and ``correlation_id`` of a message, as far as they are texts."""
    properties: Mapping[str, Any] = message.properties or {}
    given = {name: properties.get(name) for name in ("reply_to", "correlation_id")}
    return {name: value for name, value in given.items() if isinstance(value, str)}


def checked_id(given: object) -> str:
    """Return the id of a message. Any text that UTF-8 can hold may be one.

    Raises:
        UnreadableMessageError: It is none.
    """
    if not isinstance(given, str):
        raise UnreadableMessageError(f"its id is {_kind(given)} instead of text")
    try:
        length = len(given.encode())
    except UnicodeEncodeError:
        raise UnreadableMessageError("its id has a lone surrogate, which UTF-8 cannot hold") from None
    if not 1 <= length <= LONGEST_ID:
        raise UnreadableMessageError(f"its id has {length:,} bytes; 1 to {LONGEST_ID:,} are possible")
    return given


def _decoded(message: Any) -> object:
    try:
        return message.decode()
    except Exception as error:
        kinds = f"content type {message.content_type!r}, encoding {message.content_encoding!r}"
        raise UnreadableMessageError(f"its body can't be decoded ({kinds}): {type(error).__name__}") from error


def _part(name: str, given: object, kind: type, default: Any) -> Any:
    if given is None:
        return default
    if isinstance(given, kind) or (kind is list and isinstance(given, tuple)):
        return cast("Any", given)
    raise UnreadableMessageError(f"its {name} is {_kind(given)} instead of {_NAMES[kind]}")


def _kwargs(given: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", _part("kwargs", given, dict, {}))


def _canvas(embed: Mapping[str, Any]) -> Mapping[str, Any]:
    for name in ("callbacks", "errbacks", "chain"):
        for signature in _part(name, embed.get(name), list, []):
            _signature(name, signature)
    if embed.get("chord"):
        _signature("chord", embed["chord"])
    return embed


def _signature(name: str, given: object) -> None:
    kind = _kind(given)
    task: object = cast("dict[str, object]", given).get("task") if isinstance(given, dict) else None
    if not isinstance(task, str):
        raise UnreadableMessageError(f"its {name} is or holds {kind} instead of a signature with a task")


def _eta(given: object) -> datetime | None:
    moment = _instant("eta", given)
    if moment is not None and _is_too_far(moment):
        raise UnreadableMessageError("its eta is more than 100 years ahead")
    return moment


def _expires(given: object) -> datetime | None:
    """Return when the message expires. An instant that is too far ahead to be stored means never."""
    moment = _instant("expires", given)
    return None if moment is not None and _is_too_far(moment) else moment


def _is_too_far(moment: datetime) -> bool:
    return moment > datetime.now(UTC) + LONGEST


def _instant(name: str, given: object) -> datetime | None:
    if given is None or given == "":
        return None
    try:
        if not isinstance(given, str):
            raise TypeError
        moment = datetime.fromisoformat(given)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise UnreadableMessageError(f"its {name} is {_kind(given)} that is no instant in ISO 8601") from None


def _priority(message: Any) -> int:
    properties: Mapping[str, Any] = message.properties or {}
    delivery: Mapping[str, Any] = message.delivery_info or {}
    for given in (properties.get("priority"), delivery.get("priority")):
        if isinstance(given, int) and not isinstance(given, bool) and 0 <= given <= 255:
            return given
    return 0


def _time_limit(given: object) -> timedelta | None:
    limits = _part("timelimit", given, list, [])
    seconds = [each for each in limits if _is_seconds(each)]
    return timedelta(seconds=min(seconds)) if seconds else None


def _is_seconds(given: object) -> bool:
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    return is_number and math.isfinite(cast("float", given)) and 0 < cast("float", given) < _YEARS * 365 * 86400


def _kind(given: object) -> str:
    return _NAMES.get(type(given), f"a {type(given).__name__}")


_NAMES: Final[Mapping[type, str]] = {
    dict: "an object", list: "a list", str: "a text", type(None): "missing", int: "a number", float: "a number",
    bool: "a boolean",
}  # fmt: skip
