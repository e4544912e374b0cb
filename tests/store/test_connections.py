"""The store's two shells when the store does not answer."""

import asyncio
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from taskflow.errors import StoreUnavailableError, UnstorableError
from taskflow.models import RunStatus
from taskflow.store import operations
from taskflow.store.async_store import AsyncStore
from taskflow.store.connections.pools import AsyncConnections
from taskflow.store.operations.making import NewRun
from taskflow.store.sync_store import Store
from taskflow.store.wire import StoreConfig, new_run_id, shard_of_queue, shard_of_run
from tests.support.bench import CLASS, Bench, real_time
from tests.support.servers import RedisServer, free_port


def a_run(shard: int = 0) -> NewRun:
    """Return a new run that starts in an hour: it needs no ticket."""
    return NewRun(new_run_id(shard), "t", b"1", None, "task/t", CLASS, 3, due=timedelta(hours=1))


class Swallower:
    """A proxy that forwards requests and swallows the first ``losses`` replies, closing their connections."""

    def __init__(self, port: int, losses: int) -> None:
        self._port, self._losses = port, losses
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Accept no more."""
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def _forward(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._port)) as server:
            while request := client.recv(65536):
                server.sendall(request)
                reply = server.recv(65536)
                if b"FCALL" in request and not reply.startswith(b"-") and self._losses > 0:
                    self._losses -= 1
                    return
                client.sendall(reply)


@pytest.fixture
def quick(one_bench: Bench) -> StoreConfig:
    """A configuration that gives up after a second."""
    return replace(real_time(one_bench), timeout=timedelta(seconds=1), push_prefix="")


@pytest.fixture
def swallower(request: pytest.FixtureRequest, store_server: RedisServer) -> Iterator[Swallower]:
    """A proxy before the server that loses as many replies as the test is parametrised with."""
    proxy = Swallower(store_server.port, request.param)
    yield proxy
    proxy.close()


def test_a_store_that_is_not_there_is_said_to_be_unavailable_in_time(quick: StoreConfig) -> None:
    """Within the connect timeout, and nothing can have been written."""
    store = Store(replace(quick, url=f"redis://127.0.0.1:{free_port()}/0"))
    new = a_run()
    with pytest.raises(StoreUnavailableError) as raised:
        store.run(operations.making.trigger_run(new))
    assert (raised.value.run_id, raised.value.may_exist) == (new.id, False)


@pytest.mark.parametrize("swallower", [1], indirect=True)
def test_a_lost_reply_is_repeated_and_makes_one_run(quick: StoreConfig, swallower: Swallower, one_bench: Bench) -> None:
    """The same id, twice at the server."""
    store = Store(replace(quick, url=f"redis://127.0.0.1:{swallower.port}/0"))
    new = a_run()
    assert store.run(operations.making.trigger_run(new))[0] == new.id
    assert one_bench.redis("ZCARD", one_bench.key("live")) == 1
    store.close()


@pytest.mark.parametrize("swallower", [10_000], indirect=True)
def test_a_run_whose_replies_were_lost_may_exist(quick: StoreConfig, swallower: Swallower, one_bench: Bench) -> None:
    """The caller is told so, with the id to look it up."""
    store = Store(replace(quick, url=f"redis://127.0.0.1:{swallower.port}/0"))
    new = a_run()
    with pytest.raises(StoreUnavailableError) as raised:
        store.run(operations.making.trigger_run(new))
    assert (raised.value.run_id, raised.value.may_exist) == (new.id, True)
    assert one_bench.redis("ZCARD", one_bench.key("live")) == 1


def test_scripts_are_loaded_again_after_the_server_forgot_them(quick: StoreConfig, one_bench: Bench) -> None:
    """A server without its data has no functions either; a pipeline must get all its replies all the same."""
    store = Store(quick)
    store.run(operations.making.trigger_run(a_run()))
    one_bench.redis("FUNCTION", "FLUSH")
    store.run(operations.making.trigger_run(a_run()))
    one_bench.redis("FUNCTION", "FLUSH")

    async def many() -> list[object]:
        shell = AsyncStore(quick)
        found = await shell.run_many([(operations.making.trigger_run(a_run()), 0) for _ in range(20)])
        await shell.close()
        return found

    assert len(asyncio.run(many())) == 20
    assert one_bench.redis("ZCARD", one_bench.key("live")) == 22
    store.close()


def test_a_canceled_call_leaves_no_reply_behind(quick: StoreConfig) -> None:
    """Or the next call would read another's answer."""

    async def scenario() -> None:
        shell = AsyncStore(quick)
        for _ in range(20):
            call = asyncio.create_task(shell.run(operations.runs.list_runs(5)))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            call.cancel()
            new = a_run()
            assert (await shell.run(operations.making.trigger_run(new)))[0] == new.id
        await shell.close()

    asyncio.run(scenario())


