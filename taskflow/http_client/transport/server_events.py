"""Answers that go on: server-sent events, read line by line, and the pauses between connections."""

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from taskflow.http_client.transport.api_request import ApiAnswer, ApiRequest

SILENCE_SECONDS: Final = 60.0
"""A stream without a line, comments included, for this long is broken: the server sends a comment every 15 s."""
_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event. A comment, which only says that the connection lives, has the kind "" and no data."""

    kind: str
    data: str = ""


class EventLines:
    """Puts lines together to events. No I/O."""

    def __init__(self) -> None:
        self._kind, self._data = "message", list[str]()

    def event(self, line: str) -> ServerEvent | None:
        """Take one line, and return the event that it ends."""
        if line.startswith(":"):
            return ServerEvent("")
        if not line:
            event = ServerEvent(self._kind, "\n".join(self._data)) if self._data else None
            self._kind, self._data = "message", []
            return event
        name, _, value = line.partition(":")
        if name == "data":
            self._data.append(value.removeprefix(" "))
        elif name == "event":
            self._kind = value.strip()
        return None


def events(lines: Iterable[str]) -> Iterator[ServerEvent]:
    """Yield the events of lines."""
    parser = EventLines()
    for line in lines:
        if event := parser.event(line):
            yield event


class Pauses:
    """The pauses between connections that failed: 0.1 s, doubling up to 5 s, less or more by chance."""

    def __init__(self) -> None:
        self._next = _FIRST_PAUSE_SECONDS

    def connected(self) -> None:
        """Begin anew: the connection brought something."""
        self._next = _FIRST_PAUSE_SECONDS

    def seconds(self) -> float:
        """Return the pause before the next connection."""
        pause, self._next = self._next, min(self._next * 2, _LONGEST_PAUSE_SECONDS)
        return pause * random.uniform(0.8, 1.2)


def event_stream(path: str, query: Mapping[str, str] | None = None) -> ApiRequest[None]:
    """Return the request of a stream of events."""
    return ApiRequest(
        method="GET",
        path=path,
        read=_nothing,
        query=query or {},
        headers={"accept": "text/event-stream"},
        patience=SILENCE_SECONDS,
    )


def _nothing(_: ApiAnswer) -> None:
    return None
