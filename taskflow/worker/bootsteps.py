"""The steps that make Celery's worker and consumer a node. They do nothing outside a worker."""

import logging
from typing import Any

from celery import Celery, bootsteps, signals

from taskflow.broker.celery_app import prepare_worker
from taskflow.broker.queues import parse_queue
from taskflow.broker.redis_transport import set_free_slots
from taskflow.worker.attempt.failure_lines import show_users_frames
from taskflow.worker.attempt.parking import ParkingLine
from taskflow.worker.attempt.receivers import guard_receivers
from taskflow.worker.attempt.runtime import runtime_of
from taskflow.worker.celery_options import check_worker
from taskflow.worker.child.output import bind_output
from taskflow.worker.children.executor import ChildrenExecutor
from taskflow.worker.children.fork_logging import fork_between_lines
from taskflow.worker.children.node_pool import use_node_pool
from taskflow.worker.children.serving import Serving
from taskflow.worker.children.start import bind_children
from taskflow.worker.children.waiting_pool import WaitingPool, waiting_limit
from taskflow.worker.control_commands import answer_limits
from taskflow.worker.coroutines.executor import CoroutineExecutor, LoopWatch
from taskflow.worker.coroutines.pool import AsyncPool
from taskflow.worker.node.collector import spare_what_stays
from taskflow.worker.node.host import this_host
from taskflow.worker.node.node import Node
from taskflow.worker.node.retirement import RETIRE, retire_at_signal
from taskflow.worker.node.terminal import be_brief
from taskflow.worker.tickets.guard import guard_channel, guard_consumer
from taskflow.worker.tickets.held_tickets import HeldTickets
from taskflow.worker.tickets.subtask_queues import consume_subtasks
from taskflow.worker.tickets.unknown_tasks import give_back_foreign_tickets

log = logging.getLogger("taskflow.node")


def install(app: Celery) -> None:
    """Add the node's steps to a Celery app."""
    be_brief()
    app.steps["worker"].add(NodeStep)
    app.steps["consumer"].add(IntakeStep)


class NodeStep(bootsteps.StartStopStep):
    """Registers the node after its pool has started, and ends its lease after the pool has ended."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        check_worker(worker)
        answer_limits()
        self._runtime = runtime_of(worker.app)
        self._node: Node | None = None
        self._watch: LoopWatch | None = None
        self._children: ChildrenExecutor | None = None
        self._runtime.settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)  # whatever the umask is
        prepare_worker(worker.app)
        show_users_frames()
        self._runtime.node.version = self._runtime.version() or ""
        consume_subtasks(worker.app, self._runtime.code())
        bind_children()
        bind_output(self._runtime.reports)
        fork_between_lines()
        guard_receivers()
        use_node_pool(self._runtime.relay)
        self._runtime.parking = ParkingLine()
        self._runtime.node.name = str(worker.hostname)
        self._runtime.node.renew()  # before the pool forks: children claim under it
        spare_what_stays()

    def start(self, parent: Any) -> None:
        """Take the node's lease."""
        queues = [str(name) for name in parent.app.amqp.queues.consume_from]
        executor: CoroutineExecutor | ChildrenExecutor
        if isinstance(parent.pool, AsyncPool):
            executor = CoroutineExecutor(parent.pool.runs)
            self._watch = LoopWatch(parent.pool.runs)
            self._watch.start()
        else:
            self._children = executor = self._watch_children(parent.pool, queues)
        self._node = Node(self._runtime, queues, int(parent.pool.num_processes), executor)
        self._node.start()
        if isinstance(parent.pool, AsyncPool):
            parent.pool.runs.stuck.give_lease_back = self._node.leave
        signals.worker_shutting_down.connect(self._drain, weak=False)
        signals.worker_shutdown.connect(self._leave, weak=False)
        retire_at_signal(str(parent.hostname))

    def stop(self, parent: Any) -> None:
        """Drain before the pool stops. A signal has done so already; ``celery control shutdown`` has not."""
        if self._node and not self._node.is_retired:
            self._drain()

    def register_with_event_loop(self, worker: Any, hub: Any) -> None:
        """Watch the children through Celery's loop, which starts now: for the first time or after a reconnect."""
        if self._children:
            self._children.register(hub)

    def info(self, obj: Any) -> Any:
        """Return the part of ``celery inspect stats`` that is about the node."""
        return {"taskflow": self._children.waiting.info()} if self._children else {}

    def _watch_children(self, pool: Any, queues: list[str]) -> ChildrenExecutor:
        machines = {parse_queue(name).machine for name in queues}
        specs = [self._runtime.presets[name] for name in machines if name in self._runtime.presets]
        memory = (
            specs[0].memory_bytes if len(specs) == 1 else None
        )  # of a run; unknown when the queues are of several machines
        limit = self._runtime.settings.waiting_limit or waiting_limit(specs, this_host(), int(pool.num_processes))
        assert self._runtime.parking is not None
        executor = ChildrenExecutor(self._runtime, pool, memory, self._runtime.parking, limit)
        executor.start()
        pool.waiting = executor.waiting
        Serving(self._runtime, queues, executor.waiting.concurrency, lambda: executor.waiting.is_closed).start()
        return executor

    def _drain(self, sig: str = "", **_: Any) -> None:
        if self._node and sig == RETIRE.name:
            self._node.retire()
        elif self._node:
            self._node.drain()

    def _leave(self, **_: Any) -> None:
        if self._watch:
            self._watch.stop()
        if self._node:
            self._node.leave()
            self._node = None


class IntakeStep(bootsteps.StartStopStep):
    """Bounds the tickets that the node takes to those that may start now. Anew for each connection."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        guard_consumer(parent)
        parent.held_tickets = HeldTickets(parent, runtime_of(parent.app).settings.ticket_hold)

    def start(self, parent: Any) -> None:
        """Have the new channel ask how many slots are free."""
        pool, hub = parent.pool, parent.hub
        give_back_foreign_tickets(parent)
        guard_channel(parent)
        waiting: WaitingPool | None = getattr(pool, "waiting", None)  # only a prefork pool has one
        if parent.app.conf.task_acks_late:
            parent.held_tickets.connect(waiting)
        if not isinstance(pool, AsyncPool):
            assert waiting is not None
            channel = parent.task_consumer.channel
            is_obeyed = set_free_slots(channel, waiting.free_slots, lambda: waiting.is_overgrown, hub=hub)
            waiting.connect(can_give_back=is_obeyed)
            return
        set_free_slots(parent.task_consumer.channel, lambda _: pool.free_slots())
        pool.events.connect(hub.call_soon, parent.event_dispatcher)
        pool.events.books.update_before_commands(parent)

        def wake() -> None:
            if pool.free_slots() <= 1:  # the pool was full, so the hub has stopped taking
                hub.call_soon(lambda: None)

        pool.on_free = wake
