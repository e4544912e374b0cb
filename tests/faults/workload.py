"""The triggers of the driver: a seeded mixture of every kind of run, and the cancels that follow."""

import heapq
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from taskflow import BatchItem, BatchTriggerError, RunHandle, StoreUnavailableError, Task, batch, queues
from tests.faults import tasks
from tests.faults.letters import Letters
from tests.faults.tasks import Done, Work

ResultT = TypeVar("ResultT")
LONG_SECONDS = (2.0, 6.0)


class Workload:
    """Triggers in a thread of its own until it is stopped. The seed decides the runs and their order.

    Attributes:
        certain: Runs that exist, with their kind.
        maybe: Runs whose trigger failed with the error that they may exist.
        refused: Runs whose trigger failed with the error that they were not made.
        errors: Errors that must not occur.
        keyed: The idempotency key of runs that were triggered with one.
        letters: Sends runs the tokens and items that they wait for.
    """

    def __init__(self, seed: int, pace: float) -> None:
        self.certain: dict[str, str] = {}
        self.maybe: dict[str, str] = {}
        self.refused: dict[str, str] = {}
        self.errors: list[str] = []
        self.keyed: dict[str, str] = {}
        self.canceled: set[str] = set()
        self._dice = random.Random(f"work-{seed}")
        self.letters = Letters(random.Random(f"letters-{seed}"), self._trigger)
        self._pace = pace
        self._cancels: list[tuple[float, str, RunHandle[Done]]] = []
        self._resume_at = float("inf")
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="workload", daemon=True)
        kinds: list[tuple[int, Callable[[], None]]] = [
            (24, self._short), (6, self._long), (8, self._flaky), (2, self._dying), (8, self._delayed),
            (3, self._expiring), (3, self._timed), (8, self._one), (8, self._three), (10, self._tenant),
            (8, self._rated), (6, self._hooked), (5, self._parent), (3, self._batch), (6, self._canceled),
            (3, self._keyed), (2, self._urgent), (1, self._pause),
            (5, self._waiting), (5, self._waiting_parent), (5, self.letters.durable), (4, self.letters.durable_letter),
            (4, self.letters.token), (4, self.letters.tale), (4, self.letters.exam),
        ]  # fmt: skip
        self._kinds = [kind for _, kind in kinds]
        self._weights = [weight for weight, _ in kinds]

    def start(self) -> None:
        """Start triggering."""
        self._thread.start()

    def stop(self) -> None:
        """Stop triggering. Returns after the last trigger."""
        self._is_stopping.set()
        self._thread.join(30)
        if self._thread.is_alive():
            self.errors.append("a trigger did not return within 30 s")

    def resume(self) -> None:
        """Resume the queue that is paused now and then, after all faults are healed.

        It also does so without a known pause, because an unanswered pause may be executed late, after the next resume.
        """
        queues.resume(tasks.THREE)

    def counts(self) -> Counter[str]:
        """Return how many runs of each kind exist for certain."""
        return Counter(self.certain.values())

    def _run(self) -> None:
        while not self._is_stopping.wait(self._dice.expovariate(self._pace)):
            act = self._dice.choices(self._kinds, self._weights)[0]
            try:
                act()
                self._cancel_due()
                self.letters.tell_due()
            except StoreUnavailableError:
                continue
            except Exception as error:  # noqa: BLE001 - every error is a finding of the judges
                self.errors.append(f"{act.__name__} raised {type(error).__name__}: {error}")
        self.letters.tell_all()

    def _trigger(self, kind: str, trigger: Callable[[], RunHandle[Done]]) -> RunHandle[Done]:
        try:
            handle = trigger()
        except StoreUnavailableError as error:
            if error.run_id is None:
                self.errors.append(f"a failed trigger of {kind} named no run: {error}")
            else:
                (self.maybe if error.may_exist else self.refused)[error.run_id] = kind
            raise
        self.certain[handle.id] = kind
        return handle

    def _task(self, *choices: Task[Work, Done]) -> Task[Work, Done]:
        return self._dice.choice(choices)

    def _any(self, *choices: ResultT) -> ResultT:
        return self._dice.choice(choices)

    def _brief(self) -> Work:
        return Work(seconds=self._dice.uniform(0, 0.3))

    def _short(self) -> None:
        task, work = self._task(tasks.short, tasks.ashort), self._brief()
        self._trigger("short", lambda: task.trigger(work))

    def _long(self) -> None:
        task, work = (
            self._task(tasks.short, tasks.ashort, tasks.ashort),
            Work(seconds=self._dice.uniform(*LONG_SECONDS)),
        )
        self._trigger("long", lambda: task.trigger(work))

    def _flaky(self) -> None:
        task = self._task(tasks.short, tasks.ashort, tasks.hooked, tasks.ahooked)
        work = Work(
            seconds=self._dice.uniform(0, 0.2), fails=self._dice.randint(1, 4), aborts=self._dice.random() < 0.2
        )
        self._trigger("retrying", lambda: task.trigger(work))

    def _dying(self) -> None:
        work = Work(deaths=self._dice.randint(1, 2))
        self._trigger("dying", lambda: tasks.short.trigger(work))

    def _delayed(self) -> None:
        task, work, delay = (
            self._task(tasks.short, tasks.ashort, tasks.three),
            self._brief(),
            self._dice.uniform(0.2, 6),
        )
        self._trigger("delayed", lambda: task.trigger(work, delay=delay))

    def _expiring(self) -> None:
        task, work, ttl = self._task(tasks.one, tasks.aone, tasks.ahooked), self._brief(), self._dice.uniform(0.2, 2)
        self._trigger("expiring", lambda: task.trigger(work, ttl=ttl))

    def _timed(self) -> None:
        task, work, most = (
            self._task(tasks.short, tasks.ashort, tasks.hooked),
            Work(seconds=4),
            self._dice.uniform(0.3, 2),
        )
        self._trigger("timed", lambda: task.trigger(work, max_duration=most))

    def _one(self) -> None:
        task, work = self._task(tasks.one, tasks.aone), self._brief()
        self._trigger("limit 1", lambda: task.trigger(work))

    def _three(self) -> None:
        work = Work(seconds=self._dice.uniform(0, 0.8))
        self._trigger("limit 3", lambda: tasks.three.trigger(work))

    def _tenant(self) -> None:
        key, work = self._any("a", "b", "c", "d"), Work(seconds=self._dice.uniform(0, 0.5))
        self._trigger("tenant", lambda: tasks.tenant.trigger(work, concurrency_key=key))

    def _rated(self) -> None:
        for _ in range(self._dice.randint(1, 4)):
            self._trigger("rated", lambda: tasks.rated.trigger(Work()))

    def _hooked(self) -> None:
        task, work = self._task(tasks.hooked, tasks.ahooked), self._brief()
        self._trigger("hooked", lambda: task.trigger(work))

    def _parent(self) -> None:
        work = Work(children=self._dice.randint(1, 3))
        self._trigger("parent", lambda: tasks.short.trigger(work))

    def _waiting(self) -> None:
        task = self._task(tasks.short, tasks.tenant, tasks.aone, tasks.ashort, tasks.three)
        work = Work(seconds=self._dice.uniform(0, 0.2), waits=self._dice.uniform(5.1, 8))
        key = self._any("a", "b", "c", "d") if task is tasks.tenant else None
        self._trigger("waiting", lambda: task.trigger(work, concurrency_key=key))

    def _waiting_parent(self) -> None:
        task = self._task(tasks.parent, tasks.aparent, tasks.aparent)
        work = Work(seconds=self._dice.uniform(0, 0.3), children=self._dice.randint(1, 3))
        self._trigger("waiting parent", lambda: task.trigger(work))

    def _urgent(self) -> None:
        work, priority = self._brief(), self._dice.uniform(1, 100)
        self._trigger("urgent", lambda: tasks.three.trigger(work, priority=priority))

    def _canceled(self) -> None:
        task = self._task(tasks.short, tasks.ashort, tasks.hooked, tasks.ahooked, tasks.three, tasks.tenant)
        work, after = Work(seconds=self._dice.uniform(1, 4)), self._dice.uniform(0, 3)
        delay = self._any(None, None, 2.0)
        handle = self._trigger("canceled", lambda: task.trigger(work, delay=delay))
        heapq.heappush(self._cancels, (time.monotonic() + after, handle.id, handle))

    def _keyed(self) -> None:
        key, work = f"key-{self._dice.randrange(3)}", Work(seconds=self._dice.uniform(0.1, 1))
        handle = self._trigger("idempotent", lambda: tasks.ashort.trigger(work, idempotency_key=key))
        self.keyed[handle.id] = key

    def _batch(self) -> None:
        delay = self._any(None, 1.0)
        items = [
            (
                self._task(tasks.ashort, tasks.tenant, tasks.rated),
                BatchItem(self._brief(), concurrency_key="a", delay=delay),
            )
            for _ in range(12)
        ]
        try:
            made = batch.trigger(items)
        except BatchTriggerError:
            return
        self.certain.update(dict.fromkeys(made.run_ids, "batch"))

    def _pause(self) -> None:
        self._resume()
        self._resume_at = time.monotonic() + self._dice.uniform(0.5, 2)
        queues.pause(tasks.THREE)

    def _cancel_due(self) -> None:
        self._resume()
        while self._cancels and self._cancels[0][0] <= time.monotonic():
            _, run_id, handle = heapq.heappop(self._cancels)
            handle.cancel()
            self.canceled.add(run_id)

    def _resume(self) -> None:
        if self._resume_at <= time.monotonic():
            queues.resume(tasks.THREE)
            self._resume_at = float("inf")
