"""Looks at runs: whether they have ended, and how. Many in one request, those of coroutines too."""

import asyncio
import threading
import weakref
from collections.abc import Sequence
from contextvars import Context
from typing import Any, Final

from pydantic_core import to_json

from taskflow.http_client.transport.api_request import PREFIX, ApiRequest, get
from taskflow.http_client.transport.connection import AsyncConnection, Connection
from taskflow.models import RunError, RunStatus
from taskflow.seams.batches import RunEnd
from taskflow.seams.record_documents import record_of

_IDS_A_REQUEST: Final = 200
"""They go in the address, so that a key that may only read can wait. Servers take addresses of some 16 KB."""
Found = dict[str, RunEnd | RunStatus]
"""The ends of runs, and the statuses of those that have not ended; without unknown runs."""


class Looks:
    """Looks at runs, for threads and for the coroutines of each event loop."""

    def __init__(self, connection: Connection, aconnection: AsyncConnection) -> None:
        self._connection, self._aconnection = connection, aconnection
        self._lock = threading.Lock()
        self._shared: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _SharedLooks] = weakref.WeakKeyDictionary()

    def look(self, run_ids: Sequence[str]) -> Found:
        """Return the ends or statuses of runs."""
        found: Found = {}
        left = [*run_ids]
        while left:
            asked, left = left[:_IDS_A_REQUEST], left[_IDS_A_REQUEST:]
            more, unread = self._connection.send(_results(asked))
            found |= more
            left = [*unread, *left]
        return found

    async def alook(self, run_ids: Sequence[str]) -> Found:
        """Return the ends or statuses of runs. Coroutines that look at about the same time share requests."""
        with self._lock:
            shared = self._shared.setdefault(asyncio.get_running_loop(), _SharedLooks(self._aconnection))
        return await shared.look(run_ids)


class _SharedLooks:
    """The looks of one event loop. One request is under way at a time, and the next has all that came meanwhile."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._wanted: dict[str, asyncio.Future[RunEnd | RunStatus | None]] = {}
        self._sender: asyncio.Task[None] | None = None

    async def look(self, run_ids: Sequence[str]) -> Found:
        """Return the ends or statuses of runs."""
        futures = {run_id: self._want(run_id) for run_id in run_ids}
        if futures and (self._sender is None or self._sender.done()):
            self._sender = asyncio.create_task(self._send(), name="taskflow-looks", context=Context())
        found: Found = {}
        for run_id, future in futures.items():
            if (end := await asyncio.shield(future)) is not None:  # others may wait for it, too
                found[run_id] = end
        return found

    def _want(self, run_id: str) -> "asyncio.Future[RunEnd | RunStatus | None]":
        future = self._wanted.get(run_id)
        if future is None:
            future = self._wanted[run_id] = asyncio.get_running_loop().create_future()
            future.add_done_callback(_retrieve)
        return future

    async def _send(self) -> None:
        await asyncio.sleep(0)  # the coroutines that are ready now ask, too
        while self._wanted:
            ids = [*self._wanted][:_IDS_A_REQUEST]
            asked = {run_id: self._wanted.pop(run_id) for run_id in ids}
            try:
                found, unread = await self._connection.send(_results(ids))
            except BaseException as error:
                for future in asked.values():
                    future.cancel() if isinstance(error, asyncio.CancelledError) else future.set_exception(error)
                if not isinstance(error, Exception):
                    raise
                continue
            for run_id in unread:
                self._wanted.setdefault(run_id, asked.pop(run_id))
            for run_id, future in asked.items():
                if not future.done():
                    future.set_result(found.get(run_id))


def _retrieve(future: "asyncio.Future[RunEnd | RunStatus | None]") -> None:
    """Retrieve an error, so that asyncio does not log it when all who waited were canceled."""
    if not future.cancelled():
        future.exception()


def _results(run_ids: Sequence[str]) -> ApiRequest[tuple[Found, list[str]]]:
    """Return the request of one look. Its result has the ids that did not fit the answer."""

    def read(document: Any) -> tuple[Found, list[str]]:
        return {each["id"]: _end(each) for each in document["results"]}, list(document["left"])

    return get(f"{PREFIX}/run-results", read, ids="\n".join(run_ids))


def _end(document: Any) -> RunEnd | RunStatus:
    status = RunStatus(document["status"])
    if not status.is_finished:
        return status
    error = document.get("error")
    output = to_json(document["output"]) if "output" in document else None
    return status, output, None if error is None else record_of(RunError, error)
