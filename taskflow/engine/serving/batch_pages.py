"""Pages of batches, newest first. Batches are listed for as long as their records are kept."""

from collections.abc import Callable, Sequence

from taskflow.engine.loops import Loop
from taskflow.engine.round_trips import Steps, adrive, checked
from taskflow.store.operations.overviews.batches import list_batches

_SAME_INSTANT = 50
"""More batches that are read than a page shows, because others may be made in the millisecond of its first one."""


class BatchPages:
    """Lists the ids of batches over all shards."""

    def __init__(self, loop: Callable[[], Loop], shards: int) -> None:
        self._loop, self._shards = loop, shards

    async def apage(self, most: int, cursor: str = "") -> tuple[Sequence[str], str | None]:
        """Return a page of ids and the cursor of the next one, None on the last page.

        A cursor that no page has returned reads as the first page's.
        """
        return await adrive(self._loop().store, self._page(most, cursor))

    def _page(self, most: int, cursor: str) -> Steps[tuple[Sequence[str], str | None]]:
        made, _, last = cursor.partition(" ")
        before = int(made) if made.isascii() and made.isdigit() and len(made) < 16 else None
        reads = [(list_batches(most + 1 + _SAME_INSTANT, before), shard) for shard in range(self._shards)]
        results = yield [*reads]
        found = sorted((each for result in results for each in checked(result)), reverse=True)
        if before is not None:
            found = [each for each in found if each < (before, last)]
        shown = found[:most]
        more = len(found) > most
        return [batch_id for _, batch_id in shown], f"{shown[-1][0]} {shown[-1][1]}" if more else None
