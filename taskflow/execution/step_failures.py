"""The error of a step as JSON, and as an exception again when the code of a durable run is replayed.

Nothing is imported or unpickled for it. An exception class that is loaded already and has no ``__init__`` of its own is
called with the stored arguments. Any other error becomes a ``StepFailedError``.
"""

import sys

from pydantic_core import from_json, to_json

from taskflow.definition.documents.escaping import escaped_value
from taskflow.errors import StepFailedError

_ARGUMENTS = (str, int, float, bool, type(None))


def failure_json(error: Exception) -> bytes:
    """Return the stored form of an exception."""
    kind = type(error)
    args = list(error.args) if all(isinstance(arg, _ARGUMENTS) for arg in error.args) else None
    document = {"module": kind.__module__, "name": kind.__qualname__, "args": args, "message": _text(error)}
    try:
        stored = to_json(document, inf_nan_mode="null")
        from_json(stored)
    except ValueError:  # an argument is a text or a number that JSON cannot carry
        return to_json(escaped_value(document | {"args": None}))
    return stored


def failure_of(name: str, stored: bytes) -> Exception:
    """Make the exception of a step from its stored form."""
    document = from_json(stored)
    kind = _find(document["module"], document["name"])
    if kind is not None and document["args"] is not None:
        try:
            return kind(*document["args"])
        except Exception:  # noqa: BLE001 - the class has changed
            pass
    return StepFailedError(name, document["name"], document["message"])


def _find(module: str, name: str) -> type[Exception] | None:
    kind: object = sys.modules.get(module)
    for part in name.split("."):
        kind = getattr(kind, part, None)
    if not isinstance(kind, type) or not issubclass(kind, Exception):
        return None
    return kind if _is_plain(kind) else None


def _is_plain(kind: type[Exception]) -> bool:
    """Whether only Python's own exceptions have an ``__init__`` or ``__new__`` among a class and its bases."""
    for base in kind.__mro__:
        if base.__module__ != "builtins" and ("__init__" in vars(base) or "__new__" in vars(base)):
            return False
    return True


def _text(error: Exception) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - its own __str__ is user code
        return f"({type(error).__name__} without a message)"
