"""The engine behind webhooks: endpoints of tasks, accepted deliveries, and the verbs of deliveries."""

import asyncio
import re
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Final

from taskflow.definition.calls.trigger_options import TriggerOptions
from taskflow.definition.task_definition import TaskDefinition
from taskflow.definition.webhooks.deliveries import Delivery, DeliveryPage, WebhookEndpoint
from taskflow.definition.webhooks.request import Reply, WebhookRequest
from taskflow.definition.webhooks.source import VerifiedDelivery
from taskflow.engine.declarations import Declarations
from taskflow.engine.loops import Loop
from taskflow.engine.new_run import Planner
from taskflow.engine.round_trips import Blocking, Steps, adrive, drive
from taskflow.engine.runs import RunEngine
from taskflow.errors import DeliveryNotFoundError, DeliveryQueryError, WebhookBodyError
from taskflow.models import Run
from taskflow.seams.engine import Triggered
from taskflow.seams.server_secret import ServerSecret
from taskflow.seams.webhooks import DeliveryQuery, endpoint_id, endpoint_path
from taskflow.settings import Settings
from taskflow.store.async_store import AsyncStore
from taskflow.store.operations.making import NewRun
from taskflow.store.operations.operation import Operation
from taskflow.store.operations.webhooks import deliveries
from taskflow.store.operations.webhooks.deliveries import Accepted, NewDelivery
from taskflow.store.pipeline import Pipeline
from taskflow.store.sync_store import Store
from taskflow.store.wire import derived_run_id, new_delivery_id, new_run_id, shard_of_delivery, shard_of_queue

_NO_LIMIT: Final = 1 << 40
_CURSOR: Final = re.compile(r"[0-9]{1,20}:delivery_[0-9a-f]+")
_OPTIONS: Final = TriggerOptions()


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """The settings that webhooks need, and the servers' secret, from which their addresses follow."""

    settings: Settings
    secret: ServerSecret

    def secrets_of(self, task_id: str) -> tuple[str, ...]:
        """Return the secrets that the settings have for a task."""
        given = self.settings.webhook_secrets.get(task_id, ())
        return tuple(each.get_secret_value() for each in (given if isinstance(given, tuple) else (given,)))


