"""Turn a task, a payload and options into the run that the store writes. All checks happen here, before any write."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from taskflow.definition.durations import parse_duration
from taskflow.definition.machine import MachineSpec, resolve_machine
from taskflow.definition.options import TriggerOptions
from taskflow.definition.payload import argsrepr
from taskflow.definition.queue import Queue
from taskflow.definition.registry import Registry
from taskflow.definition.task import Task, TaskDefinition
from taskflow.errors import DefinitionError, PayloadError, PayloadTooLargeError
from taskflow.store.operations import NewRun
from taskflow.store.wire import new_run_id, shard_of_queue


@dataclass(frozen=True, slots=True)
class Planner:
    """What planning a run needs to know besides the task."""

    registry: Registry
    presets: Mapping[str, MachineSpec]
    shards: int
    payload_limit: int

    def plan(self, task: Task[Any, Any], payload: object, options: TriggerOptions, run_id: str | None = None) -> NewRun:
        """Return the run to write.

        Raises:
            PayloadError: The payload does not fit, or is too large.
            DefinitionError: No such machine.
        """
        definition = task.definition
        queue, limit = self._queue(definition, options.queue)
        document = self._payload(definition, payload)
        machine = definition.machine if options.machine is None else resolve_machine(options.machine, self.presets)
        return NewRun(
            id=run_id or new_run_id(shard_of_queue(queue, self.shards)),
            task_id=definition.id,
            payload=document,
            args=argsrepr(document),
            queue=queue,
            concurrency_limit=limit,
            class_name=f"{machine.name}.{definition.executor}",
            max_attempts=options.max_attempts or definition.retry.max_attempts,
            tags=(*definition.tags, *(tag for tag in options.tags if tag not in definition.tags)),
            due=_due(options.delay),
            idempotency_key=options.idempotency_key,
        )

    def _queue(self, definition: TaskDefinition, chosen: str | Queue | None) -> tuple[str, int | None]:
        if isinstance(chosen, Queue) and chosen.name:
            return chosen.name, chosen.concurrency_limit
        if isinstance(chosen, str) and chosen != definition.queue.name:
            return chosen, self.limits().get(chosen)
        return _name(definition), definition.queue.concurrency_limit

    def limits(self) -> dict[str, int | None]:
        """Return every declared queue's concurrency limit; None for unlimited ones.

        Raises:
            DefinitionError: Two tasks declare one queue with different limits.
        """
        found: dict[str, int | None] = {}
        for task in self.registry:
            name, limit = _name(task.definition), task.definition.queue.concurrency_limit
            known = found.setdefault(name, limit)
            if known is None:
                found[name] = limit
            elif limit is not None and limit != known:
                remedy = f"Declare the queue once, QUEUE = Queue({name!r}, concurrency_limit=...), and give it to both."
                raise DefinitionError(
                    f"Queue {name!r} is declared with two limits, {known} and {limit} (task {task.definition.id!r})",
                    option="concurrency_limit",
                    value=limit,
                    remedy=remedy,
                )
        return found

    def _payload(self, definition: TaskDefinition, payload: object) -> bytes:
        if definition.payload is None:
            if payload is not None:
                raise PayloadError(definition.id, "the task takes none; trigger it without a payload.")
            return b"null"
        document = definition.payload.dump(payload)
        if len(document) > self.payload_limit:
            raise PayloadTooLargeError(definition.id, len(document), self.payload_limit)
        return document


def _due(delay: object) -> datetime | timedelta | None:
    if delay is None or isinstance(delay, datetime):
        return delay
    return parse_duration(delay, option="delay")  # type: ignore[arg-type]  # TriggerOptions has checked it


def _name(definition: TaskDefinition) -> str:
    return definition.queue.name or f"task/{definition.id}"
