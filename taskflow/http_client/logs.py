"""Log lines of runs over HTTP."""

import asyncio
import time
from collections.abc import AsyncGenerator, Generator

from pydantic_core import from_json

from taskflow.definition.calls.log_line import LogLine
from taskflow.errors import RunNotFoundError, ServerUnavailableError
from taskflow.http_client.transport.api_request import PREFIX, ApiRequest, id_segment
from taskflow.http_client.transport.connection import AsyncConnection, Connection
from taskflow.http_client.transport.refusals import check_event
from taskflow.http_client.transport.server_events import EventLines, Pauses, ServerEvent, event_stream, events
from taskflow.http_client.transport.tries import MOST_TRIES
from taskflow.seams.record_documents import record_of


class HttpLogs:
    """Reads the lines of runs. A lost connection is made again; lines that come again are left out."""

    def __init__(self, connection: Connection, aconnection: AsyncConnection) -> None:
        self._connection, self._aconnection = connection, aconnection

    def lines(self, run_id: str, *, follow: bool = False) -> Generator[LogLine]:
        """Yield a run's lines, oldest first; with ``follow`` also those to come, until the run has ended."""
        reading = _Reading(run_id, follow=follow)
        while not reading.is_over:
            try:
                with self._connection.streaming(reading.request()) as lines:
                    for event in events(lines):
                        if line := reading.line(event):
                            yield line
            except ConnectionError as error:
                reading.failed(error, self._connection.address.url)
            if not reading.is_over:
                time.sleep(reading.pauses.seconds())

    async def alines(self, run_id: str, *, follow: bool = False) -> AsyncGenerator[LogLine]:
        """Yield a run's lines. See ``lines``."""
        reading = _Reading(run_id, follow=follow)
        while not reading.is_over:
            try:
                async with self._aconnection.streaming(reading.request()) as lines:
                    parser = EventLines()
                    async for text in lines:
                        event = parser.event(text)
                        if event and (line := reading.line(event)):
                            yield line
            except ConnectionError as error:
                reading.failed(error, self._aconnection.address.url)
            if not reading.is_over:
                await asyncio.sleep(reading.pauses.seconds())


class _Reading:
    """The state of one read, for both shells. ``is_over``: the server has said that there are no more lines."""

    def __init__(self, run_id: str, *, follow: bool) -> None:
        self._run_id, self._follow = run_id, follow
        self._seen: set[tuple[int, int]] = set()
        self._failures = 0
        self.is_over = False
        self.pauses = Pauses()

    def request(self) -> ApiRequest[None]:
        """Return the request of the next connection."""
        query = {"follow": "true"} if self._follow else {}
        return event_stream(f"{PREFIX}/runs/{id_segment(self._run_id, RunNotFoundError)}/logs", query)

    def line(self, event: ServerEvent) -> LogLine | None:
        """Return the line of an event, None if it brings none."""
        self.pauses.connected()
        self._failures = 0
        check_event(event)
        self.is_over = self.is_over or event.kind == "end"
        line = record_of(LogLine, from_json(event.data)) if event.kind == "line" else None
        if line is None or line.sequence in self._seen:
            return None
        self._seen.add(line.sequence)
        return line

    def failed(self, error: ConnectionError, url: str) -> None:
        """Take a failed connection.

        Raises:
            ServerUnavailableError: It was one of several in a row.
        """
        self._failures += 1
        if self._failures >= MOST_TRIES and not (self._follow and self._seen):
            raise ServerUnavailableError(url, str(error)) from error