class WebhookEngine:
    """Deliveries of webhooks. Each is on the shard of its task's queue, so that one script writes it with its run."""

    def __init__(
        self,
        planner: Planner,
        store: Store,
        loop: Callable[[], Loop],
        declarations: Declarations,
        runs: RunEngine,
        configured: WebhookSettings,
    ) -> None:
        # The endpoint has limited the body already.
        self._planner = replace(planner, payload_limit=_NO_LIMIT)
        self._store, self._loop, self._runs = store, loop, runs
        self._declarations, self._configured = declarations, configured
        self._endpoints: dict[str, str] = {}
        self._pipelines: weakref.WeakKeyDictionary[AsyncStore, Pipeline] = weakref.WeakKeyDictionary()

    def secrets_of(self, task: TaskDefinition) -> tuple[str, ...]:
        """Return the secrets of a webhook task that are valid now."""
        assert task.webhook is not None
        return task.webhook.source.secrets(self._configured.secrets_of(task.id))

    def endpoints(self) -> list[WebhookEndpoint]:
        """Return the endpoints of all webhook tasks of this process, by task."""
        return [self._endpoint(task) for task in sorted(self._tasks(), key=lambda each: each.id)]

    def task_at(self, endpoint: str) -> TaskDefinition | None:
        """Return the webhook task of an endpoint's id, None if there is none."""
        task_id = self._endpoints.get(endpoint)
        if task_id is None and len(self._endpoints) != len(self._tasks()):  # tasks have been declared since
            self._endpoints = {self._id(task): task.id for task in self._tasks()}
            task_id = self._endpoints.get(endpoint)
        if task_id is None or task_id not in self._planner.registry:
            return None
        task = self._planner.registry.get(task_id)
        return task if task.webhook else None

    def warm(self) -> list[tuple[Operation[int], int]]:
        """Return the declarations of all webhook tasks, so that the first delivery is one round trip, too."""
        found: list[tuple[Operation[int], int]] = []
        for task in self._tasks():
            shard = self._shard(task)
            needed = self._declarations.needed(task.id, shard, self._store.missing_templates)
            found += [(needed, shard)] if needed else []
        return found

    async def awarm(self) -> None:
        """Connect to the store and declare the webhook tasks there, as before their first trigger."""
        store = self._loop().store
        for operation, shard in self.warm():
            await store.run(operation, shard=shard)
        for task in self._tasks():
            self._declarations.made(task.id, self._shard(task), store.missing_templates)

    async def aaccept(
        self, task: TaskDefinition, delivery: VerifiedDelivery, body: bytes, received_at: datetime
    ) -> Accepted:
        """Keep a delivery and make its run, in one round trip, which deliveries that come meanwhile share.

        One that came before makes no run.

        Raises:
            PayloadError: The body does not fit the task. Nothing was written.
            StoreUnavailableError: The store did not answer.
        """
        store = self._loop().store
        run = self._planner.plan(task, _event(delivery, received_at), _OPTIONS)
        shard = self._planner.shard(run)
        await adrive(store, self._prepare(run, shard, store.missing_templates))
        new = self._new(task, delivery, body, shard)
        run.origin = f"delivery {new.id}"
        accepted = await self._pipeline(store).submit(deliveries.accept_delivery(new, run), shard)
        if run.large and accepted.run_id != run.id:
            await asyncio.to_thread(self._planner.large_values.discard, run.large)
        return accepted

    async def afilter(self, task: TaskDefinition, delivery: VerifiedDelivery, body: bytes) -> None:
        """Keep the record of a delivery that the task's filter leaves out."""
        shard = self._shard(task)
        new = self._new(task, delivery, body, shard)
        await self._pipeline(self._loop().store).submit(deliveries.keep_delivery(new), shard)

    def retrieve(self, delivery_id: str) -> Delivery:
        """Return the record of a delivery."""
        return drive(self._store, self._retrieve(delivery_id))

    async def aretrieve(self, delivery_id: str) -> Delivery:
        """Return the record of a delivery."""
        return await adrive(self._loop().store, self._retrieve(delivery_id))

    def list(self, query: DeliveryQuery) -> DeliveryPage:
        """Return a page of deliveries, newest first."""
        return drive(self._store, self._list(query))

    async def alist(self, query: DeliveryQuery) -> DeliveryPage:
        """Return a page of deliveries, newest first."""
        return await adrive(self._loop().store, self._list(query))

    def replay(self, delivery_id: str) -> str:
        """Make another run of a delivery and return its id."""
        return drive(self._store, self._replay(delivery_id, self._store.missing_templates))

    async def areplay(self, delivery_id: str, *, seed: str | None = None) -> str:
        """Make another run of a delivery and return its id.

        Args:
            seed: Text from which the run's id follows, so that a repeated call makes no second run.
        """
        store = self._loop().store
        return await adrive(store, self._replay(delivery_id, store.missing_templates, seed))

    def _tasks(self) -> Sequence[TaskDefinition]:
        return [task for task in self._planner.registry if task.webhook]

    def _id(self, task: TaskDefinition) -> str:
        return endpoint_id(self._configured.secret.key("webhook-urls"), task.id)

    def _endpoint(self, task: TaskDefinition) -> WebhookEndpoint:
        assert task.webhook is not None
        path, base = endpoint_path(self._id(task)), self._configured.settings.public_url
        source = task.webhook.source
        try:
            usable = source.usable(self.secrets_of(task))
        except Exception:  # noqa: BLE001 - a function of the user reads them
            usable = None
        return WebhookEndpoint(task.id, source.name, path, base and base + path, task.webhook.events, usable)

    def _shard(self, task: TaskDefinition) -> int:
        return shard_of_queue(task.queue_name, self._planner.shards)

    def _new(self, task: TaskDefinition, delivery: VerifiedDelivery, body: bytes, shard: int) -> NewDelivery:
        assert task.webhook is not None
        settings = self._configured.settings
        return NewDelivery(
            id=new_delivery_id(shard),
            task_id=task.id,
            source=task.webhook.source.name,
            event_type=delivery.event_type,
            sender_id=delivery.id,
            headers=delivery.headers,
            body=body,
            is_body_kept=not self._planner.large_values.is_large(body),
            dedupe=settings.webhook_dedupe,
            kept=settings.webhook_retention,
        )

    def _pipeline(self, store: AsyncStore) -> Pipeline:
        """Return the pipeline of an event loop's store."""
        known = self._pipelines.get(store)
        if known is None:
            known = self._pipelines[store] = Pipeline(store, repeats=False)
        return known

    def _prepare(self, run: NewRun, shard: int, missing: set[str]) -> Steps[None]:
        if run.large:
            yield Blocking(partial(self._planner.large_values.write, run.large))
        declaration = self._declarations.needed(run.task_id, shard, missing)
        if declaration:
            yield declaration, shard
            self._declarations.made(run.task_id, shard, missing)

    def _retrieve(self, delivery_id: str) -> Steps[Delivery]:
        delivery: Delivery = yield deliveries.read_delivery(delivery_id), self._shard_of(delivery_id)
        return delivery

    def _replay(self, delivery_id: str, missing: set[str], seed: str | None = None) -> Steps[str]:
        shard = self._shard_of(delivery_id)
        delivery = yield from self._retrieve(delivery_id)
        task = self._planner.registry.get(delivery.task_id)
        if delivery.body is None:
            event = yield from self._event_of_run(delivery)
        else:
            event = _event(_read_again(task, delivery), delivery.received_at)
        if self._shard(task) != shard:  # its queue is another one since, so one script cannot write both
            triggered: Triggered = yield Blocking(partial(self._runs.trigger, task, event, _OPTIONS, seed=seed))
            return triggered.run_id
        new_id = derived_run_id(shard, seed) if seed else new_run_id(shard)
        run = self._planner.plan(task, event, _OPTIONS, new_id, replay_of=delivery.run_id)
        run.origin = run.origin or f"delivery {delivery_id}"
        yield from self._prepare(run, shard, missing)
        run_id: str = yield deliveries.replay_delivery(delivery_id, run), shard
        return run_id

    def _event_of_run(self, delivery: Delivery) -> Steps[object]:
        """Return the event from the delivery's run, because the body was too large for the record."""
        if delivery.run_id is None:
            reason = f"delivery {delivery.id} was left out by the filter, so its body was not kept"
            raise WebhookBodyError(reason, remedy="Have the sender send it again, with `events` that let it through.")
        run: Run = yield Blocking(partial(self._runs.retrieve, delivery.run_id))
        return run.payload

    def _list(self, query: DeliveryQuery) -> Steps[DeliveryPage]:
        if query.cursor is not None and not _CURSOR.fullmatch(query.cursor):
            raise DeliveryQueryError("cursor", query.cursor, "Pass the cursor of a page, or leave it out.")
        found: list[tuple[int, Delivery]] = []
        for shard in range(self._planner.shards):
            found += yield from self._list_shard(query, shard)
        found.sort(key=lambda each: (each[0], each[1].id), reverse=True)
        page = found[: query.limit]
        cursor = f"{page[-1][0]}:{page[-1][1].id}" if len(found) > len(page) else None
        return DeliveryPage(tuple(delivery for _, delivery in page), cursor)

    def _list_shard(self, query: DeliveryQuery, shard: int) -> Steps[Sequence[tuple[int, Delivery]]]:
        found: list[tuple[int, Delivery]] = []
        cursor = query.cursor or deliveries.FIRST
        while len(found) <= query.limit:  # one more than the page holds means that there is another page
            wanted = deliveries.list_deliveries(cursor, query.limit + 1 - len(found), query.status, query.task_id)
            cursor, more = yield wanted, shard
            found += more
            if cursor == deliveries.FIRST:
                break
        return found

    def _shard_of(self, delivery_id: str) -> int:
        shard = shard_of_delivery(delivery_id)
        if shard is None or shard >= self._planner.shards:
            raise DeliveryNotFoundError(delivery_id)
        return shard


def _event(delivery: VerifiedDelivery, received_at: datetime) -> dict[str, object]:
    return {
        "body": delivery.body,
        "headers": delivery.headers,
        "event_type": delivery.event_type,
        "delivery_id": delivery.id,
        "received_at": received_at.astimezone(UTC),
    }


def _read_again(task: TaskDefinition, delivery: Delivery) -> VerifiedDelivery:
    """Return what a kept delivery says, read as the task's source reads it now."""
    body = (delivery.body or "").encode()
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in delivery.headers.items()]
    request = WebhookRequest("POST", "", headers, body)
    found = task.webhook.source.read(request, ()) if task.webhook else Reply(b"", "")
    if isinstance(found, Reply):
        raise WebhookBodyError(
            f"task {task.id!r} is no webhook task any more, or takes delivery {delivery.id} differently"
        )
    return replace(found, id=delivery.delivery_id, event_types=(delivery.event_type,), headers=dict(delivery.headers))
