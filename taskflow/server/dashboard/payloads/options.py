"""The options of a trigger as fields of a page, and back."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from taskflow.definition.calls.debounce import Debounce
from taskflow.definition.calls.trigger_options import TriggerKeywords, TriggerOptions
from taskflow.definition.task_definition import TaskDefinition
from taskflow.errors import DefinitionError, TriggerOptionError
from taskflow.models import Run
from taskflow.server.api.options import instant_or_duration
from taskflow.server.dashboard.payloads.hidden import covered
from taskflow.server.dashboard.view.reader import READER


@dataclass(frozen=True, slots=True)
class Option:
    """One option: its text on the page.

    Attributes:
        place: What an empty field means, for example the task's own value.
        fault: Why the text is not possible.
    """

    name: str
    value: str
    place: str = ""
    hint: str = ""
    fault: str = ""
    is_number: bool = False

    @property
    def is_changed(self) -> bool:
        """Whether the run would differ from the task's declaration."""
        return bool(self.value)


FIRST: Final = ("queue", "machine", "max_attempts", "delay", "ttl", "tags")
"""The options that are always in sight; the others are behind a button."""
_HINTS: Final = {
    "tags": "Up to 10, separated by spaces.",
    "priority": "Seconds that the run is put ahead.",
    "metadata": "A JSON object.",
    "debounce_key": "Triggers with one key become one run.",
    "debounce_mode": "leading or trailing.",
}
_PLACES: Final = {
    "delay": "5m, or an instant", "ttl": "none", "idempotency_key_ttl": "30d", "debounce_delay": "10s",
    "debounce_mode": "leading", "priority": "0", "max_duration": "none",
}  # fmt: skip
_NAMES: Final = (
    *FIRST, "priority", "concurrency_key", "max_duration", "idempotency_key", "idempotency_key_ttl", "metadata",
    "debounce_key", "debounce_delay", "debounce_mode",
)  # fmt: skip


def options_of(
    given: Mapping[str, str], task: TaskDefinition | None, fault: tuple[str, str] = ("", "")
) -> list[Option]:
    """Return every option with its text; ``fault`` is the name of one with why it is refused."""
    own = {} if task is None else _own(task)
    return [
        Option(
            name,
            given.get(f"option_{name}", ""),
            own.get(name) or _PLACES.get(name, ""),
            _HINTS.get(name, ""),
            fault[1] if fault[0] == name else "",
            name in ("max_attempts", "priority"),
        )
        for name in _NAMES
    ]


def trigger_options(given: Mapping[str, str]) -> TriggerOptions:
    """Return the options of a form.

    Raises:
        TriggerOptionError: One of them is not possible. Its ``option`` is the name of the field.
    """
    texts = {name: given.get(f"option_{name}", "").strip() for name in _NAMES}
    options: dict[str, Any] = {
        name: texts[name]
        for name in (
            "queue",
            "machine",
            "concurrency_key",
            "ttl",
            "max_duration",
            "idempotency_key",
            "idempotency_key_ttl",
        )
        if texts[name]
    }
    if texts["delay"]:
        options["delay"] = instant_or_duration("delay", texts["delay"])
    if texts["tags"]:
        options["tags"] = texts["tags"].split()
    if texts["max_attempts"]:
        options["max_attempts"] = _number(int, "max_attempts", texts["max_attempts"])
    if texts["priority"]:
        options["priority"] = _number(float, "priority", texts["priority"])
    if texts["metadata"]:
        options["metadata"] = _metadata(texts["metadata"])
    if any(texts[name] for name in ("debounce_key", "debounce_delay", "debounce_mode")):
        options["debounce"] = _debounce(texts)
    options["test"] = given.get("test") == "1"
    return TriggerOptions.checked(**cast("TriggerKeywords", options))


def texts_of(run: Run) -> dict[str, str]:
    """Return the fields for a run's options: those that a replay keeps."""
    texts = {
        "queue": run.queue,
        "machine": run.machine,
        "tags": " ".join(tag for tag in run.tags if " " not in tag),
        "concurrency_key": run.concurrency_key or "",
        "max_duration": f"{run.max_duration.total_seconds():g}s" if run.max_duration else "",
        "metadata": json.dumps(covered(READER.get().hiding, dict(run.metadata))) if run.metadata else "",
    }
    return {f"option_{name}": text for name, text in texts.items()}


def _own(task: TaskDefinition) -> dict[str, str]:
    return {
        "queue": f"{task.queue_name}, declared",
        "machine": f"{task.machine.name}, declared",
        "max_attempts": str(task.retry.max_attempts),
    }


def _number(kind: type[int] | type[float], name: str, text: str) -> float:
    try:
        return kind(text)
    except (ValueError, OverflowError):
        raise TriggerOptionError(name, text, "Use a number.") from None


def _metadata(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TriggerOptionError("metadata", "...", f"It is not JSON: {error}.") from None


def _debounce(texts: Mapping[str, str]) -> Debounce:
    mode = texts["debounce_mode"] or "leading"
    try:
        return Debounce(texts["debounce_key"], texts["debounce_delay"], mode=cast("Any", mode))
    except DefinitionError as refused:
        name = f"debounce_{refused.option}" if refused.option in ("key", "delay", "mode") else "debounce_key"
        raise TriggerOptionError(name, refused.value, refused.remedy) from None
