"""A node: registers with the store, keeps its lease, acts on its inbox, and leaves in good order."""

import json
import logging
import os
import platform
import signal
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final, Protocol

from taskflow.broker.queues import parse_queue
from taskflow.definition.signal import CANCELED, TIMED_OUT
from taskflow.errors import StaleClaimError, StoreUnavailableError
from taskflow.models import AttemptOutcome, RunError
from taskflow.store import operations
from taskflow.store.operations.nodes import InboxEntry
from taskflow.store.operations.operation import Operation
from taskflow.worker.attempt.claimed import LEAVING, LOST, STOPPED
from taskflow.worker.attempt.insist import insist
from taskflow.worker.attempt.runtime import Runtime
from taskflow.worker.node.departure import Departure
from taskflow.worker.node.host import HostLoad
from taskflow.worker.node.process_identity import is_gone, own_process
from taskflow.worker.node.pulse import Pulse
from taskflow.worker.repeating_thread import RepeatingThread

log = logging.getLogger("taskflow.node")
GONE: Final = RunError("WorkerLost", "The node's process died.")
_REASONS: Final = {"cancel": CANCELED, "timeout": TIMED_OUT}


class Executor(Protocol):
    """Executes a node's runs: in children, or as coroutines."""

    def stop_run(self, run_id: str, claim: int, reason: str) -> bool:
        """Stop the code of a run that was ended from outside. Return False if none executes here under this claim."""
        ...

    def notify_run(self, run_id: str) -> None:
        """Have a run that waits here look whether it may go on or one of its waits is done."""
        ...

    def stop_all(self) -> None:
        """Stop all code at once, because the node's claims have ended. Return when it has stopped."""
        ...

    def interrupt_all(self, grace: timedelta) -> None:
        """Stop all code, which has the grace to clean up. Its runs start again elsewhere. Called in its own thread."""
        ...


