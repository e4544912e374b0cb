"""With TASKFLOW_STORE_REPLICAS a triggered run is on a replica before its trigger returns."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, TypeVar
from uuid import uuid4

import pytest

from taskflow import ReplicasMissingError, StoreScriptError, StoreUnavailableError
from taskflow.store import operations
from taskflow.store.async_store import AsyncStore
from taskflow.store.operations.batches import read_batch, trigger_runs, write_batch
from taskflow.store.operations.making import NewRun, trigger_run
from taskflow.store.operations.operation import Operation
from taskflow.store.operations.tickets import Ticket
from taskflow.store.sync_store import Store
from taskflow.store.wire import StoreConfig, new_batch_id, new_run_id
from tests.conftest import MakeServer
from tests.support.bench import CLASS, ERROR
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until

ResultT = TypeVar("ResultT")


@dataclass
class Pair:
    """A server with a replica, and one of the shells that triggers on it."""

    server: RedisServer
    replica: RedisServer
    config: StoreConfig
    is_async: bool
    published: list[str] = field(default_factory=list[str])

    def run(self, operation: Operation[ResultT]) -> ResultT:
        """Run an operation on the server, on connections of its own."""
        return self._with_store(lambda store: store.run(operation), lambda store: store.run(operation))

    def run_many(self, described: list[Operation[Any]]) -> list[Any]:
        """Run operations in one write."""
        writes = [(operation, 0) for operation in described]
        return self._with_store(lambda store: store.run_many(writes), lambda store: store.run_many(writes))

    def publish(self, tickets: Sequence[Ticket]) -> None:
        """Take the tickets that scripts leave to their caller."""
        self.published += [ticket.run_id for ticket in tickets]

    def has(self, run_id: str) -> bool:
        """Whether the replica knows a run."""
        with contextlib.closing(self.replica.client()) as client:
            return bool(client.execute_command("EXISTS", f"{self.config.base(0)}:run:{run_id}"))

    @contextlib.contextmanager
    def frozen(self) -> Generator[None]:
        """Let the replica hear nothing for a while, and wait for it no longer than a second."""
        patient, self.config = self.config, replace(self.config, timeout=timedelta(seconds=1))
        os.kill(self.replica.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.replica.pid, signal.SIGCONT)
            self.config = patient

    def _with_store(
        self, blocking: Callable[[Store], ResultT], awaited: Callable[[AsyncStore], Awaitable[ResultT]]
    ) -> ResultT:
        if not self.is_async:
            with contextlib.closing(Store(self.config, self)) as store:
                return blocking(store)

        async def call() -> ResultT:
            store = AsyncStore(self.config, self)
            try:
                return await awaited(store)
            finally:
                await store.close()

        return asyncio.run(call())


@pytest.fixture(params=["sync", "async"])
def shell(request: pytest.FixtureRequest) -> str:
    """Each of the shells."""
    return str(request.param)


@pytest.fixture(params=["Valkey", "Redis 7"])
def pair(request: pytest.FixtureRequest, shell: str, start_valkey: MakeServer, start_redis7: MakeServer) -> Pair:
    """A server and its replica, in step."""
    start = start_valkey if request.param == "Valkey" else start_redis7
    server, replica = start(), start()
    with contextlib.closing(server.client()) as client:
        client.execute_command("CONFIG", "SET", "repl-diskless-sync-delay", 0)
    with contextlib.closing(replica.client()) as client:
        client.execute_command("REPLICAOF", "127.0.0.1", server.port)
    with contextlib.closing(server.client()) as client:
        wait_until(lambda: _is_in_step(client), "the replica to be in step")
    config = StoreConfig(server.url, f"s{uuid4().hex[:6]}", timeout=timedelta(seconds=10), replicas=1)
    return Pair(server, replica, config, shell == "async")


def _is_in_step(client: Any) -> bool:
    client.set("step", "")
    return bool(client.wait(1, 200) == 1)


def a_run() -> NewRun:
    """Return a run that can be written."""
    return NewRun(new_run_id(0), "t", b"1", None, "task/t", CLASS, 3)


def test_a_run_survives_its_server_from_the_moment_its_trigger_returns(pair: Pair) -> None:
    """A failover takes what the replica had not heard of."""
    made = [pair.run(trigger_run(a_run()))[0] for _ in range(20)]
    made += [run_id for run_id, _ in pair.run_many([trigger_runs([a_run(), a_run()])])[0]]
    pair.server.kill()
    assert len(made) == 22
    assert all(pair.has(run_id) for run_id in made)


def test_a_trigger_that_no_replica_confirms_says_that_the_run_may_exist(pair: Pair) -> None:
    """It does on the server; the same trigger again makes no second one, and is confirmed when the replica is back."""
    first, more = a_run(), [a_run(), a_run()]
    with pair.frozen():
        with pytest.raises(ReplicasMissingError, match="0 of the 1 replicas") as alone:
            pair.run(trigger_run(first))
        with pytest.raises(ReplicasMissingError, match=r"0 of the 1 replicas .* had it after 0.5 s"):
            pair.run_many([trigger_run(each) for each in more])
    assert (alone.value.run_id, alone.value.may_exist) == (first.id, True)
    assert pair.run(trigger_run(first)) == (first.id, False)
    assert pair.run_many([trigger_run(each) for each in more]) == [(each.id, False) for each in more]
    assert all(pair.has(each.id) for each in (first, *more))


def test_a_repeated_trigger_is_confirmed_though_it_writes_nothing(pair: Pair) -> None:
    """The reply of the first was lost: its run is what the replica must have."""
    new = a_run()
    with pair.frozen():
        for _ in range(2):
            with pytest.raises(ReplicasMissingError, match="0 of the 1 replicas"):
                pair.run(trigger_run(new))


def test_what_is_kept_of_a_batch_is_confirmed_like_its_runs(pair: Pair) -> None:
    """Its handle leads to them."""
    with pair.frozen(), pytest.raises(ReplicasMissingError, match="What was triggered exists"):
        pair.run(write_batch(new_batch_id("", 1), 0, [], count=0))


def test_what_makes_no_run_waits_for_no_replica(pair: Pair) -> None:
    """Workers go on while replicas are away."""
    run_id, _ = pair.run(trigger_run(a_run()))
    with pair.frozen():
        assert pair.run(operations.runs.read_result(run_id))[0].name == "QUEUED"
        assert pair.run(operations.runs.cancel_run(run_id, ERROR))


def test_a_run_that_no_replica_has_starts_all_the_same(pair: Pair) -> None:
    """It exists: its ticket goes to the broker, and it is upkeep's only if the broker fails."""
    with pair.frozen():
        alone, more = a_run(), [a_run(), a_run()]
        with pytest.raises(ReplicasMissingError):
            pair.run(trigger_run(alone))
        with pytest.raises(ReplicasMissingError) as missing:
            pair.run_many([read_batch(new_batch_id("", 1)), *(trigger_run(each) for each in more)])
    assert pair.published == [alone.id, *(each.id for each in more)]
    assert missing.value.run_id == more[0].id


def test_what_the_script_says_goes_before_what_replicas_say(pair: Pair) -> None:
    """A run that was refused is nothing that a replica could have."""
    broken = f"{pair.config.base(0)}:live"
    with contextlib.closing(pair.server.client()) as client:
        client.execute_command("SET", broken, "x")
    with pair.frozen():
        with pytest.raises(StoreScriptError, match="WRONGTYPE"):
            pair.run(trigger_run(a_run()))
        [refused] = pair.run_many([trigger_run(a_run())])
    assert isinstance(refused, StoreScriptError)


def test_a_server_that_does_not_answer_for_its_replicas_is_told(pair: Pair) -> None:
    """Such as one that may not be asked: nobody takes that for a yes."""
    with contextlib.closing(pair.server.client()) as client:
        client.execute_command("ACL", "SETUSER", "default", "-wait")
    new = a_run()
    for trigger in (lambda: pair.run(trigger_run(new)), lambda: pair.run_many([trigger_run(new)])):
        with pytest.raises(StoreUnavailableError, match=r"(?i)permissions") as refused:
            trigger()
        assert refused.value.may_exist
