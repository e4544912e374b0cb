"""Turn a task, a payload and options into the run that the store writes. All checks happen here, before any write."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from taskflow.definition.calls.debounce import Debounce
from taskflow.definition.calls.trace_headers import trace_of_caller
from taskflow.definition.calls.trigger_options import TriggerOptions
from taskflow.definition.context import Context, current_context
from taskflow.definition.documents.payload import argsrepr
from taskflow.definition.machine import MachineSpec, resolve_machine
from taskflow.definition.queue import NO_LIMITS, Queue, QueueLimits
from taskflow.definition.registry import Registry
from taskflow.definition.task_definition import TaskDefinition
from taskflow.engine.caller import origin
from taskflow.engine.known_tasks import KnownTasks
from taskflow.errors import DefinitionError, EagerModeError, PayloadError, PayloadTooLargeError
from taskflow.objects.address import LargeValue
from taskflow.objects.large_values import LargeValues
from taskflow.seams.waits import Waiter
from taskflow.store.operations.making import NewRun
from taskflow.store.wire import derived_run_id, new_run_id, shard_of_queue, shard_of_run

_SHOWN: Final = 1000


@dataclass(frozen=True, slots=True)
class Caller:
    """The place of a trigger. One for all the items of a batch.

    Attributes:
        context: Of the run whose code triggers.
        trace: Trace headers as JSON, "" for none.
        origin: See ``Run.triggered_by``. "" for the code of a run, which is the parent, and for other plain code.
    """

    context: Context | None
    trace: str
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans new runs. Its fields are what a plan needs in addition to the task."""

    registry: Registry
    presets: Mapping[str, MachineSpec]
    shards: int
    payload_limit: int
    known: KnownTasks
    large_values: LargeValues
    is_eager: Callable[[], bool] = lambda: False

    def plan(
        self,
        definition: TaskDefinition,
        payload: object,
        options: TriggerOptions,
        run_id: str | None = None,
        *,
        batch_id: str | None = None,
        replay_of: str | None = None,
        waiter: Waiter | None = None,
        seed: str | None = None,
        caller: Caller | None = None,
    ) -> NewRun:
        """Return the run to write.

        Args:
            seed: Text from which the run's id follows, so that a repeated trigger makes no second run.
            caller: Of several runs that are planned together; made here otherwise.

        Raises:
            PayloadError: The payload does not fit, or is too large.
            DefinitionError: No such machine.
            EagerModeError: Celery is to execute tasks in place.
        """
        if self.is_eager():
            raise EagerModeError(definition.id, "task_always_eager")
        caller = caller or caller_of_trigger()
        context = caller.context
        queue, limits, is_declared = self._queue(definition, options.queue)
        doubts = self.known.doubts(definition.id, options, is_queue_declared=is_declared)
        document = self._payload(definition, payload)
        machine = definition.machine if options.machine is None else resolve_machine(options.machine, self.presets)
        debounce = options.debounce
        run_id = run_id or _new_id(shard_of_queue(queue, self.shards), waiter, seed)
        large = self._large(run_id, document, debounce)
        return NewRun(
            id=run_id,
            task_id=definition.id,
            payload=large.address.stored if large else document,
            args=argsrepr(document) or (_beginning(document) if large else None),
            queue=queue,
            limits=limits,
            class_name=f"{machine.name}.{definition.executor}",
            max_attempts=options.max_attempts or definition.retry.max_attempts,
            tags=_tags(definition.tags, options.tags),
            due=options.delay if debounce is None else debounce.delay,
            idempotency_key=options.idempotency_key,
            idempotency_key_ttl=options.idempotency_key_ttl,
            concurrency_key=options.concurrency_key,
            ttl=(definition.ttl if options.ttl is None else options.ttl) or None,
            priority=options.priority,
            metadata=options.metadata,
            max_duration=(definition.max_duration if options.max_duration is None else options.max_duration) or None,
            debounce=debounce,
            is_test=options.test,
            parent_id=context.run.id if context else None,
            root_id=(context.run.root_id or context.run.id) if context else None,
            batch_id=batch_id,
            replay_of=replay_of,
            doubts=doubts.parts if doubts else "",
            foreign=doubts.foreign if doubts else "",
            patience=doubts.patience if doubts else None,
            waiter=waiter,
            prefers=context.deployment.version if waiter and context else None,
            large=large,
            trace=caller.trace,
            origin=caller.origin,
        )

    def shard(self, new: NewRun) -> int:
        """Return the shard on which a planned run is written: that of its id, or of its queue for an adopted one."""
        if self.shards == 1:
            return 0
        named = shard_of_run(new.id)
        return shard_of_queue(new.queue, self.shards) if named is None else named

    def _queue(self, definition: TaskDefinition, chosen: str | Queue | None) -> tuple[str, QueueLimits, bool]:
        """Return a run's queue, its limits, and whether this process declares the queue."""
        if isinstance(chosen, Queue) and chosen.name:
            return chosen.name, chosen.limits, True
        if isinstance(chosen, str) and chosen != definition.queue.name:
            declared = self.limits()
            return chosen, declared.get(chosen, NO_LIMITS), chosen in declared
        return definition.queue_name, definition.queue.limits, True

    def limits(self) -> dict[str, QueueLimits]:
        """Return every declared queue's limits.

        Raises:
            DefinitionError: Two tasks declare one queue with different limits.
        """
        limits_of: dict[str, QueueLimits] = {}
        for task in self.registry:
            name, limits = task.queue_name, task.queue.limits
            known = limits_of.setdefault(name, limits)
            if known.are_none:
                limits_of[name] = limits
            elif not limits.are_none and limits != known:
                remedy = f"Declare the queue once, QUEUE = Queue({name!r}, concurrency_limit=...), and give it to both."
                option, one, other = next(_differences(known, limits))
                raise DefinitionError(
                    f"Queue {name!r} is declared with two limits, {one} and {other} (task {task.id!r})",
                    option=option,
                    value=other,
                    remedy=remedy,
                )
        return limits_of

    def _large(self, run_id: str, document: bytes, debounce: Debounce | None) -> LargeValue | None:
        """Return the payload if it must be an object. One that debounce may move to another run stays in the record."""
        if debounce is not None and debounce.mode == "trailing":
            return None
        return self.large_values.planned(run_id, "payload", document)

    def _payload(self, definition: TaskDefinition, payload: object) -> bytes:
        if definition.payload is None:
            if payload is not None:
                raise PayloadError(definition.id, "the task takes none; trigger it without a payload.")
            return b"null"
        document = definition.payload.dump(payload)
        if len(document) > self.payload_limit:
            raise PayloadTooLargeError(definition.id, len(document), self.payload_limit)
        return document


