"""The items of a batch: a payload with options of its own, and in a mixed batch its task."""

from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypedDict, TypeVar, Unpack, cast

from taskflow.definition.calls.debounce import Debounce
from taskflow.definition.calls.idempotency import IdempotencyKey
from taskflow.definition.calls.misspelt import names_options, refuse_unknown
from taskflow.definition.calls.trigger_options import TriggerKeywords, TriggerOptions, refuse_waiting
from taskflow.definition.machine import Machine
from taskflow.definition.queue import Queue
from taskflow.durations import Duration
from taskflow.errors import TriggerOptionError

if TYPE_CHECKING:
    from taskflow.definition.task_definition import TaskDefinition

PayloadT_co = TypeVar("PayloadT_co", covariant=True)
MOST_ITEMS: Final = 10_000
"""Most items of a batch."""


class AnyTask(Protocol):
    """A task with any payload and output."""

    @property
    def definition(self) -> "TaskDefinition":
        """The task's declaration."""
        ...


@dataclass(frozen=True, slots=True)
class BatchItem(Generic[PayloadT_co]):
    """One item of a batch with options of its own: those of ``Task.trigger``, checked when the batch is triggered.

    ``BatchItem(payload, delay="5m", idempotency_key="invoice:1")``.
    """

    payload: PayloadT_co
    queue: str | Queue | None = None
    concurrency_key: str | int | None = None
    machine: str | Machine | None = None
    delay: Duration | datetime | None = None
    ttl: Duration | None = None
    priority: timedelta | float | None = None
    tags: str | Sequence[str] = ()
    metadata: Mapping[str, object] | None = None
    idempotency_key: str | IdempotencyKey | None = None
    idempotency_key_ttl: Duration | None = None
    max_attempts: int | None = None
    max_duration: Duration | None = None
    debounce: Debounce | None = None
    test: bool = False

    def options(self) -> TriggerOptions:
        """Return the options, checked.

        Raises:
            TriggerOptionError: One of them is not possible.
        """
        given = {name: getattr(self, name) for name in TriggerKeywords.__annotations__}
        return TriggerOptions.checked(**cast("TriggerKeywords", given))


_item: Any = BatchItem
_item.__init__ = names_options(_item.__init__)  # the constructor that dataclass has made

MixedItem = tuple[AnyTask | str, object]
"""An item of a mixed batch: a task or its id, and a payload or a ``BatchItem`` of it."""


def check_items(items: object, *, is_async: bool) -> None:
    """Refuse a value that is not a collection of items. A text or a mapping would be taken apart.

    Raises:
        TriggerOptionError: The value is neither a list nor an iterator.
    """
    given = items  # pyright narrows the other one to a partly unknown type
    if isinstance(items, AsyncIterable) and not is_async:
        raise TriggerOptionError("items", "...", "Async iterators are for the twin: await abatch_trigger(...).")
    if isinstance(items, str | bytes | Mapping) or not isinstance(items, Iterable | AsyncIterable):
        raise TriggerOptionError(
            "items", given, "Give a list or an iterator of payloads, or of BatchItem(payload, ...)."
        )


def take_items(items: Iterable[object]) -> list[object]:
    """Return the items of a batch, and at most one more than it may have: an iterator may be endless."""
    return list(islice(items, MOST_ITEMS + 1))


async def atake_items(items: Iterable[object] | AsyncIterable[object]) -> list[object]:
    """Return the items of a batch in an event loop. See ``take_items``."""
    if not isinstance(items, AsyncIterable):
        return take_items(items)
    taken: list[object] = []
    async for item in items:
        taken.append(item)
        if len(taken) > MOST_ITEMS:
            break
    return taken


class BatchKeywords(TypedDict, total=False):
    """The options of ``Task.batch_trigger``, which documents them."""

    atomic: bool
    idempotency_key: str | IdempotencyKey | None
    idempotency_key_ttl: Duration | None


class BatchCommitKeywords(BatchKeywords, total=False):
    """The options of the verbs that can wait for a database transaction: ``batch_trigger``, not its twin."""

    on_commit: bool | str | None


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """The options of a whole batch. ``idempotency_key`` is that of the batch."""

    atomic: bool = False
    idempotency_key: IdempotencyKey | None = None
    idempotency_key_ttl: timedelta | None = None

    @classmethod
    def checked(cls, **options: Unpack[BatchCommitKeywords]) -> "BatchOptions":
        """Return the options as given to a verb.

        Raises:
            TriggerOptionError: One of them is not possible, or does not exist.
        """
        refuse_unknown(options, BatchCommitKeywords.__annotations__)
        refuse_waiting(options.get("on_commit"))
        atomic = options.get("atomic", False)
        if not isinstance(atomic, bool):  # pyright: ignore[reportUnnecessaryIsInstance] - callers without types
            raise TriggerOptionError("atomic", atomic, "Use True or False.")
        keyed = TriggerOptions.checked(
            idempotency_key=options.get("idempotency_key"), idempotency_key_ttl=options.get("idempotency_key_ttl")
        )
        return BatchOptions(atomic, keyed.idempotency_key, keyed.idempotency_key_ttl)
