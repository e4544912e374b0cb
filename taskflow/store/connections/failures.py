"""What an error that the server answers means: that it is away in some way, or that a script is wrong."""

from redis.exceptions import ResponseError

from taskflow.errors import StoreScriptError, StoreUnavailableError
from taskflow.store.operations.operation import Operation

_AWAY = ("LOADING", "BUSY", "OOM", "READONLY", "MASTERDOWN", "NOREPLICAS", "MISCONF", "CLUSTERDOWN", "TRYAGAIN")
"""Codes of a server that can't serve now. redis-py has classes of its own for some, and takes their codes away."""


def failure(
    error: ResponseError, operation: "Operation[object] | None", *, may_exist: bool
) -> StoreUnavailableError | StoreScriptError:
    """Return the error of ours: ``StoreScriptError`` for what would fail again in the same way."""
    text = str(error)
    is_of_a_script = operation is not None and type(error) is ResponseError and "script" in text
    if operation is not None and is_of_a_script and not text.startswith(_AWAY):
        return StoreScriptError(operation.script, text, operation.run_id)
    return StoreUnavailableError(text, run_id=operation.run_id if operation else None, may_exist=may_exist)


def reason(error: BaseException) -> str:
    """Return why the store does not answer, once."""
    return error.reason if isinstance(error, StoreUnavailableError) else str(error)
