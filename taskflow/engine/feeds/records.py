"""Read the records that several readers of one event loop ask for at the same time, in one round trip."""

import asyncio
from collections.abc import Sequence
from typing import Final

from taskflow.engine.round_trips import checked
from taskflow.errors import StoreUnavailableError
from taskflow.models import Run
from taskflow.store import operations
from taskflow.store.async_store import AsyncStore
from taskflow.store.operations.streams import list_streams
from taskflow.store.wire import locate

_MOST_AT_ONCE: Final = 200
_PER_CALL: Final = 25
"""A script reads so many records, so that those with large payloads do not keep others waiting."""


class RecordReader:
    """Gathers what is asked for until its task runs, and reads it in parts."""

    def __init__(self, store: AsyncStore) -> None:
        self._store = store
        self._wanted: dict[str, asyncio.Future[Run | None]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def read(self, run_id: str) -> Run | None:
        """Return a run's record, None when the store has none.

        Raises:
            StoreUnavailableError: The store did not answer.
        """
        wanted = self._wanted.get(run_id)
        if wanted is None:
            wanted = self._wanted[run_id] = asyncio.get_running_loop().create_future()
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_all(), name="taskflow-records")
        return await asyncio.shield(wanted)

    async def read_many(self, run_ids: list[str]) -> list[Run]:
        """Return the records of runs that the store has.

        Raises:
            StoreUnavailableError: The store did not answer.
        """
        found: list[Run] = []
        for start in range(0, len(run_ids), _MOST_AT_ONCE):
            records = await self._records(run_ids[start : start + _MOST_AT_ONCE])
            found += [record for record in records if isinstance(record, Run)]
        return found

    async def streams(self, run_ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Return the names of the streams with items, of each run that has any.

        Raises:
            StoreUnavailableError: The store did not answer.
        """
        looks = [(run_id, shard) for run_id in run_ids for shard in locate(run_id, self._store.config.shards)]
        replies = await self._store.run_many([(list_streams(run_id), shard) for run_id, shard in looks])
        return {run_id: checked(names) for (run_id, _), names in zip(looks, replies, strict=True) if names}

    async def _read_all(self) -> None:
        while self._wanted:
            part = dict(list(self._wanted.items())[:_MOST_AT_ONCE])
            for run_id in part:
                del self._wanted[run_id]
            results = await self._records(list(part))
            for wanted, result in zip(part.values(), results, strict=True):
                if wanted.done():
                    continue
                if isinstance(result, Exception):
                    wanted.set_exception(result)
                    wanted.exception()  # its reader may have gone
                else:
                    wanted.set_result(result)

    async def _records(self, run_ids: list[str]) -> list[Run | Exception | None]:
        """Return each run's record, or the error of its reading."""
        here: dict[int, list[str]] = {}
        for run_id in run_ids:
            for shard in locate(run_id, self._store.config.shards):
                here.setdefault(shard, []).append(run_id)
        parts = [
            (shard, ids[start : start + _PER_CALL])
            for shard, ids in here.items()
            for start in range(0, len(ids), _PER_CALL)
        ]
        try:
            replies = await self._store.run_many([(operations.runs.read_runs(ids), shard) for shard, ids in parts])
        except StoreUnavailableError as error:
            return [error for _ in run_ids]
        found: dict[str, Run | Exception] = {}
        for (_, ids), reply in zip(parts, replies, strict=True):
            found |= dict.fromkeys(ids, reply) if isinstance(reply, Exception) else {run.id: run for run in reply}
        return [found.get(run_id) for run_id in run_ids]
