"""Wait for runs to end over one connection a process, however many wait, and without polling.

A thread reads the ids of runs that end from the server's stream of ends, and fetches the results of those that somebody
waits for, many in one request. It looks at all of them once it is connected, and again every minute, because a stream
may have lost an entry. A wait that has begun outlasts a server that is away.
"""

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future, InvalidStateError
from datetime import timedelta
from typing import Final, cast

from pydantic_core import from_json

from taskflow.errors import ResultTimeoutError, RunNotFoundError, ServerUnavailableError, TaskflowError
from taskflow.http_client.looks import Found, Looks
from taskflow.http_client.transport.api_request import PREFIX
from taskflow.http_client.transport.connection import AsyncConnection, Connection
from taskflow.http_client.transport.server_events import Pauses, ServerEvent, event_stream, events
from taskflow.models import RunStatus
from taskflow.seams.batches import RunEnd

log = logging.getLogger("taskflow.client")
_LOOK_AGAIN_SECONDS: Final = 60.0
_IDLE_SECONDS: Final = 30.0
Waits = dict[str, "Future[RunEnd]"]


class EndsOfRuns:
    """The waits of a process. Threads, and coroutines of all event loops, share one connection."""

    def __init__(self, connection: Connection, aconnection: AsyncConnection) -> None:
        self._connection, self._looks = connection, Looks(connection, aconnection)
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._waits: dict[str, list[Future[RunEnd]]] = {}
        self._listener: threading.Thread | None = None
        self._is_connected = self._is_closed = False
        self._idle_since = self._looked_at = time.monotonic()

    def close(self) -> None:
        """End the thread soon, and the waits with an error."""
        with self._lock:
            self._is_closed = True
        self._fail(ServerUnavailableError(self._connection.address.url, "its client was closed"))

    def wait(self, run_ids: Sequence[str], timeout: timedelta | None) -> list[RunEnd]:
        """Wait until all of the runs have ended, and return their ends.

        Raises:
            RunNotFoundError: No such run.
            ResultTimeoutError: Not all have ended in time; the error names the first that has not.
            ServerUnavailableError: The server did not answer the first look.
        """
        until = _until(timeout)
        ends = _Ends(run_ids)
        if not self._is_connected:  # else the look behind the registration is enough
            ends.take(self._looks.look(run_ids))
        with self._waiting(ends.left) as (waits, needs_look):
            if needs_look:  # the connection was there before the wait, and its thread looks no more
                with contextlib.suppress(ServerUnavailableError):  # the thread looks when it has connected again
                    ends.take(self._looks.look([*waits]))
            for run_id in ends.left:
                try:
                    ends.ended(run_id, waits[run_id].result(_left(until)))
                except TimeoutError:
                    raise _late(run_id, timeout, self._looks.look([run_id])) from None
        return ends.all()

    async def await_(self, run_ids: Sequence[str], timeout: timedelta | None) -> list[RunEnd]:
        """Wait until all of the runs have ended, and return their ends. See ``wait``."""
        until = _until(timeout)
        ends = _Ends(run_ids)
        if not self._is_connected:
            ends.take(await self._looks.alook(run_ids))
        with self._waiting(ends.left) as (waits, needs_look):
            if needs_look:
                with contextlib.suppress(ServerUnavailableError):
                    ends.take(await self._looks.alook([*waits]))
            for run_id in ends.left:
                try:
                    async with asyncio.timeout(_left(until)):
                        ends.ended(run_id, await asyncio.wrap_future(waits[run_id]))
                except TimeoutError:
                    raise _late(run_id, timeout, await self._looks.alook([run_id])) from None
        return ends.all()

    @contextlib.contextmanager
    def _waiting(self, run_ids: Sequence[str]) -> Generator[tuple[Waits, bool]]:
        """Register waits. The thread looks at their runs when it connects; the caller must, if it has connected."""
        waits: Waits = {run_id: Future() for run_id in run_ids}
        try:
            yield waits, bool(waits) and self._register(waits)
        finally:
            self._unregister(waits)

    def _register(self, waits: Waits) -> bool:
        if self._pid != os.getpid():  # a forked child has its parent's waits and not its thread
            self._begin()
        with self._lock:
            for run_id, future in waits.items():
                self._waits.setdefault(run_id, []).append(future)
            if self._listener is None:
                self._listener = threading.Thread(target=self._listen, name="taskflow-ends", daemon=True)
                self._listener.start()
            return self._is_connected

    def _unregister(self, waits: Waits) -> None:
        with self._lock:
            for run_id, future in waits.items():
                futures = self._waits.get(run_id, [])
                if future in futures:
                    futures.remove(future)
                if not futures:
                    self._waits.pop(run_id, None)
            if not self._waits:
                self._idle_since = time.monotonic()

    def _listen(self) -> None:
        pauses = Pauses()
        while self._goes_on():
            try:
                with self._connection.streaming(event_stream(f"{PREFIX}/run-ends")) as lines:
                    for event in events(lines):
                        pauses.connected()
                        self._take(event)
                        if not self._goes_on():
                            return
            except ConnectionError:
                pass  # also one of a look: the next connection looks at all
            except TaskflowError as refused:
                self._end()
                self._fail(refused)
                return
            except Exception:
                if self._is_closed:
                    return
                log.exception("client.ends: the stream of ends failed; it is opened again")
            with self._lock:
                self._is_connected = False
            time.sleep(pauses.seconds())

    def _take(self, event: ServerEvent) -> None:
        """Take one event: the begin of the stream, or ids of runs that have ended. Look at all now and then."""
        if event.kind == "ready":
            with self._lock:
                self._is_connected = True
        is_long_ago = time.monotonic() - self._looked_at > _LOOK_AGAIN_SECONDS
        with self._lock:
            waited = set(self._waits)
        if event.kind == "ready" or is_long_ago:
            self._looked_at = time.monotonic()
        elif event.kind == "ends":
            waited &= set(cast("list[str]", from_json(event.data)))
        else:
            return
        if waited:
            self._deliver(waited, self._looks.look([*waited]))

    def _deliver(self, run_ids: Iterable[str], found: Found) -> None:
        for run_id in run_ids:
            end = found.get(run_id)
            if isinstance(end, RunStatus):
                continue
            with self._lock:
                futures = [*self._waits.get(run_id, ())]
            for future in futures:
                with contextlib.suppress(InvalidStateError):  # its coroutine was canceled, or it was delivered before
                    future.set_exception(RunNotFoundError(run_id)) if end is None else future.set_result(end)

    def _fail(self, error: TaskflowError) -> None:
        with self._lock:
            futures = [future for waits in self._waits.values() for future in waits]
        for future in futures:
            with contextlib.suppress(InvalidStateError):
                future.set_exception(error)

    def _goes_on(self) -> bool:
        with self._lock:
            is_idle = not self._waits and time.monotonic() - self._idle_since > _IDLE_SECONDS
            if self._is_closed or is_idle:
                self._listener, self._is_connected = None, False
            return self._listener is not None

    def _end(self) -> None:
        with self._lock:
            self._listener, self._is_connected = None, False


