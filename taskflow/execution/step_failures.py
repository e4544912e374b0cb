"""What a step has raised, as JSON, and as an exception again when the code of a durable run is replayed.

Nothing is imported or unpickled for it: a class that is loaded already, is an exception and has no ``__init__`` of its
own is called with its arguments again; any other comes back as ``StepFailedError``.
"""

import sys

from pydantic_core import from_json, to_json

from taskflow.errors import StepFailedError

_ARGUMENTS = (str, int, float, bool, type(None))


def failure_json(error: Exception) -> bytes:
    """Return the stored form of an exception."""
    kind = type(error)
    args = list(error.args) if all(isinstance(arg, _ARGUMENTS) for arg in error.args) else None
    told = {"module": kind.__module__, "name": kind.__qualname__, "args": args, "message": _text(error)}
    return to_json(told, inf_nan_mode="null")


def failure_of(name: str, stored: bytes) -> Exception:
    """Return the exception of its stored form: what a step raised when it was done."""
    told = from_json(stored)
    kind = _find(told["module"], told["name"])
    if kind is not None and told["args"] is not None:
        try:
            return kind(*told["args"])
        except Exception:  # noqa: BLE001 - the class has changed
            pass
    return StepFailedError(name, told["name"], told["message"])


def _find(module: str, name: str) -> type[Exception] | None:
    found: object = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if not isinstance(found, type) or not issubclass(found, Exception):
        return None
    return found if _is_plain(found) else None


def _is_plain(kind: type[Exception]) -> bool:
    """Whether nothing but Python's own exceptions makes it."""
    for base in kind.__mro__:
        if base.__module__ != "builtins" and ("__init__" in vars(base) or "__new__" in vars(base)):
            return False
    return True


def _text(error: Exception) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - its own __str__ is user code
        return f"({type(error).__name__} without a message)"
