"""The error of a step as JSON, and as an exception again when the code of a durable run is replayed.

Nothing is imported or unpickled for it. An exception class that is loaded already and has no ``__init__`` of its own is
called with the stored arguments. Any other error becomes a ``StepFailedError``.
"""

import sys
from typing import Final

from pydantic_core import from_json, to_json

from taskflow.errors import StepFailedError
from taskflow.execution.error_texts import MESSAGE_CHARS, ErrorTexts, error_args, module_name, type_name
from taskflow.texts import cut, storable

_ARGUMENTS: Final = (str, int, float, bool, type(None))
_MOST_ARGUMENTS: Final = 10
_LONGEST_INTEGER: Final = 4096
"""Most bits of an integer, so that its digits can be read again."""


def failure_json(error: Exception) -> bytes:
    """Return the stored form of an exception."""
    document = {
        "module": cut(module_name(type(error)), MESSAGE_CHARS),
        "name": type_name(error),
        "args": _arguments(error),
        "message": ErrorTexts(lambda _: False).message(error),
    }
    return to_json(document, inf_nan_mode="null")


def _arguments(error: Exception) -> list[object] | None:
    """Return the arguments by which the exception can be made again, of long texts the head and the tail."""
    args = error_args(error)
    if len(args) > _MOST_ARGUMENTS or any(type(arg) not in _ARGUMENTS for arg in args):
        return None
    if any(isinstance(arg, int) and arg.bit_length() > _LONGEST_INTEGER for arg in args):
        return None
    return [storable(cut(arg, MESSAGE_CHARS)) if isinstance(arg, str) else arg for arg in args]


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
