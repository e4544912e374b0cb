"""Second operations: what a script leaves to do on every shard. Whoever caused it performs it, upkeep what was left."""

from typing import Final

from taskflow.models import RunError
from taskflow.store import node_operations, operations
from taskflow.store.async_store import AsyncStore
from taskflow.store.operations import PER_PASS
from taskflow.store.sync_store import Store
from taskflow.store.wire import shard_of_run

PARENT_CANCELED: Final = RunError("Canceled", "Canceled with its parent")
_CANCEL_CHILDREN: Final = "cancel-children:"


def perform_effect(store: Store, shard: int, entry: str) -> None:
    """Perform an effect that a script on ``shard`` left, and all that follow from it. May be repeated.

    Raises:
        StoreUnavailableError: The store did not answer; the entry stays.
    """
    left = [(shard, entry)]
    while left:
        shard, entry = left.pop()
        parent_id = entry.removeprefix(_CANCEL_CHILDREN)
        for place in range(store.config.shards):
            canceled = [""] * PER_PASS
            while len(canceled) == PER_PASS:
                canceled = store.run(operations.cancel_children(parent_id, PARENT_CANCELED), shard=place)
                left += [(place, effect_of_cancel(child)) for child in canceled]
        store.run(node_operations.drop_effect(entry), shard=shard)


async def aperform_effect(store: AsyncStore, shard: int, entry: str) -> None:
    """Perform an effect. See ``perform_effect``."""
    left = [(shard, entry)]
    while left:
        shard, entry = left.pop()
        parent_id = entry.removeprefix(_CANCEL_CHILDREN)
        for place in range(store.config.shards):
            canceled = [""] * PER_PASS
            while len(canceled) == PER_PASS:
                canceled = await store.run(operations.cancel_children(parent_id, PARENT_CANCELED), shard=place)
                left += [(place, effect_of_cancel(child)) for child in canceled]
        await store.run(node_operations.drop_effect(entry), shard=shard)


def effect_of_cancel(run_id: str) -> str:
    """Return the entry that the cancel of a run leaves."""
    return f"{_CANCEL_CHILDREN}{run_id}"


def shard_of_effect(run_id: str, shards: int) -> int | None:
    """Return the shard on which a run's entry is, None when its id does not say: upkeep finds it."""
    named = shard_of_run(run_id)
    return 0 if shards == 1 else named
