"""Effects: work on other shards that a script could not do itself.

The caller performs an effect at once. Upkeep performs those that callers left undone.
"""

from typing import Final

from taskflow.engine.round_trips import Steps, checked, drive
from taskflow.models import RunError
from taskflow.store import operations
from taskflow.store.operations.waits import complete_item, read_waiters
from taskflow.store.sync_store import Store
from taskflow.store.wire import locate

PARENT_CANCELED: Final = RunError("Canceled", "Canceled with its parent")
_CANCEL_CHILDREN: Final = "cancel-children:"
_DELIVER: Final = "deliver:"


def perform_effect(store: Store, shard: int, entry: str) -> None:
    """Perform an effect that a script on ``shard`` left, and all that follow from it. May be repeated.

    Raises:
        StoreUnavailableError: The store did not answer; the entry stays.
    """
    drive(store, perform(shard, entry, store.config.shards))


def effect_of_cancel(run_id: str) -> str:
    """Return the entry that the cancel of a run leaves."""
    return f"{_CANCEL_CHILDREN}{run_id}"


def shard_of_effect(run_id: str, shards: int) -> int | None:
    """Return the shard of a run's entry, None for an adopted run that may be on several: upkeep finds that entry."""
    candidates = locate(run_id, shards)
    return candidates[0] if len(candidates) == 1 else None


def perform(shard: int, entry: str, shards: int) -> Steps[None]:
    """Perform an effect. See ``perform_effect``."""
    if entry.startswith(_DELIVER):
        notified = yield from _deliver(shard, entry.removeprefix(_DELIVER), shards)
        yield [(operations.nodes.drop_effect(entry, notified=notified), shard)]
        return
    left = [(shard, entry)]
    while left:
        shard, entry = left.pop()
        for shard_of_children in range(shards):
            canceled = yield from _cancel_children(entry.removeprefix(_CANCEL_CHILDREN), shard_of_children)
            left += [(shard_of_children, effect_of_cancel(child)) for child in canceled]
        yield [(operations.nodes.drop_effect(entry), shard)]


def _cancel_children(parent_id: str, shard: int) -> Steps[list[str]]:
    canceled: list[str] = []
    while True:
        (result,) = yield [(operations.runs.cancel_children(parent_id, PARENT_CANCELED), shard)]
        children, left = checked(result)
        canceled += children
        if not left:
            return canceled


def _deliver(shard: int, run_id: str, shards: int) -> Steps[int]:
    """Complete the waits for a run's end on the shards of the waiting runs. Returns how many waits there are."""
    (reading,) = yield [(read_waiters(run_id), shard)]
    value, waiters = checked(reading)
    completions = [
        (complete_item(waiter, value), shard) for waiter in waiters for shard in locate(waiter.run_id, shards)
    ]
    if completions:
        for result in (yield completions):
            checked(result)
    return len(waiters)
