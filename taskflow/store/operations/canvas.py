"""The operations behind Celery's canvas and results."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal

from taskflow.errors import RunNotFoundError
from taskflow.models import RunError, RunStatus
from taskflow.store.operations.encoding import milliseconds, run_error
from taskflow.store.operations.operation import PER_PASS, Operation

CHORD_KEPT: Final = timedelta(days=30)
"""Time for which the parts of a chord are kept after the newest of them."""
Kind = Literal["result", "group", "packet"]


@dataclass(frozen=True, slots=True)
class EndedRun:
    """A finished run whose Celery canvas is to be applied. ``canvas`` is the JSON that ``trigger_run`` got."""

    run_id: str
    canvas: str
    status: RunStatus
    task_id: str
    output: bytes
    error: RunError | None


def claim_canvas(run_id: str, hold: timedelta) -> Operation[EndedRun | None]:
    """Take a finished run's canvas for ``hold``.

    Reads as None when another process holds it, or the run has none (any more).

    Raises (when read):
        RunNotFoundError: No such run.
    """

    def read(code: int, value: Any) -> EndedRun | None:
        if code == 1:
            canvas, status, task_id, output, error = value
            return EndedRun(
                run_id,
                canvas.decode(),
                RunStatus(status.decode()),
                task_id.decode(),
                output or b"null",
                run_error(error),
            )
        if value == b"MISSING":
            raise RunNotFoundError(run_id)
        return None

    return Operation("claim_canvas", (run_id, milliseconds(hold)), read)


def take_canvas(hold: timedelta) -> Operation[list[str]]:
    """Take finished runs with a canvas that nobody applied, for ``hold``. Runs left after that are taken again."""

    def read(_: int, value: Any) -> list[str]:
        return [run_id.decode() for run_id in value]

    return Operation("take_canvas", (PER_PASS, milliseconds(hold)), read)


def drop_canvas(run_id: str) -> Operation[None]:
    """Drop a run's canvas once it was applied.

    Raises (when read):
        RunNotFoundError: No such run.
    """

    def read(code: int, _: Any) -> None:
        if code == 0:
            raise RunNotFoundError(run_id)

    return Operation("drop_canvas", (run_id,), read)


def size_chord(group_id: str, size: int) -> Operation[list[bytes] | None]:
    """Write how many members a chord has."""
    return Operation("add_chord_part", (group_id, "", "", size, milliseconds(CHORD_KEPT)), _parts)


def add_chord_part(group_id: str, task_id: str, part: bytes) -> Operation[list[bytes] | None]:
    """Add the outcome of a chord's member. Reads as all parts when it was the last and the body is to be applied."""
    return Operation("add_chord_part", (group_id, task_id, part, "", milliseconds(CHORD_KEPT)), _parts)


def close_chord(group_id: str) -> Operation[None]:
    """Close a chord whose body was applied, or failed: it is not applied again."""
    return Operation("close_chord", (group_id,), _nothing)


def keep_value(kind: Kind, value_id: str, value: str, *, is_awaited: bool = False) -> Operation[None]:
    """Keep a JSON text for the retention time; "" deletes it. ``is_awaited`` wakes those who wait for a result."""
    return Operation("keep_value", (kind, value_id, value, int(is_awaited)), _nothing)


def read_value(kind: Kind, value_id: str) -> Operation[str | None]:
    """Read what ``keep_value`` kept, None when there is nothing."""
    return Operation("read_value", (kind, value_id), lambda code, value: value.decode() if code == 1 else None)


def _parts(code: int, value: Any) -> list[bytes] | None:
    return list(value) if code == 1 else None


def _nothing(_: int, __: Any) -> None:
    return None
