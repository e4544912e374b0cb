"""Instants, durations, errors and hash fields as scripts take and return them."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, cast

from taskflow.models import ErrorCause, RunError
from taskflow.texts import cut, storable

LARGEST_ERROR: Final = 64 * 1024
"""Most bytes of a stored error."""
_TYPE_CHARS: Final = 200
_CAUSES: Final = 10
_SHORTEST: Final = 200
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)


def due_text(due: datetime | timedelta | None) -> str:
    """Return when a run is to start as scripts take it: an instant in ms, "+<ms>" from the store's now, or ""."""
    if due is None:
        return ""
    return f"+{milliseconds(due)}" if isinstance(due, timedelta) else str(round(due.timestamp() * 1000))


def milliseconds(duration: timedelta) -> int:
    """Return a duration in whole milliseconds."""
    return round(duration.total_seconds() * 1000)


def instant(milliseconds: bytes | str | float) -> datetime:
    """Return the aware UTC instant of a store timestamp. One that a datetime cannot hold is the first or last of all.

    Such a timestamp stops no list: earlier versions stored any, and a Celery message may have held it.
    """
    given = float(milliseconds)
    try:
        return datetime.fromtimestamp(given / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return _FIRST if given < 0 else _LAST


def first_millisecond(moment: datetime) -> int:
    """Return the first store timestamp that is not before an instant. Runs are made at whole milliseconds."""
    return -((_EPOCH - moment) // timedelta(milliseconds=1))  # exact, which a float of this size is not


def duration(stored: bytes | None) -> timedelta | None:
    """Return the duration of stored milliseconds."""
    if stored is None:
        return None
    given = float(stored)  # a script writes a number of 15 digits with an exponent
    try:
        return timedelta(milliseconds=round(given))
    except OverflowError:
        return timedelta.min if given < 0 else timedelta.max


def text(stored: bytes | None) -> str | None:
    """Return a stored text."""
    return None if stored is None else stored.decode()


def pairs(flat: Sequence[bytes]) -> dict[str, bytes]:
    """Return the fields of a flat ``field, value, ...`` reply."""
    return {flat[index].decode(): flat[index + 1] for index in range(0, len(flat), 2)}


def error_json(error: RunError, largest: int = LARGEST_ERROR) -> str:
    """Return the stored form ``{"type", "message", "traceback"}`` of an error, with ``"causes"`` if it has any.

    It has 64 KB at most, or ``largest`` bytes. Of longer texts head and tail are kept.
    """
    most = largest
    while True:
        document = _error_document(error, most)
        if most < _SHORTEST or len(document) <= largest // 4 or len(document.encode()) <= largest:
            return document
        most //= 2


def _error_document(error: RunError, most: int) -> str:
    """Return the JSON of an error: ``most`` characters of its traceback, and in proportion of the others."""
    fields: dict[str, object] = {
        "type": _kept(error.type, _TYPE_CHARS),
        "message": _kept(error.message, most // 2),
        "traceback": _kept(error.traceback, most),
    }
    if error.causes:  # never an empty list: Lua would write it back as an object
        causes = error.causes[:_CAUSES]
        fields["causes"] = [
            {"type": _kept(cause.type, _TYPE_CHARS), "message": _kept(cause.message, most // 10)} for cause in causes
        ]
    return json.dumps(fields, ensure_ascii=False)


def _kept(text: str, most: int) -> str:
    return storable(cut(text, most))


def errors_json(errors: Sequence[RunError]) -> str:
    """Return the stored form of several errors, a JSON list, "" for none. It has 64 KB at most, too."""
    if not errors:
        return ""
    room = LARGEST_ERROR // len(errors)
    return f"[{','.join(error_json(error, room) for error in errors)}]"


def run_error(stored: bytes | str | Mapping[str, str] | None) -> RunError | None:
    """Return the error of its stored form."""
    if not stored:
        return None
    fields = stored if isinstance(stored, Mapping) else cast("Mapping[str, str]", json.loads(stored))
    causes = cast("Sequence[Mapping[str, str]]", fields.get("causes", ()))
    return RunError(
        fields["type"],
        fields["message"],
        fields.get("traceback", ""),
        tuple(ErrorCause(cause["type"], cause["message"]) for cause in causes),
    )