def test_a_forked_child_uses_connections_of_its_own(quick: StoreConfig) -> None:
    """Two processes on one socket would read each other's replies."""
    store = Store(quick)
    store.run(operations.making.trigger_run(a_run()))
    child = os.fork()
    if child == 0:
        try:
            ids = [store.run(operations.making.trigger_run(new))[0] == new.id for new in (a_run() for _ in range(200))]
            os._exit(0 if all(ids) else 1)
        finally:
            os._exit(2)
    for new in (a_run() for _ in range(200)):
        assert store.run(operations.making.trigger_run(new))[0] == new.id
    assert os.waitpid(child, 0)[1] == 0
    store.close()


def test_run_ids_name_their_shard_and_queues_keep_theirs() -> None:
    """No script touches two shards."""
    assert shard_of_run(new_run_id(3)) == 3
    assert shard_of_run("23b5d16f-669b-43e1-811c-8cd7cace9b41") is None
    assert {shard_of_queue(f"q{number}", 2) for number in range(20)} == {0, 1}


def test_a_full_store_takes_no_new_runs_and_lets_the_others_end(one_bench: Bench) -> None:
    """A script is refused as a whole or not at all: half of one would leave a run without a node."""
    one_bench.node()
    one_bench.finish(one_bench.claim(one_bench.trigger()))  # the server has the scripts now
    claimed = one_bench.claim(one_bench.trigger())
    assert one_bench.status(claimed.run_id) is RunStatus.EXECUTING
    impatient = Store(replace(one_bench.config, timeout=timedelta(seconds=0.1)))
    one_bench.redis("CONFIG", "SET", "maxmemory", "1")
    try:
        with pytest.raises(StoreUnavailableError, match="memory"):
            impatient.run(operations.making.trigger_run(a_run()))
        one_bench.finish(claimed)
        assert one_bench.status(claimed.run_id) is RunStatus.COMPLETED
    finally:
        one_bench.redis("CONFIG", "SET", "maxmemory", "0")
        impatient.close()


def test_forked_processes_make_different_ids() -> None:
    """Random digits are read in blocks, which a child must not go on with."""
    new_run_id(0)
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.write(writing, new_run_id(0).encode())
        os._exit(0)
    assert os.read(reading, 100).decode()[-20:] != new_run_id(0)[-20:]
    os.wait()


def test_a_reply_that_comes_too_late_is_not_taken_for_another_ones(quick: StoreConfig, one_bench: Bench) -> None:
    """A store that stops for longer than a read waits answers it later: on a connection that nobody uses any more."""

    async def read() -> None:
        shell = AsyncStore(replace(quick, timeout=timedelta(seconds=0.2)))
        await shell.run(operations.batches.read_statuses(["run_00x"]))
        one_bench.redis("CLIENT", "PAUSE", "800", "ALL")
        with pytest.raises(StoreUnavailableError):
            await shell.read_stream("events", "$", block_ms=10)
        await asyncio.sleep(0.8)
        assert await shell.run(operations.batches.read_statuses(["run_00x"])) == [None]
        await shell.close()

    asyncio.run(read())


def test_a_text_that_cannot_be_sent_leaves_no_connection_open(quick: StoreConfig, one_bench: Bench) -> None:
    async def scenario() -> None:
        store = AsyncStore(quick)
        await store.run(operations.making.trigger_run(a_run()))
        unsendable = replace(a_run(), task_id="\udc80")
        with pytest.raises(UnstorableError):
            await store.run(operations.making.trigger_run(unsendable))
        await store.close()
        await _clients_are(one_bench, before)

    before = _clients(one_bench)
    asyncio.run(scenario())


def test_a_call_that_is_canceled_while_it_connects_leaves_no_connection_open(quick: StoreConfig) -> None:
    async def scenario(listener: socket.socket) -> None:
        port = listener.getsockname()[1]
        store = AsyncStore(replace(quick, url=f"redis://127.0.0.1:{port}/1", timeout=timedelta(seconds=60)))
        call = asyncio.create_task(store.run(operations.making.trigger_run(a_run())))
        client, _ = await asyncio.to_thread(listener.accept)
        with client:
            client.settimeout(10)
            assert await asyncio.to_thread(client.recv, 1000), "a greeting, which is never answered"
            for _ in range(
                50
            ):  # all of it is sent: on Python 3.11 wait_for loses a cancel that meets the end of a write
                await asyncio.sleep(0)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            while await asyncio.to_thread(client.recv, 1000):
                pass  # what was on its way; then the end, which the client's close brings

    with socket.create_server(("127.0.0.1", 0)) as listener:
        asyncio.run(scenario(listener))


def test_a_connection_that_is_given_back_after_the_end_is_closed(quick: StoreConfig, one_bench: Bench) -> None:
    async def scenario() -> None:
        connections = AsyncConnections(quick.url, quick.timeout)
        connection = await connections.acquire()
        await connections.close()
        await connections.release(connection)
        await _clients_are(one_bench, before)

    before = _clients(one_bench)
    asyncio.run(scenario())


def _clients(bench: Bench) -> set[str]:
    return {line.split()[0] for line in bench.redis("CLIENT", "LIST").splitlines()}


async def _clients_are(bench: Bench, expected: set[str]) -> None:
    async with asyncio.timeout(10):
        while _clients(bench) - expected:
            await asyncio.sleep(0.01)
