"""Send the operations of many coroutines in one write.

One write is under way at a time, and the operations that arrive meanwhile share the next one. Without load an operation
leaves at once; under load a hundred of them share a round trip.
"""

import asyncio
from contextvars import Context
from typing import Any, TypeVar

from taskflow.errors import StoreUnavailableError, TaskflowError, UnstorableError
from taskflow.store.async_store import AsyncStore
from taskflow.store.operations.operation import Operation
from taskflow.store.wire import locate, names_no_run

ResultT = TypeVar("ResultT")
MOST_AT_ONCE = 200
PAUSE_SECONDS = 0.2


class Pipeline:
    """Runs the operations of one event loop.

    Args:
        repeats: Whether to repeat them until the store answers, each being safe to repeat. Else its absence is an error
            of all operations of a write.
    """

    def __init__(self, store: AsyncStore, *, repeats: bool = True) -> None:
        self._store, self._repeats = store, repeats
        self._waiting: list[tuple[Operation[Any], int, asyncio.Future[Any]]] = []
        self._flusher: asyncio.Task[None] | None = None

    def submit(self, operation: Operation[ResultT], shard: int) -> "asyncio.Future[ResultT]":
        """Return the future result of an operation, which leaves with the next write."""
        future: asyncio.Future[ResultT] = asyncio.get_running_loop().create_future()
        self._waiting.append((operation, shard, future))
        if self._flusher is None:
            self._flusher = asyncio.create_task(self._flush(), name="taskflow-pipeline", context=Context())
        return future

    async def run_for(self, run_id: str, operation: Operation[ResultT]) -> tuple[ResultT, int]:
        """Return the result of an operation on a run, and the shard of the run. An adopted run is searched on all."""
        *others, last = locate(run_id, self._store.config.shards)
        for shard in others:
            try:
                return await self.submit(operation, shard), shard
            except TaskflowError as error:
                if not names_no_run(error):
                    raise
        return await self.submit(operation, last), last

    async def _flush(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
                for result, (_, _, future) in zip(await self._send(batch), batch, strict=True):
                    if future.done():
                        continue
                    if isinstance(result, Exception):
                        future.set_exception(result)
                    else:
                        future.set_result(result)
        finally:
            self._flusher = None

    async def _send(self, batch: list[tuple[Operation[Any], int, asyncio.Future[Any]]]) -> list[Any]:
        while True:
            try:
                return await self._store.run_many([(operation, shard) for operation, shard, _ in batch])
            except StoreUnavailableError as away:
                if not self._repeats:
                    return [away] * len(batch)
                await asyncio.sleep(PAUSE_SECONDS)
            except UnstorableError:  # the operation of one run must not cost the others theirs
                return [await self._alone(operation, shard) for operation, shard, _ in batch]
            except Exception as broken:  # noqa: BLE001 - each waiting call gets the error, or it would wait for ever
                return [broken] * len(batch)

    async def _alone(self, operation: Operation[Any], shard: int) -> Any:
        """Return the result of one operation, or its error."""
        while True:
            try:
                return (await self._store.run_many([(operation, shard)]))[0]
            except StoreUnavailableError as away:
                if not self._repeats:
                    return away
                await asyncio.sleep(PAUSE_SECONDS)
            except Exception as error:  # noqa: BLE001 - as above
                return error
