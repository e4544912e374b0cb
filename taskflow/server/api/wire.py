"""Models of the wire: camelCase, absent instead of null, instants in ISO 8601 with milliseconds and ``Z``.

The client refuses ``null`` for a field that may be absent, so None is left out. ``NULL`` is sent as ``null``.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, Strict, WithJsonSchema
from pydantic.alias_generators import to_camel

from taskflow.server.unknown_fields import Named


class Wire(Named):
    """A JSON object that the server sends or takes."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class Null:
    """The type of ``NULL``."""

    def __repr__(self) -> str:
        return "NULL"


NULL: Final = Null()
"""A field that is sent as ``null``, where None leaves it out."""


def or_null(value: Any) -> Any:
    """Return a value that is sent as ``null`` when it is None."""
    return NULL if value is None else value


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return _iso(value)
    return None if value is NULL else value


def _iso(moment: object) -> object:
    if not isinstance(moment, datetime):
        return moment
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def _no_text(value: object) -> object:
    if isinstance(value, bool | str):
        raise ValueError("Input should be a number")
    return value


Instant = Annotated[
    datetime, PlainSerializer(_iso, when_used="json"), WithJsonSchema({"type": "string", "format": "date-time"})
]
AnyJson = Annotated[object, PlainSerializer(_plain, when_used="json"), WithJsonSchema({})]
"""Any JSON; ``or_null`` has a None sent."""
Text = Annotated[str, Strict()]
Flag = Annotated[bool, Strict()]
Number = Annotated[float, Field(allow_inf_nan=False), BeforeValidator(_no_text)]
"""A number: a text and a boolean are none."""


def dump(model: BaseModel) -> bytes:
    """Return the JSON of a model, without what is None."""
    serialise = cast("Any", model).__pydantic_serializer__.to_json
    document: bytes = serialise(model, by_alias=True, exclude_none=True)
    return document