class Node:
    """This process as the store has it: one incarnation after another, each with its own id.

    Attributes:
        is_retired: Whether ``retire`` was called.
    """

    def __init__(self, runtime: Runtime, queues: Sequence[str], capacity: int, executor: Executor) -> None:
        self._runtime = runtime
        self._queues = tuple(queues)
        self._capacity = capacity
        self._executor = executor
        self._shards = range(runtime.settings.shards)
        self._threads: list[RepeatingThread] = []
        self._coming_back = threading.Lock()
        settings = runtime.settings
        self._host = HostLoad()
        self._is_asked_to_end = False
        self.is_retired = False
        self._departure = Departure(settings.shutdown_grace, settings.cancel_grace, executor.interrupt_all)

    def start(self) -> None:
        """Declare the tasks, take a lease on every shard, and start the threads.

        Raises:
            StoreUnavailableError: The store did not answer.
        """
        self._register()
        for task_id, why in self._runtime.tasks.faults().items():
            log.error("task.unusable: %s is not served: %s", task_id, why)
        self._end_dead_neighbours()
        pulses = [
            Pulse(self._runtime, shard, self._act, self._come_back, self._load if shard == 0 else lambda: "")
            for shard in self._shards
        ]
        self._threads = [*pulses, *self._runtime.services(self._runtime.node.name), self._runtime.orphans]
        for thread in self._threads:
            thread.start()
        log.info("node.ready: %s consumes %s", self._runtime.node.id, ", ".join(self._queues))

    def drain(self) -> None:
        """Take no new runs. Those that execute have ``shutdown_grace`` to end. May be called again."""
        self._departure.begin()
        self._take_no_more()

    def retire(self) -> None:
        """Take no new runs. Those that execute have all the time that they need, unless ``drain`` follows."""
        self.is_retired = True
        self._take_no_more()
        log.info("node.retired: %s takes no new runs", self._runtime.node.id)

    def leave(self) -> None:
        """Give the lease back. Runs that still execute here start again elsewhere, as interrupted."""
        for thread in self._threads:
            thread.stop()
        self._unregister(self._runtime.node.id, AttemptOutcome.INTERRUPTED, LEAVING)

    def _take_no_more(self) -> None:
        for shard in self._shards:
            self._leniently(operations.nodes.drain_node(self._runtime.node.id), shard)

    def _end_dead_neighbours(self) -> None:
        """End the leases of this host's nodes whose process is gone: this node may be the successor of one.

        Their children died with them, so that their runs start again at once, and not when the leases have ended.
        """
        for shard in self._shards:
            for node_id, process in self._runtime.store.run(operations.nodes.read_processes(), shard=shard).items():
                if is_gone(process):
                    log.warning("node.gone: %s died on this host; its runs start again", node_id)
                    self._unregister(node_id, AttemptOutcome.LOST, GONE)

    def _unregister(self, node_id: str, outcome: AttemptOutcome, reason: RunError) -> None:
        for shard in self._shards:
            while self._leniently(operations.nodes.unregister_node(node_id, outcome, reason), shard):
                continue

    def _register(self) -> None:
        """Declare the tasks and take a lease on every shard. Each time, because a store may come back empty."""
        self._runtime.declare()
        node_id = self._runtime.node.id
        classes = sorted({f"{name.machine}.{name.executor}" for name in map(parse_queue, self._queues)})
        description: dict[str, object] = {"host": platform.node(), "pid": os.getpid(), "concurrency": self._capacity}
        description["grace"] = self._runtime.settings.shutdown_grace.total_seconds()
        description |= self._runtime.description()
        if process := own_process():
            description["process"] = process
        if self._runtime.node.version:
            description["version"] = self._runtime.node.version
        if faults := self._runtime.tasks.faults():
            description["faults"] = faults
        for shard in self._shards:
            self._runtime.store.run(
                operations.nodes.register_node(
                    node_id,
                    lease=self._runtime.settings.lease,
                    queues=self._queues,
                    capacity=self._capacity,
                    classes=classes,
                    description=description,
                    tasks=self._runtime.task_ids(),
                ),
                shard=shard,
            )
        self._runtime.node.leased_id = node_id

    def _come_back(self, lost_id: str) -> None:
        """Register under a new id. No code of the old incarnation may go on then.

        Every shard's thread calls this. The first one renews the id on all shards, and the others find that done.
        """
        with self._coming_back:
            if self._runtime.node.leased_id != lost_id:
                return
            self._runtime.node.renew()  # before the children are killed, because their replacements inherit it
            self._executor.stop_all()
            self._register()
            log.warning("node.back: %s", self._runtime.node.id)
            self._unregister(lost_id, AttemptOutcome.LOST, LOST)  # on the shards that had not ended its lease

    def _act(self, message: InboxEntry) -> None:
        if message.kind == "resume":
            self._executor.notify_run(message.run_id)
            return
        if message.kind == "drain":
            self._ask_to_end()
            return
        reason = _REASONS.get(message.kind)
        if reason is None:
            log.error("inbox.unknown: %s", message.kind)
            return
        if not self._executor.stop_run(message.run_id, message.claim, reason):
            stopped = operations.runs.give_up_run(message.run_id, message.claim, AttemptOutcome.INTERRUPTED, STOPPED)
            with suppress(StaleClaimError):  # its code has written that itself
                insist(self._runtime, stopped, run_id=message.run_id)

    def _ask_to_end(self) -> None:
        """End this node as ``taskflow worker`` would, so that there is one way to leave. A second call does nothing."""
        if not self._is_asked_to_end:
            self._is_asked_to_end = True
            log.warning("node.drain: %s was asked to end; it takes no new runs", self._runtime.node.id)
            os.kill(os.getpid(), signal.SIGTERM)

    def _load(self) -> str:
        return json.dumps(self._host.measure())

    def _leniently(self, operation: Operation[int], shard: int) -> int:
        try:
            return self._runtime.store.run(operation, shard=shard)
        except StoreUnavailableError as error:
            log.warning("node.left_unsaid: %s", error)
            return 0
