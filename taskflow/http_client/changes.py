"""Follow one run over HTTP: its record as it is, then after every change. A lost connection is made again."""

import asyncio
import time
from collections.abc import AsyncGenerator, Generator

from pydantic_core import from_json

from taskflow.errors import RunNotFoundError, ServerUnavailableError
from taskflow.http_client.transport.api_request import PREFIX, ApiRequest, id_segment
from taskflow.http_client.transport.connection import AsyncConnection, Connection
from taskflow.http_client.transport.refusals import check_event
from taskflow.http_client.transport.server_events import EventLines, Pauses, ServerEvent, event_stream, events
from taskflow.http_client.transport.tries import MOST_TRIES
from taskflow.models import Run
from taskflow.seams.record_documents import run_of


def changes(connection: Connection, run_id: str) -> Generator[Run]:
    """Yield a run as it is now, and after every change until it has ended.

    Raises:
        RunNotFoundError: No such run.
        ServerUnavailableError: The server did not answer at first. Later it is waited for.
    """
    following = _Following(run_id)
    while True:
        try:
            with connection.streaming(following.request()) as lines:
                for event in events(lines):
                    if run := following.run(event):
                        yield run
                        if run.is_finished:
                            return
        except ConnectionError as error:
            following.failed(error, connection.address.url)
        time.sleep(following.pauses.seconds())


async def changes_async(connection: AsyncConnection, run_id: str) -> AsyncGenerator[Run]:
    """Yield a run as it is now, and after every change until it has ended. See ``changes``."""
    following = _Following(run_id)
    while True:
        try:
            async with connection.streaming(following.request()) as lines:
                parser = EventLines()
                async for line in lines:
                    event = parser.event(line)
                    if event and (run := following.run(event)):
                        yield run
                        if run.is_finished:
                            return
        except ConnectionError as error:
            following.failed(error, connection.address.url)
        await asyncio.sleep(following.pauses.seconds())


class _Following:
    """The state of one subscription, for both shells."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._last: Run | None = None
        self._failures = 0
        self.pauses = Pauses()

    def request(self) -> ApiRequest[None]:
        """Return the request of the next connection."""
        return event_stream(f"{PREFIX}/runs/{id_segment(self._run_id, RunNotFoundError)}/changes")

    def run(self, event: ServerEvent) -> Run | None:
        """Return the run of an event, None if it brings nothing new.

        Raises:
            TaskflowError: The server ended the stream with an error.
        """
        self.pauses.connected()
        self._failures = 0
        check_event(event)
        run = run_of(from_json(event.data)) if event.kind == "run" else None
        if run is None or run == self._last:  # each connection begins with the run as it is
            return None
        self._last = run
        return run

    def failed(self, error: ConnectionError, url: str) -> None:
        """Take a failed connection.

        Raises:
            ServerUnavailableError: No connection was made in several tries, and nothing was yielded yet.
        """
        self._failures += 1
        if self._last is None and self._failures >= MOST_TRIES:
            raise ServerUnavailableError(url, str(error)) from error
