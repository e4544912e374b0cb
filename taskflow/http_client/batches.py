"""Batches over HTTP: one request of many lines."""

import asyncio
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Final

from taskflow.definition.calls.batch_item import BatchOptions, atake_items, check_items, take_items
from taskflow.definition.foreign_task import NamedTasks
from taskflow.definition.machine import MachineSpec
from taskflow.definition.task_definition import TaskDefinition
from taskflow.errors import BatchNotFoundError, NotOverHttpError
from taskflow.http_client.batch_items import BatchLines
from taskflow.http_client.ends import EndsOfRuns
from taskflow.http_client.transport.api_request import PREFIX, ApiRequest, get, id_segment
from taskflow.http_client.transport.connection import AsyncConnection, Connection
from taskflow.models import Batch
from taskflow.seams.batches import BatchRuns, RunEnd
from taskflow.seams.engine import PlannedBatch
from taskflow.seams.record_documents import record_of
from taskflow.seams.waits import Waiter

_PATIENCE_SECONDS: Final = 120.0


class HttpBatches:
    """Batches of runs."""

    def __init__(
        self,
        connection: Connection,
        aconnection: AsyncConnection,
        ends: EndsOfRuns,
        tasks: NamedTasks,
        presets: Mapping[str, MachineSpec],
        payload_limit: int,
    ) -> None:
        self._connection, self._aconnection, self._ends = connection, aconnection, ends
        self._tasks, self._presets, self._payload_limit = tasks, presets, payload_limit

    def trigger(
        self,
        task: TaskDefinition | str | None,
        items: Iterable[object],
        options: BatchOptions,
        waiter: Waiter | None = None,
    ) -> BatchRuns:
        """Make a run of each item."""
        check_items(items, is_async=False)
        lines = self._lines(task, take_items(items), options, waiter)
        for _ in lines.checks():
            pass
        return self._connection.send(_trigger(lines))

    def plan(self, task: TaskDefinition | str | None, items: Iterable[object], options: BatchOptions) -> PlannedBatch:
        """Refuse to plan a batch: ids are made by the server, which cannot know of the transaction."""
        raise NotOverHttpError("batch_trigger(on_commit=True)", self._connection.address.url)

    async def atrigger(
        self,
        task: TaskDefinition | str | None,
        items: Iterable[object] | AsyncIterable[object],
        options: BatchOptions,
        waiter: Waiter | None = None,
    ) -> BatchRuns:
        """Make a run of each item."""
        check_items(items, is_async=True)
        lines = self._lines(task, await atake_items(items), options, waiter)
        for _ in lines.checks():
            await asyncio.sleep(0)
        return await self._aconnection.send(_trigger(lines))

    def retrieve(self, batch_id: str) -> Batch:
        """Return a batch's record."""
        return self._connection.send(_retrieve(batch_id))

    async def aretrieve(self, batch_id: str) -> Batch:
        """Return a batch's record."""
        return await self._aconnection.send(_retrieve(batch_id))

    def wait(self, run_ids: Sequence[str], timeout: timedelta | None) -> Sequence[RunEnd]:
        """Wait until all of the runs have ended, and return their ends."""
        return self._ends.wait(run_ids, timeout)

    async def await_(self, run_ids: Sequence[str], timeout: timedelta | None) -> Sequence[RunEnd]:
        """Wait until all of the runs have ended, and return their ends."""
        return await self._ends.await_(run_ids, timeout)

    def _lines(
        self, task: TaskDefinition | str | None, items: Sequence[object], options: BatchOptions, waiter: Waiter | None
    ) -> BatchLines:
        if waiter is not None:
            raise NotOverHttpError("batch_trigger_and_wait", self._connection.address.url)
        return BatchLines(self._tasks, self._presets, self._payload_limit, task, items, options)


def _trigger(lines: BatchLines) -> ApiRequest[BatchRuns]:
    return ApiRequest(
        method="POST",
        path=f"{PREFIX}/batches",
        read=lambda answer: lines.runs(answer.document()),
        body=lines.body(),
        content_type="application/x-ndjson",
        is_write=True,
        patience=_PATIENCE_SECONDS,
    )


def _retrieve(batch_id: str) -> ApiRequest[Batch]:
    return get(
        f"{PREFIX}/batches/{id_segment(batch_id, BatchNotFoundError)}", lambda document: record_of(Batch, document)
    )
