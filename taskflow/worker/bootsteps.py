"""Where a node hooks into Celery's worker and consumer. Installed by ``install``; does nothing outside a worker."""

import logging
from typing import Any

from celery import Celery, bootsteps, signals
from celery.worker import state

from taskflow.broker.celery_app import prepare_worker
from taskflow.broker.queues import parse_queue
from taskflow.broker.redis_transport import set_free_slots
from taskflow.worker.async_pool import AsyncPool
from taskflow.worker.child_start import bind_children
from taskflow.worker.children_executor import ChildrenExecutor
from taskflow.worker.coroutines import CoroutineExecutor, LoopWatch
from taskflow.worker.foreign_tickets import give_back_foreign_tickets
from taskflow.worker.held_tickets import HeldTickets
from taskflow.worker.node import Node
from taskflow.worker.runtime import runtime_of

log = logging.getLogger("taskflow.node")


def install(app: Celery) -> None:
    """Add the node's steps to a Celery app."""
    app.steps["worker"].add(NodeStep)
    app.steps["consumer"].add(IntakeStep)


class NodeStep(bootsteps.StartStopStep):
    """Registers the node after its pool has started, and ends its lease after the pool has ended."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        self._runtime = runtime_of(worker.app)
        self._node: Node | None = None
        self._watch: LoopWatch | None = None
        self._children: ChildrenExecutor | None = None
        prepare_worker(worker.app)
        bind_children()
        self._runtime.node.name = str(worker.hostname)
        self._runtime.node.version = self._runtime.version() or ""
        self._runtime.node.renew()  # before the pool forks: children claim under it

    def start(self, parent: Any) -> None:
        """Take the node's lease."""
        queues = [str(name) for name in parent.app.amqp.queues.consume_from]
        executor: CoroutineExecutor | ChildrenExecutor
        if isinstance(parent.pool, AsyncPool):
            executor = CoroutineExecutor(parent.pool.runs)
            self._watch = LoopWatch(parent.pool.runs)
            self._watch.start()
        else:
            self._children = executor = ChildrenExecutor(self._runtime, parent.pool, self._memory(queues))
            executor.start()
        self._node = Node(self._runtime, queues, int(parent.pool.num_processes), executor)
        self._node.start()
        signals.worker_shutting_down.connect(self._drain, weak=False)
        signals.worker_shutdown.connect(self._leave, weak=False)

    def stop(self, parent: Any) -> None:
        """The pool is about to stop: a signal has drained the node before, ``celery control shutdown`` has not."""
        self._drain()

    def register_with_event_loop(self, worker: Any, hub: Any) -> None:
        """Celery's loop starts, at first or after a reconnect."""
        if self._children:
            self._children.register(hub)

    def _memory(self, queues: list[str]) -> int | None:
        """Return how many bytes a run may use here: those of the machine, when all queues are of one."""
        machines = {parse_queue(name).machine for name in queues}
        specs = [self._runtime.presets[name] for name in machines if name in self._runtime.presets]
        return specs[0].memory_bytes if len(specs) == 1 else None

    def _drain(self, **_: Any) -> None:
        if self._node:
            self._node.drain()

    def _leave(self, **_: Any) -> None:
        if self._watch:
            self._watch.stop()
        if self._node:
            self._node.leave()
            self._node = None


class IntakeStep(bootsteps.StartStopStep):
    """Bounds what the node takes from the broker to what may start now, anew for each connection."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        parent.held_tickets = HeldTickets(parent, runtime_of(parent.app).settings.ticket_hold)

    def start(self, parent: Any) -> None:
        """Tell the new channel how many slots are free."""
        pool, hub = parent.pool, parent.hub
        give_back_foreign_tickets(parent)
        if parent.app.conf.task_acks_late:
            parent.held_tickets.connect()
        if not isinstance(pool, AsyncPool):
            set_free_slots(parent.task_consumer.channel, lambda: pool.num_processes - len(state.reserved_requests))
            return
        set_free_slots(parent.task_consumer.channel, pool.free_slots)
        pool.events.connect(hub.call_soon, parent.event_dispatcher)

        def wake() -> None:
            if pool.free_slots() <= 1:  # it was full: the hub has stopped taking
                hub.call_soon(_nothing)

        pool.on_free = wake


def _nothing() -> None:
    return None
