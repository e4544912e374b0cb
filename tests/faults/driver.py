"""The fault driver: a seeded mixture of runs on real nodes, and a seeded plan of faults for servers and processes."""

import contextlib
import random
import shutil
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from taskflow import Run, RunStatus
from tests.faults import checks
from tests.faults.clock import ClockedServer
from tests.faults.crew import Crew
from tests.faults.deliveries import Senders, check_deliveries
from tests.faults.faults import Injector, plan
from tests.faults.ledger import DeathWatch, read_ledger
from tests.faults.leftovers import leftovers, messages_left
from tests.faults.limits import check_limits
from tests.faults.proxy import Proxy, through
from tests.faults.talks import Talks, check_talks
from tests.faults.ticking import Ticking, tick_runs
from tests.faults.workload import Workload
from tests.support.fleet import Fleet
from tests.support.servers import Client, RabbitServer
from tests.support.waiting import wait_until

LEASE, HEARTBEAT, MAX_LOST = 3, 1, 10
SETTINGS: dict[str, Any] = {
    "lease": LEASE, "heartbeat": HEARTBEAT, "reservation_timeout": 2, "cancel_grace": 3, "connect_timeout": 1,
    "max_lost": MAX_LOST, "ticket_hold": 5,
    "tasks": "tests.faults.tasks,tests.faults.talking_tasks,tests.faults.durable_tasks,tests.faults.webhook_tasks,"
             "tests.faults.tick_tasks",
}  # fmt: skip
SCHEDULES = 6
STANDSTILL_SECONDS = 300  # a run that was lost ten times pauses for 256 s
IDLE_SECONDS = 25


@dataclass(slots=True)
class Result:
    """The result of a seed. ``problems`` is empty when all checks passed."""

    seed: int
    folder: Path
    faults: Counter[str] = field(default_factory=Counter[str])
    triggered: Counter[str] = field(default_factory=Counter[str])
    completed: Counter[str] = field(default_factory=Counter[str])
    statuses: Counter[str] = field(default_factory=Counter[str])
    refused: int = 0
    deliveries: str = ""
    ticks: int = 0
    late: list[str] = field(default_factory=list[str])
    talks: Talks = field(default_factory=Talks)
    problems: list[str] = field(default_factory=list[str])


