"""The declared tasks that a worker can serve, and why it cannot serve the others: one of them costs nobody anything."""

import json
import logging
from collections.abc import Iterable, Mapping

from taskflow.definition.source_place import place
from taskflow.definition.task_definition import TaskDefinition
from taskflow.errors import DefinitionError
from taskflow.texts import message_of

log = logging.getLogger("taskflow.node")
_REASON_CHARS = 500


class UsableTasks:
    """Looks once at each definition of a registry."""

    def __init__(self, registry: Iterable[TaskDefinition]) -> None:
        self._registry = registry
        self._looked: dict[str, tuple[TaskDefinition, str | None]] = {}

    def definitions(self) -> list[TaskDefinition]:
        """Return the tasks that can be served."""
        return [definition for definition in self._registry if self._fault(definition) is None]

    def faults(self) -> Mapping[str, str]:
        """Return the reason of each task that cannot be served, by its id: one line with its place."""
        found = {definition.id: self._fault(definition) for definition in self._registry}
        return {task_id: fault for task_id, fault in found.items() if fault is not None}

    def _fault(self, definition: TaskDefinition) -> str | None:
        looked = self._looked.get(definition.id)
        if looked is None or looked[0] is not definition:
            looked = (definition, _fault_of(definition))
            self._looked[definition.id] = looked
        return looked[1]


def schema_of(definition: TaskDefinition) -> str | None:
    """Return the JSON Schema of a task's payload as JSON. A task is served without one, too."""
    if definition.payload is None:
        return None
    try:
        return json.dumps(definition.payload.json_schema(), sort_keys=True)
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001 - code of the payload's type makes it
        log.warning("task.no_schema: %s: %s", definition.id, _line(error))
        return None


def _fault_of(definition: TaskDefinition) -> str | None:
    try:
        definition.prepare()
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001 - code of the payload's type, and of hooks, may do anything
        return f"{place(definition.source_file, definition.source_line)}: {_line(error)}"
    return None


def _line(error: BaseException) -> str:
    text = " ".join(message_of(error, _REASON_CHARS).split())
    return text if isinstance(error, DefinitionError) else f"{type(error).__name__}: {text}"
