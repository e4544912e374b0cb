"""Errors as JSON between a server and its client: ``{"type": "RunNotDelayedError", "facts": {"run_id": ...}}``.

The client raises the error that the verb would have raised on the server, with the same message and attributes.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final, cast

from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError, from_json, to_json

from taskflow import errors
from taskflow.errors import TaskflowError
from taskflow.errors.base import rebuilt
from taskflow.models import BatchError

CLIENT_HEADER: Final = "x-taskflow-client"
"""By this header a client of taskflow's own asks for such documents in refusals. Its value is the client's version."""
_DURATION: Final = TypeAdapter(timedelta)
_NAMES: Final = frozenset(errors.__all__)


def error_document(error: TaskflowError) -> dict[str, object] | None:
    """Return an error's type and facts, beside its message; None for one that only this process knows.

    Attributes that JSON cannot carry are left out.
    """
    name = type(error).__name__
    if name not in _NAMES or getattr(errors, name) is not type(error):
        return None
    facts = {key: _plain(value) for key, value in vars(error).items()}
    return {"type": name, "facts": {key: value[0] for key, value in facts.items() if value}}


def error_of(document: object, message: str) -> TaskflowError | None:
    """Return the error that a document describes; None if it describes none that this version has."""
    if not isinstance(document, Mapping):
        return None
    given = cast("Mapping[str, Any]", document)
    name, facts = given.get("type"), given.get("facts")
    kind = getattr(errors, name) if isinstance(name, str) and name in _NAMES else None
    if kind is None or not issubclass(kind, TaskflowError) or not isinstance(facts, dict):
        return None
    known = cast("dict[str, Any]", facts)
    if isinstance(wrong := known.get("errors"), list):
        known = known | {"errors": tuple(BatchError(**each) for each in cast("list[dict[str, Any]]", wrong))}
    if isinstance(known.get("timeout"), str):
        known = known | {"timeout": _DURATION.validate_python(known["timeout"])}
    return rebuilt(kind, message, known)


def _plain(value: object) -> tuple[object] | None:
    try:
        return (from_json(to_json(value, inf_nan_mode="constants")),)
    except (PydanticSerializationError, ValueError):
        return None