def caller_of_trigger() -> Caller:
    """Return the calling code's own."""
    context = current_context()
    return Caller(context, trace_of_caller(context), "" if context else origin())


def _new_id(shard: int, waiter: Waiter | None, seed: str | None) -> str:
    if seed is not None:
        return derived_run_id(shard, seed)
    if waiter is not None and waiter.is_durable:  # a crash between the wait and its run repeats the trigger: same id
        return derived_run_id(shard, waiter.seed)
    return new_run_id(shard)


def _differences(one: QueueLimits, other: QueueLimits) -> Iterator[tuple[str, object, object]]:
    names = {"concurrency": "concurrency_limit", "per_key": "per_key_limit", "total": "total_limit"}
    for field, option in names.items():
        if getattr(one, field) != getattr(other, field):
            yield option, getattr(one, field), getattr(other, field)
    yield "rate_limit", f"{one.rate_count}/{one.rate_period}", f"{other.rate_count}/{other.rate_period}"


def _tags(declared: tuple[str, ...], given: tuple[str, ...]) -> tuple[str, ...]:
    return (*declared, *(tag for tag in given if tag not in declared)) if given else declared


def _beginning(document: bytes) -> str:
    """Return the beginning of a large payload, for Flower."""
    return document[:_SHOWN].decode(errors="ignore") + "..."
