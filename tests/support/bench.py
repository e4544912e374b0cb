"""A store with a clock of its own, driven through either shell, and what tests do with it."""

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from typing import Any, Protocol, TypeVar
from uuid import uuid4

from taskflow.definition.calls.idempotency import idempotency_keys
from taskflow.definition.queue import QueueLimits
from taskflow.errors import StaleClaimError
from taskflow.models import AttemptOutcome, RunError, RunStatus
from taskflow.store import operations
from taskflow.store.async_store import AsyncStore
from taskflow.store.operations.claims import ClaimedRun
from taskflow.store.operations.making import NewRun
from taskflow.store.operations.operation import Operation
from taskflow.store.operations.tickets import Ticket
from taskflow.store.operations.version_names import code_name
from taskflow.store.sync_store import OnEnded, Store
from taskflow.store.wire import StoreConfig, new_run_id
from tests.support.servers import RedisServer

ResultT = TypeVar("ResultT")
LEASE, HEARTBEAT = timedelta(seconds=9), timedelta(seconds=3)
ERROR = RunError("Boom", "it broke", "Traceback ...")
CLASS = "small-1x.process"


class Shell(Protocol):
    """Runs operations, as both shells do."""

    def run(self, operation: Operation[ResultT], *, shard: int = 0) -> ResultT: ...


class BlockingAsyncStore:
    """The asyncio shell behind a blocking face, so that one test serves both."""

    def __init__(self, config: StoreConfig, publisher: Any, on_ended: OnEnded) -> None:
        self._loop = asyncio.new_event_loop()
        self.store = AsyncStore(config, publisher, on_ended)

    def run(self, operation: Operation[ResultT], *, shard: int = 0) -> ResultT:
        """Run an operation to its end."""
        return self._loop.run_until_complete(self.store.run(operation, shard=shard))

    def close(self) -> None:
        """Close the connections and the loop."""
        self._loop.run_until_complete(self.store.close())
        self._loop.close()


