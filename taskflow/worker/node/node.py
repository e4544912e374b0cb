"""A node: registers with the store, keeps its lease, obeys its inbox, and leaves in good order."""

import logging
import os
import platform
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final, Protocol

from taskflow.broker.queues import parse_queue
from taskflow.definition.signal import CANCELED, TIMED_OUT
from taskflow.errors import StaleClaimError, StoreUnavailableError
from taskflow.models import AttemptOutcome
from taskflow.store import operations
from taskflow.store.operations.nodes import InboxEntry
from taskflow.store.operations.operation import Operation
from taskflow.worker.attempt.claimed import LEAVING, STOPPED
from taskflow.worker.attempt.insist import insist
from taskflow.worker.attempt.runtime import Runtime, Service
from taskflow.worker.node.departure import Departure
from taskflow.worker.node.pulse import Pulse

log = logging.getLogger("taskflow.node")
_REASONS: Final = {"cancel": CANCELED, "timeout": TIMED_OUT}


class Executor(Protocol):
    """What executes a node's runs: children, or coroutines."""

    def stop_run(self, run_id: str, claim: int, reason: str) -> bool:
        """Stop the code of a run that was ended from outside, if it executes here under this claim. False if not."""
        ...

    def tell_run(self, run_id: str) -> None:
        """A run that waits here may go on, or one of its waits is done."""
        ...

    def stop_all(self) -> None:
        """Stop all code at once and return when it has stopped: the node's claims are over."""
        ...

    def interrupt_all(self, grace: timedelta) -> None:
        """Stop all code, which has that long to clean up: its runs start again elsewhere. Called in its own thread."""
        ...


class Node:
    """One incarnation after another of this process as the store knows it."""

    def __init__(self, runtime: Runtime, queues: Sequence[str], capacity: int, executor: Executor) -> None:
        self._runtime = runtime
        self._queues = tuple(queues)
        self._capacity = capacity
        self._executor = executor
        self._shards = range(runtime.settings.shards)
        self._pulses: list[Pulse] = []
        self._services: list[Service] = []
        settings = runtime.settings
        self._departure = Departure(settings.shutdown_grace, settings.cancel_grace, executor.interrupt_all)

    def start(self) -> None:
        """Declare the tasks, take a lease on every shard, and start the threads.

        Raises:
            StoreUnavailableError: The store did not answer.
        """
        self._runtime.declare()
        self._register()
        self._pulses = [Pulse(self._runtime, shard, self._obey, self._come_back) for shard in self._shards]
        self._services = [*self._runtime.services(self._runtime.node.name), self._runtime.orphans]
        for thread in (*self._pulses, *self._services):
            thread.start()
        log.info("node.ready: %s consumes %s", self._runtime.node.id, ", ".join(self._queues))

    def drain(self) -> None:
        """Take no new runs. What executes has ``shutdown_grace`` to end. May be called again."""
        self._departure.begin()
        for shard in self._shards:
            self._leniently(operations.nodes.drain_node(self._runtime.node.id), shard)

    def leave(self) -> None:
        """Give the lease back. What still executes here starts again elsewhere, as interrupted."""
        for thread in (*self._pulses, *self._services):
            thread.stop()
        for shard in self._shards:
            while self._leniently(
                operations.nodes.unregister_node(self._runtime.node.id, AttemptOutcome.INTERRUPTED, LEAVING), shard
            ):
                continue

    def _register(self) -> None:
        node_id = self._runtime.node.id
        classes = sorted({f"{name.machine}.{name.executor}" for name in map(parse_queue, self._queues)})
        description: dict[str, str | int] = {"host": platform.node(), "pid": os.getpid(), "concurrency": self._capacity}
        if self._runtime.node.version:
            description["version"] = self._runtime.node.version
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

    def _come_back(self) -> None:
        """The lease is over: no code of the old incarnation may go on when the new one registers."""
        self._executor.stop_all()
        self._runtime.node.renew()
        self._register()
        log.warning("node.back: %s", self._runtime.node.id)

    def _obey(self, message: InboxEntry) -> None:
        if message.kind == "resume":
            self._executor.tell_run(message.run_id)
            return
        reason = _REASONS.get(message.kind)
        if reason is None:
            log.error("inbox.unknown: %s", message.kind)
            return
        if not self._executor.stop_run(message.run_id, message.claim, reason):
            stopped = operations.runs.give_up_run(message.run_id, message.claim, AttemptOutcome.INTERRUPTED, STOPPED)
            with suppress(StaleClaimError):  # it has said so itself
                insist(self._runtime, stopped, run_id=message.run_id)

    def _leniently(self, operation: Operation[int], shard: int) -> int:
        try:
            return self._runtime.store.run(operation, shard=shard)
        except StoreUnavailableError as error:
            log.warning("node.left_unsaid: %s", error)
            return 0
