"""A topic of live updates: what a page can follow, and the messages that it gets."""

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from taskflow.engine.engine import Engine
from taskflow.server.realtime.event_stream import frame


@dataclass(frozen=True, slots=True)
class Follower:
    """One follower of a topic. ``argument``: the text behind the topic's name, ``runs:<argument>``."""

    engine: Engine
    argument: str


@dataclass(frozen=True, slots=True)
class Message:
    """A message to the page.

    Attributes:
        parts: ``<hx-partial>`` elements, which htmx puts into the page; "" for none.
        event: The name of an event, for ``hx-trigger="changed from:#live"``; "" for parts.
    """

    parts: str = ""
    event: str = ""

    def frame(self) -> bytes:
        """Return the message as a server-sent event."""
        return frame(self.parts, event=self.event or None)


CHANGED: Final = Message(event="changed")
"""Something has changed: parts of the page with this trigger load again."""
END: Final = Message(event="end")
"""Nothing will change any more."""
Messages: TypeAlias = AsyncGenerator[Message]


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic by its name. ``follow`` yields messages until its follower goes."""

    name: str
    follow: Callable[[Follower], Messages]
