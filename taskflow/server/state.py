"""The server's state: its application, its limits, its open streams, and whether it stops."""

import asyncio
import contextlib
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field

from taskflow.app import TaskFlow
from taskflow.engine.serving.api_keys import rate_of
from taskflow.server.problems import Problem
from taskflow.server.remembered import Remembered
from taskflow.server.task_shapes import TaskShape
from taskflow.store.operations.api_keys import Rate


@dataclass(slots=True)
class ServerState:
    """One server process. Handlers find it as ``call.server``.

    Attributes:
        describe: Returns the OpenAPI document with the operations of tasks.
        rate: The requests of a key that has no rate of its own.
        stopping: Set when the process was asked to stop: open streams end then.
        open_streams: How many answers are streams at the moment.
        ready: The states of store, broker and history, for ``/readyz``, which anybody may ask for.
    """

    flow: TaskFlow
    describe: Callable[[Mapping[str, TaskShape]], object]
    rate: Rate | None = None
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    open_streams: int = 0
    ready: Remembered[Sequence[str]] = field(default_factory=lambda: Remembered(1.0))

    @classmethod
    def of(cls, flow: TaskFlow, describe: Callable[[Mapping[str, TaskShape]], object]) -> "ServerState":
        """Return the state of a server that begins."""
        limit = flow.settings.server_rate_limit
        return cls(flow, describe, None if limit == "none" else rate_of(limit))

    @contextlib.contextmanager
    def stream(self) -> Generator[None]:
        """Count an open stream while it is open.

        Raises:
            Problem: There are as many as there may be, or the server stops: 503.
        """
        most = self.flow.settings.server_streams
        if self.stopping.is_set() or self.open_streams >= most:
            why = "The server stops." if self.stopping.is_set() else f"The server has {most:,} open streams already."
            raise Problem(503, "too_many_streams", why, "Connect again later.", headers={"retry-after": "5"})
        self.open_streams += 1
        try:
            yield
        finally:
            self.open_streams -= 1
