"""The engine behind every verb, by subject: runs, queues, tokens, batches, streams, nodes and log lines."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from taskflow.definition.task_definition import TaskDefinition
from taskflow.engine.batches.engine import BatchEngine
from taskflow.engine.declarations import Declarations
from taskflow.engine.journals import JournalEngine
from taskflow.engine.log_lines import RunLogs
from taskflow.engine.lookup import Lookup
from taskflow.engine.loops import Loops
from taskflow.engine.new_run import Planner
from taskflow.engine.nodes import NodeEngine
from taskflow.engine.queues import QueueEngine
from taskflow.engine.reasons.reason import Heartbeats
from taskflow.engine.results import ResultListener
from taskflow.engine.runs import RunEngine
from taskflow.engine.streams import StreamEngine
from taskflow.engine.subscriptions import EventListener
from taskflow.engine.tokens import TokenEngine
from taskflow.objects.address import is_address
from taskflow.store.async_store import AsyncStore
from taskflow.store.operations.streams import StreamLimits
from taskflow.store.sync_store import Store


class Engine:
    """Every verb is a method of one of its parts, with an async twin. Payloads and outputs are JSON.

    Attributes:
        results: The process's one listener for runs that end.
    """

    def __init__(
        self,
        planner: Planner,
        store: Store,
        make_async_store: Callable[[], AsyncStore],
        template: Callable[[str], str],
        has_final_hooks: Callable[[str], bool],
        lookup: Lookup,
        stream_limits: StreamLimits,
        retention: timedelta,
        heartbeats: Heartbeats,
    ) -> None:
        loop = Loops(make_async_store).current
        declarations = Declarations(template, has_final_hooks, planner.known)
        self._planner, self._events = planner, EventListener(store)
        self.results = ResultListener(store)
        self.runs = RunEngine(planner, store, loop, self.results, self._events, declarations, lookup, heartbeats)
        self.journals = JournalEngine(self.runs.many, lookup, store, loop, planner.shards)
        self.queues = QueueEngine(store, loop)
        self.tokens = TokenEngine(store, loop, retention, planner.payload_limit)
        self.batches = BatchEngine(planner, store, self.results, loop, declarations, lookup)
        self.streams = StreamEngine(store, loop, stream_limits)
        self.nodes = NodeEngine(store)
        self.logs = RunLogs(store, lookup)

    def find_task(self, task_id: str) -> TaskDefinition:
        """Return the definition of a task; a stand-in for a task that is not declared in this process."""
        return self._planner.known.task(task_id)

    def load_value(self, stored: bytes) -> bytes:
        """Return the JSON of a stored value, large or not."""
        return self._planner.large_values.load(stored)

    async def aload_value(self, stored: bytes) -> bytes:
        """Return the JSON of a stored value, large or not."""
        return await asyncio.to_thread(self.load_value, stored) if is_address(stored) else stored

    def close(self) -> None:
        """End the threads that listen for results, events and items of streams."""
        self.results.close()
        self._events.close()
        self.streams.close()
