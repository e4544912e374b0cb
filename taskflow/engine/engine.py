"""The engine behind every verb, by subject: runs, queues, tokens, batches, streams, webhooks, nodes and others."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from taskflow.definition.task_definition import TaskDefinition
from taskflow.engine.alerts.engine import AlertEngine
from taskflow.engine.batches.engine import BatchEngine
from taskflow.engine.declarations import Declarations
from taskflow.engine.feeds.feed import RunFeed
from taskflow.engine.insights.activity import ActivityEngine
from taskflow.engine.insights.audit import AuditEngine
from taskflow.engine.insights.errors import ErrorEngine
from taskflow.engine.insights.health import HealthEngine
from taskflow.engine.insights.templates import TemplateEngine
from taskflow.engine.journals import JournalEngine
from taskflow.engine.log_lines import RunLogs
from taskflow.engine.lookup import Lookup
from taskflow.engine.loops import Loops
from taskflow.engine.new_run import Planner
from taskflow.engine.nodes import NodeEngine
from taskflow.engine.queues import QueueEngine
from taskflow.engine.reasons.reason import Heartbeats
from taskflow.engine.results import AsyncResultListener, ResultListener
from taskflow.engine.runs import RunEngine
from taskflow.engine.schedules.engine import ScheduleEngine
from taskflow.engine.schedules.firing import Firing
from taskflow.engine.serving.api_keys import ApiKeyEngine
from taskflow.engine.serving.batch_pages import BatchPages
from taskflow.engine.serving.bulk_actions import BulkActions
from taskflow.engine.serving.ends import EndEngine
from taskflow.engine.serving.known_tasks import TaskOverview
from taskflow.engine.serving.open_batches import OpenBatches
from taskflow.engine.serving.outbox import OutboxEngine
from taskflow.engine.serving.packets import PacketEngine
from taskflow.engine.serving.run_changes import RunChanges
from taskflow.engine.serving.run_pages import RunPages
from taskflow.engine.serving.run_reasons import RunReasons
from taskflow.engine.serving.single_use import SingleUses
from taskflow.engine.serving.users import UserEngine
from taskflow.engine.streams import StreamEngine
from taskflow.engine.subscriptions import EventListener
from taskflow.engine.tokens import TokenEngine
from taskflow.engine.trace.documents import Documents
from taskflow.engine.trace.reader import Traces
from taskflow.engine.webhooks.engine import WebhookEngine, WebhookSettings
from taskflow.objects.address import is_address
from taskflow.seams.token_links import TokenLinks
from taskflow.store.async_store import AsyncStore
from taskflow.store.events import Event, entry_id
from taskflow.store.notices import Notices
from taskflow.store.operations.streams import StreamLimits
from taskflow.store.sync_store import Store
from taskflow.store.wire import StoreConfig


@dataclass(frozen=True, slots=True)
class Listeners:
    """Makes what blocking verbs wait with."""

    results: Callable[[Store], ResultListener] = ResultListener
    notices: Callable[[StoreConfig], Notices] = Notices
    async_results: Callable[[AsyncStore], AsyncResultListener] = AsyncResultListener


class Engine:
    """Every verb is a method of one of its parts, with an async twin. Payloads and outputs are JSON.

    Attributes:
        results: The process's one listener for runs that end.
        firing: Fires schedules, for upkeep.
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
        token_links: TokenLinks,
        webhooks: WebhookSettings,
        listeners: Listeners,
    ) -> None:
        self._loops = Loops(make_async_store, listeners.async_results)
        self._loop = loop = self._loops.current
        self._lookup = lookup
        declarations = Declarations(template, has_final_hooks, planner.known)
        self._planner, self._events = planner, EventListener(store)
        self.results = listeners.results(store)
        self.runs = RunEngine(planner, store, loop, self.results, self._events, declarations, lookup, heartbeats)
        self.journals = JournalEngine(self.runs.many, lookup, store, loop, planner.shards)
        self.queues = QueueEngine(store, loop)
        self.tokens = TokenEngine(store, loop, retention, planner.payload_limit, token_links)
        self.batches = BatchEngine(planner, store, self.results, loop, declarations, lookup)
        self.outbox = OutboxEngine(self.runs, self.batches)
        self.streams = StreamEngine(store, loop, stream_limits, listeners.notices(store.config))
        self.webhooks = WebhookEngine(planner, store, loop, declarations, self.runs, webhooks)
        self.nodes = NodeEngine(store, loop)
        self.tasks = TaskOverview(self.nodes, planner.registry)
        self.api_keys = ApiKeyEngine(store, loop)
        self.users = UserEngine(store, loop)
        self.schedules = ScheduleEngine(planner, store, loop, declarations)
        self.firing = Firing(planner, store, declarations)
        self.pages = RunPages(self.runs.many, lookup, loop, planner.shards)
        self.batch_pages = BatchPages(loop, planner.shards)
        self.reasons = RunReasons(loop, planner.shards, heartbeats)
        self.changes = RunChanges(self.runs, loop)
        self.single_uses = SingleUses(loop)
        self.packets = PacketEngine(loop, planner.large_values)
        self.bulk_actions = BulkActions(self.runs.many, store, loop)
        self.open_batches = OpenBatches(planner, self.runs.many, loop, declarations)
        self.activity = ActivityEngine(lookup)
        self.audit = AuditEngine(lookup)
        self.errors = ErrorEngine(lookup, self.audit)
        self.health = HealthEngine(store, lookup)
        self.templates = TemplateEngine(lookup)
        self.alerts = AlertEngine(lookup, lookup.settings)
        self.logs = RunLogs(store, lookup)
        self.traces = Traces(self.runs, store, lookup)
        self.documents = Documents(store, lookup, planner.large_values)
        self.ends = EndEngine(self.runs.many, lookup, planner.large_values, loop)

    def feed(self) -> RunFeed:
        """Return the feed of changes of the running event loop."""
        return self._loop().feed

    async def apast_events(self, run_id: str) -> Sequence[Event]:
        """Return a run's events that the history has, oldest first; none without a history.

        Raises:
            HistoryUnavailableError: The history's database did not answer.
        """
        past = await asyncio.to_thread(lambda: list(self._lookup.events(run_id)))
        return [Event(entry_id(each.position), run_id, each.kind, each.value) for each in past]

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

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        await self._loops.aclose()