class Drive:
    """One seed, from its servers to its result."""

    def __init__(self, seed: int, seconds: float, folder: Path, broker: RabbitServer | None = None) -> None:
        self._seed, self._seconds, self._broker = seed, seconds, broker
        self._dice = random.Random(f"drive-{seed}")
        self._shards = self._dice.choice((1, 1, 2))
        self._limit: int | None = self._dice.choice((None, 20)) if self._shards == 1 else None
        self._store = ClockedServer(folder / "store", appendfsync=self._dice.choice(("always", "everysec")))
        self._folder = folder
        self._result = Result(seed, folder)

    def run(self, pace: float) -> Result:
        """Drive the seed, and check the result. ``pace`` is the number of triggers a second."""
        with contextlib.ExitStack() as ends:
            ends.callback(self._store.close)
            self._store.start()
            proxies = [Proxy(self._store.port)]
            broker_url = None
            if self._broker is not None:
                proxies.append(Proxy(self._broker.port))
                broker_url = through(proxies[1], self._broker.url)
            for proxy in proxies:
                ends.callback(proxy.close)
            store_url = through(proxies[0], self._store.url)
            settings: dict[str, Any] = SETTINGS | {"shards": self._shards, "concurrency_limit": self._limit}
            fleet = Fleet(self._folder, store_url, broker_url, **settings)
            ends.callback(fleet.close)
            self._drive(fleet, proxies, pace)
        return self._result

    def _drive(self, fleet: Fleet, proxies: list[Proxy], pace: float) -> None:
        crew, workload = Crew(fleet), Workload(self._seed, pace)
        crew.start()
        ticking = Ticking(fleet.flow, "ledger-tick", SCHEDULES)
        watch = DeathWatch(self._folder / "ledger")
        injector = Injector(crew, self._store, self._broker, proxies, LEASE)
        senders = Senders(self._seed, pace / 4, fleet)
        workload.start()
        senders.start()
        injector.run(plan(self._seed, self._seconds, has_broker=self._broker is not None), self._seconds)
        workload.stop()
        senders.stop()
        workload.certain |= senders.runs()
        crew.gather()
        ticking.stop()
        workload.resume()
        problems = self._result.problems
        problems += self._wait_for_the_end(fleet)
        watch.stop()
        with contextlib.closing(self._store.client()) as client:
            runs = [run for base in self._bases(fleet) for run in tick_runs(client, base)]
        self._result.ticks = len(ticking.expected())
        problems += ticking.problems(runs)
        self._check(fleet, crew, workload, injector, watch, senders)
        crew.leave()
        problems += [*workload.errors, *senders.errors, *injector.errors, *crew.errors, *checks.check_logs(crew.logs())]

    def _wait_for_the_end(self, fleet: Fleet) -> list[str]:
        """Wait while runs go on ending, then until nothing is left of them."""
        with contextlib.closing(self._store.client()) as client:
            live, since = -1, time.monotonic()
            while (now := self._live(client, fleet)) and time.monotonic() - since < STANDSTILL_SECONDS:
                if now != live:
                    live, since = now, time.monotonic()
                time.sleep(0.25)  # the pace of the driver, not a wait for luck
        if now:
            return [f"{now} runs did not end, and none has for {STANDSTILL_SECONDS} s", *self._left(fleet)]
        try:
            wait_until(lambda: not self._left(fleet), "nothing to be left", timeout=IDLE_SECONDS, interval=0.25)
        except AssertionError as error:
            return [str(error), *self._left(fleet)]
        return []

    def _live(self, client: Client, fleet: Fleet) -> int:
        return sum(client.execute_command("ZCARD", f"{base}:live") for base in self._bases(fleet))

    def _left(self, fleet: Fleet) -> list[str]:
        with contextlib.closing(self._store.client()) as client:
            in_broker = messages_left(self._broker) if self._broker else []
            return [*leftovers(client, fleet.environment, self._shards), *in_broker]

    def _bases(self, fleet: Fleet) -> list[str]:
        return [f"{{tf:{fleet.environment}:{shard}}}" for shard in range(self._shards)]

    def _check(
        self, fleet: Fleet, crew: Crew, workload: Workload, injector: Injector, watch: DeathWatch, senders: Senders
    ) -> None:
        now = time.time()
        ledger = read_ledger(self._folder / "ledger", watch.deaths)
        result = self._result
        ids = {*workload.certain, *workload.maybe, *workload.refused, *ledger.made, *(s.run_id for s in ledger.stints)}
        records: dict[str, Run] = checks.read_runs(fleet.flow, sorted(ids))
        overlaps = check_limits(
            ledger.stints, records, self._store.clock, crew.freezes, injector.outages, workload.keyed, self._limit, now
        )
        result.talks = check_talks(fleet.flow, records, workload.letters, ledger)
        result.faults, result.triggered, result.late = injector.injected, workload.counts(), overlaps.late
        result.refused, result.deliveries = injector.refused, senders.told()
        result.completed = Counter(
            kind
            for run_id, kind in workload.certain.items()
            if run_id in records and records[run_id].status is RunStatus.COMPLETED
        )
        result.statuses = Counter(run.status.value for run in records.values())
        result.problems += [
            *checks.check_ends(records, workload, ledger),
            *checks.check_statuses(self._store, self._bases(fleet)),
            *checks.check_claims(records, ledger),
            *checks.check_budgets(records, MAX_LOST),
            *checks.check_failures(records),
            *checks.check_hooks(records, ledger),
            *overlaps.problems,
            *check_deliveries(senders.answers, records, ledger),
            *result.talks.problems,
        ]


def drive(seed: int, seconds: float, pace: float, broker: RabbitServer | None) -> Result:
    """Drive a seed in a folder of its own, which stays when any check failed."""
    folder = Path(tempfile.mkdtemp(prefix=f"taskflow-faults-{seed}-"))
    result = Drive(seed, seconds, folder, broker).run(pace)
    if not result.problems:
        shutil.rmtree(folder, ignore_errors=True)
    return result


def told(result: Result) -> str:
    """Return a result as lines for people."""
    lines = [
        f"seed {result.seed}: {sum(result.faults.values())} faults, {sum(result.statuses.values())} runs,"
        f" {len(result.problems)} problems",
        f"  faults    {_counts(result.faults)}",
        f"  completed {', '.join(_of_kind(result, kind) for kind, _ in result.triggered.most_common())}",
        f"  ended     {_counts(result.statuses)}",
        f"  refused   {result.refused} stale writes",
        f"  webhooks  {result.deliveries}",
        f"  schedules {result.ticks} ticks",
        f"  {result.talks.journals.told()}",
        f"  {result.talks.told()}",
        f"  late code {len(result.late)}: {'; '.join(result.late) or 'none'}",
    ]
    if result.problems:
        lines += [f"  PROBLEM {problem}" for problem in result.problems[:40]]
        lines.append(f"  ledger and logs: {result.folder}; again: make faults SEED={result.seed}")
    return "\n".join(lines)


def _of_kind(result: Result, kind: str) -> str:
    return f"{result.completed[kind]} of {result.triggered[kind]} {kind}"


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.most_common())
