"""Counts that a waiting parent goes on exactly once, however many of its children finish at the same instant.

``python -m benchmarks.resumes URL --repetitions 1000`` against an empty server; the suite repeats it a few times.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any
from uuid import uuid4

from taskflow.definition.queue import QueueLimits
from taskflow.models import RunStatus
from taskflow.seams.waits import Waiter
from taskflow.store import operations
from taskflow.store.operations.claims import ClaimedRun
from taskflow.store.operations.making import NewRun, trigger_run
from taskflow.store.operations.operation import Operation
from taskflow.store.operations.tickets import Ticket
from taskflow.store.operations.waits import OpenedWait, complete_item, wait_run
from taskflow.store.sync_store import Store
from taskflow.store.wire import StoreConfig, new_run_id

CLASS, NODE = "small-1x.process", "node"
CHILDREN, CLIENTS = 200, 4
PIECE = 10
"""The number of children that a client finishes in one write."""


class _NoBroker:
    def publish(self, tickets: Sequence[Ticket]) -> None:
        """Drop the tickets, because runs are claimed without them."""


class Race:
    """One node, and clients with a connection each that finish children at the same instant."""

    def __init__(self, url: str, children: int = CHILDREN, clients: int = CLIENTS) -> None:
        config = StoreConfig(url, f"r{uuid4().hex[:6]}")
        self._store = Store(config, _NoBroker())
        self._clients = [Store(config, _NoBroker()) for _ in range(clients)]
        self._threads = ThreadPoolExecutor(clients)
        self._children = children
        self._handled: list[str] = []
        registered = operations.nodes.register_node(
            NODE,
            lease=timedelta(hours=1),
            queues=[f"{config.environment}.{CLASS}"],
            capacity=10_000,
            classes=[CLASS],
            description={},
        )
        self._store.run(registered)

    def close(self) -> None:
        """Close every connection."""
        self._threads.shutdown()
        for store in (self._store, *self._clients):
            store.close()

    def repeat(self, repetitions: int) -> Counter[str]:
        """Let parents wait and their children finish. Returns how often a parent went on how many times, by kind."""
        kinds = [self._items, self._items_while_it_parks, self._runs]
        counts: Counter[str] = Counter()
        for number in range(repetitions):
            kind = kinds[number % len(kinds)]
            counts[f"{kind.__name__.strip('_')}: {kind()}"] += 1
        return counts

    def _items(self) -> int:
        """Complete every item at once."""
        parent = self._parent()
        self._park(parent)
        self._at_once([complete_item(waiter, b"1") for waiter in self._waiters(parent)], 1)
        return self._went_on(parent)

    def _items_while_it_parks(self) -> int:
        """Complete them while the parent begins to wait: it waits and is resumed, or its wait is answered at once."""
        parent = self._parent()
        completions = [complete_item(waiter, b"1") for waiter in self._waiters(parent)]
        answers: list[str] = []
        self._at_once(completions, 1, lambda: answers.append(self._park(parent)))
        return self._went_on(parent) + (answers == ["DONE"])

    def _runs(self) -> int:
        """Finish all runs that the parent waits for."""
        parent = self._parent()
        news = [trigger_run(self._new("child", waiter)) for waiter in self._waiters(parent)]
        made = [run_id for run_id, _ in self._store.run_many([(new, 0) for new in news])]
        claims = [operations.runs.claim_run(run_id, node_id=NODE, reservation=1) for run_id in made]
        children: list[ClaimedRun] = self._store.run_many([(claim, 0) for claim in claims])
        self._park(parent)
        ends = [
            operations.runs.finish_run(child.run_id, child.claim, RunStatus.COMPLETED, output=b"1")
            for child in children
        ]
        self._at_once(ends, PIECE)
        return self._went_on(parent)

    def _parent(self) -> ClaimedRun:
        run_id, _ = self._store.run(trigger_run(self._new("parent")))
        claimed = self._store.run(operations.runs.claim_run(run_id, node_id=NODE, reservation=1))
        self._store.run(wait_run(run_id, claimed.claim, [OpenedWait("w", self._children)]))
        return claimed

    def _new(self, queue: str, waiter: Waiter | None = None) -> NewRun:
        limits = QueueLimits(1) if queue == "parent" else QueueLimits()
        return NewRun(new_run_id(0), queue, b"1", None, queue, CLASS, 1, limits, waiter=waiter)

    def _waiters(self, parent: ClaimedRun) -> list[Waiter]:
        return [Waiter(parent.run_id, "w", index) for index in range(self._children)]

    def _park(self, parent: ClaimedRun) -> str:
        return self._store.run(wait_run(parent.run_id, parent.claim, [], ["w"]))

    def _at_once(
        self, given: Sequence[Operation[Any]], piece: int, meanwhile: Callable[[], None] = lambda: None
    ) -> None:
        barrier = Barrier(len(self._clients) + 1)

        def send(place: int) -> None:
            own = given[place :: len(self._clients)]
            barrier.wait()
            for first in range(0, len(own), piece):
                self._clients[place].run_many([(operation, 0) for operation in own[first : first + piece]])

        sending = [self._threads.submit(send, place) for place in range(len(self._clients))]
        barrier.wait()
        meanwhile()
        for each in sending:
            each.result()

    def _went_on(self, parent: ClaimedRun) -> int:
        """Count the orders to the node to resume the parent under a new claim, then end the parent."""
        inbox = self._store.run(operations.nodes.heartbeat_node(NODE, lease=timedelta(hours=1), handled=self._handled))
        self._handled = [entry.id for entry in inbox]
        resumes = [entry.claim for entry in inbox if entry.kind == "resume" and entry.claim > parent.claim]
        claim = max([parent.claim, *resumes])
        self._store.run(operations.runs.finish_run(parent.run_id, claim, RunStatus.COMPLETED, output=b"1"))
        return len(resumes)


def main() -> int:
    """Repeat it and print the counts."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.resumes", description=__doc__)
    parser.add_argument("url", help="an empty Redis or Valkey, e.g. redis://localhost:6379/15")
    parser.add_argument("--repetitions", type=int, default=1000)
    options = parser.parse_args()
    race = Race(options.url)
    began = time.perf_counter()
    try:
        counts = race.repeat(options.repetitions)
    finally:
        race.close()
    print(f"{options.repetitions} parents of {CHILDREN} children, {time.perf_counter() - began:.0f} s")
    for what, count in sorted(counts.items()):
        print(f"  {what} time(s): {count} parents")
    return 0 if all(what.endswith(": 1") for what in counts) else 1


if __name__ == "__main__":
    sys.exit(main())