@dataclass
class Bench:
    """A store with a clock of its own, and what the tests do with it."""

    store: Shell
    config: StoreConfig
    server: RedisServer
    published: list[Ticket] = field(default_factory=list[Ticket])
    ended: list[str] = field(default_factory=list[str])
    now: list[int] = field(default_factory=lambda: [1_800_000_000_000_000])
    numbers: Iterator[int] = field(default_factory=itertools.count)
    shard: int = 0

    @cached_property
    def client(self) -> Any:
        """A client of the server itself."""
        return self.server.client()

    def close(self) -> None:
        """Close that client."""
        self.client.close()

    def publish(self, tickets: Any) -> None:
        """Take the tickets that scripts leave to their caller."""
        self.published += tickets

    def run(self, operation: Operation[ResultT]) -> ResultT:
        """Run an operation, a microsecond later than the last one."""
        self.now[0] += 1
        return self.store.run(operation, shard=self.shard)

    def pass_time(self, seconds: float) -> None:
        """Let the store's clock go on."""
        self.now[0] += round(seconds * 1_000_000)

    def trigger(
        self, queue: str = "task/t", *, limit: int | QueueLimits | None = None, class_name: str = CLASS, **more: Any
    ) -> str:
        """Trigger a run and return its id."""
        key = more.pop("idempotency_key", None)
        new = NewRun(
            id=more.pop("id", new_run_id(self.shard)),
            task_id=more.pop("task_id", "t"),
            payload=more.pop("payload", b'{"a":1}'),
            args=None,
            queue=queue,
            limits=QueueLimits(limit) if isinstance(limit, int) else limit or QueueLimits(),
            class_name=class_name,
            max_attempts=more.pop("max_attempts", 3),
            idempotency_key=idempotency_keys.create(key) if isinstance(key, str) else key,
            **more,
        )
        return self.run(operations.making.trigger_run(new))[0]

    def node(
        self,
        name: str = "n1",
        *,
        capacity: int = 10,
        class_name: str = CLASS,
        queue: str | None = None,
        subtasks: bool = False,
        version: str | None = None,
        tasks: Sequence[str] = ("t",),
    ) -> str:
        """Register a node and return its id."""
        celery_queue = f"{self.config.environment}.{class_name}{f'.{queue}' if queue else ''}"
        queues = [celery_queue, f"{celery_queue}@"] if subtasks else [celery_queue]
        if version:
            queues.append(f"{celery_queue}@{code_name(version, tasks)}")
        self.run(
            operations.nodes.register_node(
                name,
                lease=LEASE,
                queues=queues,
                capacity=capacity,
                classes=[class_name],
                description={},
                tasks=tasks,
            )
        )
        return name

    def claim(self, run_id: str, node: str = "n1", *, pid: int = 0) -> ClaimedRun:
        """Claim a run under its newest reservation."""
        reservation = int(self.field(run_id, "reservation") or 0)
        return self.run(operations.runs.claim_run(run_id, node_id=node, reservation=reservation, pid=pid))

    def finish(self, claimed: ClaimedRun, status: RunStatus = RunStatus.COMPLETED) -> RunStatus:
        """End a claimed run."""
        error = None if status is RunStatus.COMPLETED else ERROR
        return self.run(operations.runs.finish_run(claimed.run_id, claimed.claim, status, output=b'"x"', error=error))

    def give_up(self, claimed: ClaimedRun, outcome: AttemptOutcome = AttemptOutcome.LOST) -> bool:
        """Say that a claimed run's code is gone. Returns whether its claim was still good."""
        try:
            self.run(operations.runs.give_up_run(claimed.run_id, claimed.claim, outcome, ERROR))
        except StaleClaimError:
            return False
        return True

    def status(self, run_id: str) -> RunStatus:
        """Return a run's status."""
        return self.run(operations.runs.read_result(run_id))[0]

    def claim_number(self, run_id: str) -> int:
        """Return the number of a run's newest claim, as the store has it."""
        return int(self.redis("HGET", self.key(f"run:{run_id}"), "claim"))

    def upkeep(self) -> None:
        """Do what is due, as a node with the tick does."""
        while self.run(operations.nodes.promote_runs()):
            continue
        while self.run(operations.nodes.fire_timers()):
            continue
        self.run(operations.nodes.reap_nodes(LEASE, HEARTBEAT, ERROR))
        while self.run(operations.nodes.withdraw_reservations()):
            continue

    def sweep(self) -> None:
        """Look at every queue once."""
        cursor, _ = self.run(operations.nodes.sweep_slots("0"))
        while cursor != "0":
            cursor, _ = self.run(operations.nodes.sweep_slots(cursor))

    def beat(self, node: str) -> None:
        """Renew a node's lease."""
        self.run(operations.nodes.heartbeat_node(node, lease=LEASE))

    def key(self, name: str) -> str:
        """Return a key of this shard."""
        return f"{self.config.base(self.shard)}:{name}"

    def redis(self, *command: str | bytes | int | float) -> Any:
        """Ask the server itself."""
        return self.client.execute_command(*command)

    def field(self, run_id: str, name: str) -> str:
        """Return a field of a run's hash, "" when it has none."""
        found = self.redis("HGET", self.key(f"run:{run_id}"), name)
        return str(found or "")

    def slots(self, queue: str) -> set[str]:
        """Return who holds a slot of a queue."""
        members = self.redis("SMEMBERS", self.key(f"queue:{queue}:slots"))
        return {str(member) for member in members}


def make_bench(server: RedisServer, shell: str = "sync", *, shards: int = 1, shard: int = 0) -> Iterator[Bench]:
    """Make a bench."""
    now = [1_800_000_000_000_000]
    config = StoreConfig(server.url, f"s{uuid4().hex[:6]}", shards=shards, clock=lambda: now[0])
    made = Bench(store=None, config=config, server=server, now=now, shard=shard)  # type: ignore[arg-type]  # set next
    store = (Store if shell == "sync" else BlockingAsyncStore)(config, made, made.ended.extend)
    made.store = store
    yield made
    store.close()
    made.close()


def real_time(bench: Bench) -> StoreConfig:
    """Return a bench's configuration with the server's own clock."""
    return replace(bench.config, clock=None)


def let_time_pass(bench: Bench, *nodes: str, turns: int = 6) -> None:
    """Let upkeep do what it does within a quarter of a minute."""
    for _ in range(turns):
        bench.pass_time(2.5)
        for node in nodes:
            bench.beat(node)
        bench.upkeep()
        bench.sweep()
