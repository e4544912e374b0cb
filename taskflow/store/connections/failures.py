"""Separate errors of an unavailable server from errors of a script."""

from redis.exceptions import OutOfMemoryError, ResponseError

from taskflow.errors import StoreFullError, StoreScriptError, StoreUnavailableError
from taskflow.store.operations.operation import Operation

_AWAY = ("LOADING", "BUSY", "OOM", "READONLY", "MASTERDOWN", "NOREPLICAS", "MISCONF", "CLUSTERDOWN", "TRYAGAIN")
"""Codes of a server that cannot serve now. redis-py has classes for some of them, and removes their codes."""


def failure(
    error: ResponseError, operation: "Operation[object] | None", *, may_exist: bool
) -> StoreUnavailableError | StoreScriptError:
    """Return our error: ``StoreScriptError`` for a call that would fail again in the same way."""
    text = str(error)
    if is_full(error):
        return StoreFullError(run_id=operation.run_id if operation else None, may_exist=may_exist)
    is_of_a_script = operation is not None and type(error) is ResponseError and "script" in text
    if operation is not None and is_of_a_script and not text.startswith(_AWAY):
        return StoreScriptError(operation.script, text, operation.run_id)
    return StoreUnavailableError(text, run_id=operation.run_id if operation else None, may_exist=may_exist)


def is_full(error: BaseException) -> bool:
    """Whether a server refused a command because it has reached its ``maxmemory``."""
    return isinstance(error, OutOfMemoryError)


def reason(error: BaseException) -> str:
    """Return why the store does not answer. A reason is not nested in another."""
    return error.reason if isinstance(error, StoreUnavailableError) else str(error)
