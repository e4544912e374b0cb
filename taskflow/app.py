"""The composition root: joins settings, store, broker and definitions into one ``TaskFlow``."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

from taskflow import guard_of_tests
from taskflow.broker.canvas import Canvas
from taskflow.broker.celery_app import Celery, become_default, eager_mode, make_celery
from taskflow.broker.messages import ticket_template
from taskflow.broker.publishing import KombuPublisher
from taskflow.broker.queues import shared_queue
from taskflow.broker.replies import REPLIES, Replies
from taskflow.broker.result_backend import RECORDS
from taskflow.broker.same_server import is_same_server
from taskflow.definition.cron.zones import data_version
from taskflow.definition.machine import MachineSpec, presets_with
from taskflow.definition.registry import Registry, declared
from taskflow.definition.task_modules import import_task_modules
from taskflow.embedded import ensure_store, stop_store
from taskflow.engine.celery_records import RunRecords
from taskflow.engine.engine import Engine, Listeners
from taskflow.engine.known_tasks import KnownTasks
from taskflow.engine.lookup import Lookup
from taskflow.engine.new_run import Planner
from taskflow.engine.reasons.reason import Heartbeats
from taskflow.engine.schedules.sync import ScheduleSync
from taskflow.engine.schedules.upkeep import ScheduleUpkeep
from taskflow.engine.webhooks.engine import WebhookSettings
from taskflow.errors import NotOverHttpError
from taskflow.execution.final_hooks import has_final_hooks
from taskflow.objects.large_values import LargeValues
from taskflow.seams.current_application import CURRENT
from taskflow.seams.journal_keys import NOWHERE, in_scope
from taskflow.seams.server_secret import ServerSecret
from taskflow.seams.token_links import TokenLinks
from taskflow.seams.transactions import TRANSACTIONS
from taskflow.settings import Settings
from taskflow.settings_sources import this_project
from taskflow.store import operations
from taskflow.store.async_store import AsyncStore
from taskflow.store.operations.streams import StreamLimits
from taskflow.store.sync_store import Store
from taskflow.store.wire import StoreConfig, shard_of_queue
from taskflow.upkeep.bulk_actions import BulkThread
from taskflow.upkeep.feed_process import feed_processes
from taskflow.upkeep.loop import UpkeepThread
from taskflow.upkeep.objects import GRACE, ObjectSweep, ObjectThread
from taskflow.upkeep.outbox import OutboxThread
from taskflow.upkeep.passes import Upkeep
from taskflow.worker.attempt.runtime import ATTRIBUTE, Runtime
from taskflow.worker.bootsteps import install
from taskflow.worker.celery_tasks import register_tasks, registered_tasks
from taskflow.worker.node.version import code_version
from taskflow.worker.repeating_thread import RepeatingThread
from taskflow.worker.tickets.adopted_runs import AdoptedRuns

log = logging.getLogger("taskflow.trigger")

HISTORY_HOLD: Final = timedelta(days=30)
"""Time for which the store keeps a finished run that is not in the history yet. Others leave after the retention."""


class TaskFlow:
    """One environment's store, broker and tasks.

    Args:
        settings: Default: read from ``TASKFLOW_*``.
        tasks: Modules that declare tasks, imported at once, in addition to ``settings.tasks``. A module named
            ``init`` next to the first one is imported before them.
        registry: The declared tasks. Default: those of the process.

    Raises:
        SettingsError: A setting is wrong, or a task module can't be found.
        EmbeddedStoreError: No store is configured and none could be started.
        NotOverHttpError: TASKFLOW_API_URL is set: verbs go to a server without an app.
    """

    def __init__(
        self, settings: Settings | None = None, *, tasks: Sequence[str] = (), registry: Registry = declared
    ) -> None:
        self.settings = settings or Settings.read()
        if self.settings.api_url:
            raise NotOverHttpError("TaskFlow", self.settings.api_url)
        self.registry = registry
        import_task_modules(dict.fromkeys((*tasks, *self.settings.tasks)))
        self.store_url = self.settings.redis_url or self._embedded_url()
        self.broker_url = self.settings.broker_url or self.store_url
        self.presets: Mapping[str, MachineSpec] = presets_with(self.settings.machines)
        self.celery: Celery = self._make_celery()
        self.publisher = KombuPublisher(self.celery, timeout=self.settings.connect_timeout)
        self.store = self._make_store()
        known = KnownTasks(registry, self.settings.pending_version_timeout)
        folder = str(self.settings.home.absolute() / "objects")
        self.large_values = LargeValues(
            self.settings.object_store or folder, self.settings.environment, self.settings.inline_limit
        )
        limit = self.settings.payload_limit
        self.planner = Planner(
            registry, self.presets, self.settings.shards, limit, known, self.large_values, eager_mode(self.celery)
        )
        self.planner.limits()  # raises if declarations contradict each other
        self.lookup = Lookup(self.settings)
        self.server_secret = ServerSecret(self.settings)
        self.engine = Engine(
            self.planner,
            self.store,
            self._async_store,
            self._template,
            self._has_final_hooks,
            self.lookup,
            StreamLimits(self.settings.stream_items, self.settings.stream_bytes),
            self.settings.retention,
            Heartbeats(self.settings.lease, self.settings.heartbeat),
            TokenLinks(self.settings, self.server_secret),
            WebhookSettings(self.settings, self.server_secret),
            self._listeners(),
        )
        records = RunRecords(self.store, self.engine.results, self.lookup, self.large_values)
        setattr(self.celery, RECORDS, records)
        replies = Replies(self.celery, self.settings.celery_result_backend)
        setattr(self.celery, REPLIES, replies)
        self._canvas = Canvas(self.celery, records, replies)
        self._node = self._runtime()
        setattr(self.celery, ATTRIBUTE, self._node)
        register_tasks(self.celery, registry)

    @classmethod
    def current(cls) -> "TaskFlow":
        """Return the app that verbs use, made from settings at the first use.

        Raises:
            NotOverHttpError: Verbs of this process go to a server, because TASKFLOW_API_URL is set.
        """
        with CURRENT.lock:
            current = CURRENT.application = CURRENT.application or TaskFlow()
        if not isinstance(current, TaskFlow):
            raise NotOverHttpError("TaskFlow.current", getattr(current, "url", ""))
        return current

    def set_default(self) -> Self:
        """Make this the app that verbs use, and its Celery app the default one if the process has no other."""
        become_default(self.celery)
        with CURRENT.lock:
            CURRENT.application = self
        return self

    def __enter__(self) -> Self:
        self._replaced = CURRENT.application
        return self.set_default()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        CURRENT.application = self._replaced

    @property
    def is_one_server(self) -> bool:
        """Whether store and broker are one Redis database, so that scripts push tickets themselves."""
        return is_same_server(self.store_url, self.broker_url)

    def close(self) -> None:
        """Close every connection. The app can't be used afterwards."""
        self.engine.close()
        self.store.close()
        self.publisher.close()

    def stop_embedded_store(self) -> bool:
        """Stop the project's embedded store; its data stays. Returns False when another server is configured.

        Otherwise the store outlives every process of the project, so that they share it.
        """
        self.close()
        return self.settings.redis_url is None and stop_store(self.settings.home)

    def _embedded_url(self) -> str:
        if guard_of_tests.is_on():  # an app that a test imports; its first verb is refused
            return f"unix://{quote(str(self.settings.home))}/store.sock"
        project = this_project()
        if project.marker is None and project.home == self.settings.home:
            log.warning(
                "store.unmarked: the folder %s belongs to no project (no pyproject.toml, .taskflow or .git here or "
                "above), so it gets an embedded store of its own. A worker that is started elsewhere does not see what "
                "is triggered here. Set TASKFLOW_HOME, or TASKFLOW_REDIS_URL, for both.",
                project.folder,
            )
        return ensure_store(self.settings.home).url

    def _make_celery(self) -> Celery:
        celery = make_celery(
            self.broker_url,
            environment=self.settings.environment,
            route=self._route,
            connect_timeout=self.settings.connect_timeout,
        )
        install(celery)
        return celery

    def _route(self, task_id: str) -> str | None:
        if task_id not in self.registry:
            return None
        task = self.registry.get(task_id)
        return shared_queue(self.settings.environment, task.machine.name, task.executor)

    def _store_config(self) -> StoreConfig:
        return StoreConfig(
            url=self.store_url,
            environment=self.settings.environment,
            shards=self.settings.shards,
            timeout=self.settings.connect_timeout,
            reservation_timeout=self.settings.reservation_timeout,
            retention=self.settings.retention if self.settings.database_url == "none" else HISTORY_HOLD,
            max_lost=self.settings.max_lost,
            push_prefix="" if self.is_one_server else None,
            replicas=self.settings.store_replicas,
        )

    def _make_store(self) -> Store:
        return Store(self._store_config(), self.publisher, self._on_ended)

    def _listeners(self) -> Listeners:
        return Listeners()

    def _async_store(self) -> AsyncStore:
        return AsyncStore(self._store_config(), self.publisher, self._on_ended, partial(in_scope, NOWHERE))

    def _on_ended(self, run_ids: Sequence[str]) -> None:
        """Perform the canvas of runs that this node ended. For others a node's upkeep does it, within milliseconds."""
        node = self._node.node
        if node.is_child:
            self._canvas.perform(run_ids)  # before the child gets another run, or ends
        elif node.id:
            self._canvas.perform_soon(run_ids)

    def _template(self, task_id: str) -> str:
        return ticket_template(self.celery, task_id)

    def _has_final_hooks(self, task_id: str) -> bool:
        return has_final_hooks(self.registry.get(task_id))

    def _runtime(self) -> Runtime:
        return Runtime(
            settings=self.settings,
            store=self.store,
            large_values=self.large_values,
            make_async_store=self._async_store,
            registry=self.registry,
            presets=self.presets,
            adopt=AdoptedRuns(self.planner, self.store).make,
            canvas=self._canvas,
            services=self._services,
            declare=self._declare,
            version=self._version,
            description=self._description,
        )

    def _version(self) -> str | None:
        return code_version(self.settings.version, (task.source_file for task in self.registry))

    def _services(self, node_id: str) -> list[RepeatingThread]:
        # A history in a file may be one of several: a run that is missing here may be in another host's.
        is_only_one = (self.settings.database_url or "sqlite").startswith(("none", "postgres"))
        grace = GRACE if is_only_one else max(GRACE, self.settings.history_retention)
        sweep = ObjectSweep(self.store, self.large_values, self.lookup, grace)
        bulk = BulkThread(self.engine.bulk_actions)
        return [
            bulk,
            *self._upkeep(node_id, bulk),
            *feed_processes(self.store, self.settings, node_id),
            ObjectThread(sweep, self.store, node_id),
            *([OutboxThread(self.engine.outbox.make, self.store, node_id)] if TRANSACTIONS.sweep is not None else []),
        ]

    def _upkeep(self, node_id: str, bulk: BulkThread) -> list[UpkeepThread]:
        return [UpkeepThread(passes, node_id) for passes in self._passes(bulk.wake)]

    def _passes(self, take_over: Callable[[], None]) -> list[Upkeep]:
        """Return the passes of upkeep of each shard."""
        length = None if self.is_one_server else self.publisher.queue_length
        settings = self.settings
        schedules = ScheduleUpkeep(
            self.store, self.engine.firing, self._schedule_sync(), has_history=settings.database_url != "none"
        )
        return [
            Upkeep(
                self.store,
                shard,
                settings.lease,
                settings.heartbeat,
                length,
                self._canvas.perform_left,
                schedules,
                take_over=None if shard else take_over,
            )
            for shard in range(settings.shards)
        ]

    def _declare(self) -> None:
        """Write the template of every task that can be served, and every queue's limit, as a starting worker does."""
        tasks = self._node.tasks.definitions()
        templates = {task.id: self._template(task.id) for task in tasks}
        limits = self.planner.limits()
        registered = registered_tasks(tasks, self._version())
        hooks = {task.id: has_final_hooks(task) for task in tasks}
        for shard in range(self.settings.shards):
            here = {
                queue: limit for queue, limit in limits.items() if shard_of_queue(queue, self.settings.shards) == shard
            }
            limit = self.settings.concurrency_limit
            declaration = operations.making.declare(
                templates,
                here,
                by_worker=True,
                final_hooks=hooks,
                environment_limit=None if limit is None else _share(limit, shard, self.settings.shards),
                burst_factor=self.settings.burst_factor,
                registrations=registered.tasks,
                schemas=registered.schemas,
                details=registered.details,
            )
            self.store.run(declaration, shard=shard)
        schedules = self._schedule_sync()
        for shard in range(self.settings.shards):
            schedules.sync(shard)

    def _schedule_sync(self) -> ScheduleSync:
        return ScheduleSync(self.store, self.registry, self._version(), self.settings.shards)

    def _description(self) -> Mapping[str, object]:
        """Return what other nodes must know of this one's code to tell which declared schedules are gone."""
        schedules = self._schedule_sync()
        return {"schedules": schedules.stamp, "modules": schedules.modules, "zones": data_version()}


def _share(limit: int, shard: int, shards: int) -> int:
    """Return a shard's part of the environment's limit, at least 1."""
    return max(1, limit // shards + (shard < limit % shards))