class _Ends:
    """The ends of the runs of one call, as far as they are known."""

    def __init__(self, run_ids: Sequence[str]) -> None:
        self._run_ids = run_ids
        self._ends: dict[str, RunEnd] = {}

    @property
    def left(self) -> list[str]:
        """The runs whose end is not known, each once."""
        return [run_id for run_id in dict.fromkeys(self._run_ids) if run_id not in self._ends]

    def take(self, found: Found) -> None:
        """Take what a look has found.

        Raises:
            RunNotFoundError: The server does not know a run.
        """
        for run_id in self.left:
            if run_id not in found:
                raise RunNotFoundError(run_id)
            end = found[run_id]
            if not isinstance(end, RunStatus):
                self._ends[run_id] = end

    def ended(self, run_id: str, end: RunEnd) -> None:
        """Take the end of one run."""
        self._ends[run_id] = end

    def all(self) -> list[RunEnd]:
        """Return the ends in the order of the call."""
        return [self._ends[run_id] for run_id in self._run_ids]


def _until(timeout: timedelta | None) -> float | None:
    return None if timeout is None else time.monotonic() + timeout.total_seconds()


def _left(until: float | None) -> float | None:
    return None if until is None else max(0.0, until - time.monotonic())


def _late(run_id: str, timeout: timedelta | None, found: Found) -> ResultTimeoutError:
    status = found.get(run_id, RunStatus.EXECUTING)
    return ResultTimeoutError(run_id, timeout or timedelta(0), status if isinstance(status, RunStatus) else status[0])
