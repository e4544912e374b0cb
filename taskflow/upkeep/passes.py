"""The passes of upkeep. Each is one bounded script, repeated while it finds a full batch."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TypeVar

from taskflow.engine.effects import perform_effect
from taskflow.engine.schedules.upkeep import ScheduleUpkeep
from taskflow.errors import StoreUnavailableError
from taskflow.store import operations
from taskflow.store.operations.operation import PER_PASS, Operation
from taskflow.store.sync_store import Store
from taskflow.worker.attempt.claimed import LOST

log = logging.getLogger("taskflow.upkeep")
T = TypeVar("T")
QueueLength = Callable[[str], int | None]


@dataclass(frozen=True, slots=True)
class Upkeep:
    """One shard's upkeep.

    Attributes:
        broker_length: Counts a Celery queue's messages, None when the scripts can.
        schedules: Fires the shard's schedules, and looks after those that tasks declare.
        take_over: Has bulk actions go on whose server is gone, without waiting for them.
        perform_canvas: Honours a shard's canvas outbox: Celery callbacks of runs that finished without a node.
    """

    store: Store
    shard: int
    lease: timedelta
    heartbeat: timedelta
    broker_length: QueueLength | None
    perform_canvas: Callable[[int], None]
    schedules: ScheduleUpkeep | None = None
    take_over: Callable[[], None] | None = None

    def perform(self, due: frozenset[str]) -> None:
        """Do what is due, see ``Tick``. A pass that fails does not keep the others from running.

        Raises:
            StoreUnavailableError: The store did not answer. The next tick goes on.
            BrokerUnavailableError: The broker did not answer. Raised after all passes: what needs no broker is done.
            StoreScriptError: A script failed. Raised after all passes.
        """
        broken: Exception | None = None
        passes: dict[str, Callable[[], object]] = {
            "clock": self._follow_clock,
            "schedules": self._fire_schedules,
            "runs": self._promote,
            "timers": self._fire_timers,
            "nodes": self._reap,
            "deserted": self._withdraw,
            "tickets": self._republish,
            "effects": self._perform_effects,
            "canvas": partial(self.perform_canvas, self.shard),
            "sweep": self.sweep,
        }
        for name, act in passes.items():
            if name in due:
                try:
                    act()
                except StoreUnavailableError:
                    raise
                except Exception as failed:  # noqa: BLE001 - it is raised after the other passes
                    broken = broken or failed
        if broken is not None:
            raise broken

    def sweep(self) -> None:
        """Free slots that a bug or a lost write left behind, and forget runs that have left the store."""
        cursor = "0"
        while True:
            cursor, removed = self.store.run(operations.nodes.sweep_slots(cursor), shard=self.shard)
            if removed:
                log.warning("slots.swept: %d slots were held by no run", removed)
            if cursor == "0":
                break
        while self._run(operations.nodes.forget_finished()):
            continue
        if self.schedules:
            self.schedules.look_after(self.shard)
        if self.take_over:
            self.take_over()

    def _follow_clock(self) -> None:
        """Have what was due soon be due soon again, because the clock was set back."""
        for index in (":timers", ":delayed"):
            cursor = self._run(operations.nodes.follow_clock(index, "0"))
            while cursor != "0":
                cursor = self._run(operations.nodes.follow_clock(index, cursor))
        log.warning("clock.set_back: the store's clock was set back; what was due soon is due soon again")

    def _fire_schedules(self) -> None:
        if self.schedules:
            self.schedules.fire(self.shard)

    def _promote(self) -> None:
        self._repeat("runs.promoted", operations.nodes.promote_runs())

    def _fire_timers(self) -> None:
        self._repeat("timers.fired", operations.nodes.fire_timers())

    def _perform_effects(self) -> None:
        for entry in self._run(operations.nodes.read_effects()):
            perform_effect(self.store, self.shard, entry)

    def _reap(self) -> None:
        self._repeat("runs.lost", operations.nodes.reap_nodes(self.lease, self.heartbeat, LOST), logging.WARNING)

    def _withdraw(self) -> None:
        self._repeat("reservations.withdrawn", operations.nodes.withdraw_reservations())

    def _republish(self) -> None:
        for queue in self._run(operations.nodes.read_ticket_queues()):
            published = PER_PASS
            while published == PER_PASS:
                length = self.broker_length(queue) if self.broker_length else None
                published = self._run(operations.nodes.republish_tickets(queue, length))
                if published:
                    log.warning("tickets.republished: %d on %s", published, queue)

    def _repeat(self, event: str, operation: Operation[int], level: int = logging.DEBUG) -> None:
        while True:
            handled = self._run(operation)
            if handled > 0:
                log.log(level, "%s: %d", event, handled)
            if handled < PER_PASS:
                return

    def _run(self, operation: Operation[T]) -> T:
        return self.store.run(operation, shard=self.shard)
