"""Payloads that a test expects, and the text for runs that do not have them."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final, cast

from pydantic_core import from_json, to_json, to_jsonable_python

from taskflow.definition.documents.payload import PayloadType
from taskflow.definition.registry import Registry
from taskflow.errors import TaskflowError
from taskflow.models import Run

_SHOWN: Final = 5
_CHARS: Final = 200


class _Anything:
    """Stands for a payload that is not looked at."""

    def __repr__(self) -> str:
        return "anything"


ANYTHING: Final = _Anything()


def wanted_json(registry: Registry, task_id: str, payload: object) -> object:
    """Return the JSON value of an expected payload, as the store would have it.

    Raises:
        PayloadError: No run of the task can have it.
    """
    if payload is ANYTHING:
        return ANYTHING
    if task_id in registry and (payload_type := registry.get(task_id).payload) is not None:
        return _complete(payload_type, payload_type.dump(payload))
    return to_jsonable_python(payload)


def got_json(registry: Registry, run: Run) -> object:
    """Return the payload of a run as ``wanted_json`` would have it: with the defaults of its type."""
    if run.task_id in registry and (payload_type := registry.get(run.task_id).payload) is not None:
        with suppress(TaskflowError):  # what no longer fits its type is compared as it is
            return _complete(payload_type, to_json(run.payload))
    return run.payload


def _complete(payload_type: PayloadType, document: bytes) -> object:
    return from_json(payload_type.dump(payload_type.load(document)))


def problem(
    task_id: str,
    wanted: object,
    times: int | None,
    found: Sequence[Run],
    matching: Sequence[Run],
    others: Mapping[str, int],
) -> str:
    """Return why a test fails whose task was not triggered as it should have been."""
    with_payload = "" if wanted is ANYTHING else f" with the payload {_shown(wanted)}"
    wish = "at least once" if times is None else "once" if times == 1 else f"{times} times" if times else "not at all"
    what = f"Task {task_id!r} was to be triggered {wish}{with_payload}, "
    if not found:
        listed = ", ".join(f"{name} ({count})" for name, count in sorted(others.items()))
        return f"{what}and was not triggered. Triggered were: {listed or 'no tasks'}."
    if matching or wanted is ANYTHING:
        lines = [_line(run) for run in matching or found]
        return f"{what}and was triggered {_times(len(matching or found))}:\n" + "\n".join(_some(lines))
    lines = [f"{_line(run)}\n{_differences(wanted, run.payload)}" for run in found]
    return f"{what}and was triggered {_times(len(found))} with others:\n" + "\n".join(_some(lines))


def _line(run: Run) -> str:
    return f"  {run.id} is {run.status}, payload {_shown(run.payload)}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _some(lines: list[str]) -> list[str]:
    left = len(lines) - _SHOWN
    return lines if left <= 0 else [*lines[:_SHOWN], f"  and {left} more"]


def _differences(wanted: object, got: object) -> str:
    found = _compare("", wanted, got)
    return "\n".join(_some([f"    {path or 'the payload'}: {what}" for path, what in found]))


def _compare(path: str, wanted: object, got: object) -> list[tuple[str, str]]:
    """Return the places in which two JSON values differ."""
    ours, theirs = _members(wanted), _members(got)
    if ours is None or theirs is None:
        return [] if wanted == got else [(path, f"is {_shown(got)}, expected {_shown(wanted)}")]
    found: list[tuple[str, str]] = []
    for name in dict.fromkeys([*ours, *theirs]):
        here = f"{path}.{name}" if path else name
        if name not in theirs:
            found.append((here, f"is missing, expected {_shown(ours[name])}"))
        elif name not in ours:
            found.append((here, f"is {_shown(theirs[name])}, expected nothing"))
        else:
            found += _compare(here, ours[name], theirs[name])
    return found


def _members(value: object) -> dict[str, object] | None:
    return cast("dict[str, object]", value) if isinstance(value, dict) else None


def _shown(value: object) -> str:
    text = to_json(value).decode()
    return text if len(text) <= _CHARS else f"{text[:_CHARS]}..."
