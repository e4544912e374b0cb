"""Streams of runs on real nodes: items reach readers, and the run that reads them, while it executes."""

import asyncio
import statistics
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from taskflow import (
    OutsideRunError,
    RunNotFoundError,
    RunStatus,
    StreamClosedError,
    StreamError,
    StreamTimeoutError,
    Task,
    runs,
)
from taskflow.seams.streams import StreamAddress
from tests.conftest import StartFleet
from tests.projects import streaming_tasks as tasks
from tests.projects.streaming_tasks import Approval, approval, other_shared, shared, times, tokens
from tests.support.commands import run_command, start_command
from tests.support.fleet import ROOT, TASKS, Fleet
from tests.support.measured_time import measured_unit
from tests.support.processes import kill_group, spawn, stop_group
from tests.support.servers import RedisServer, free_port
from tests.support.waiting import wait_until

BOTH = f"{TASKS},tests.projects.streaming_tasks"


@pytest.fixture
def fleet(start_fleet: StartFleet, valkey: RedisServer) -> Fleet:
    return start_fleet(valkey.url)


def executor_of(task: Task[Any, Any]) -> str:
    return task.definition.executor


@pytest.mark.timeout(60)
def test_all_that_a_process_run_tells_is_read_in_order_across_its_attempts(fleet: Fleet) -> None:
    """The failed attempt's items stay. Reading ends with the run."""
    fleet.start_node(TASKFLOW_TASKS=BOTH)
    handle = tasks.tell.trigger(5000)
    words = [f"word-{number}" for number in range(5000)]
    assert [*tokens.read(handle.id, timeout=20)] == [*words, *words, "written", "last"]
    assert handle.result(timeout=20) == "".join(words)
    assert [*tokens.read(handle.id, start_index=10_000)] == ["written", "last"]
    assert [*shared.read(handle.id)] == []


@pytest.mark.timeout(60)
def test_coroutines_of_one_process_tell_each_its_own(fleet: Fleet) -> None:
    """Fifty at a time, read by fifty coroutines over one connection for all notices."""
    fleet.start_node(executor="async", concurrency=50, TASKFLOW_TASKS=BOTH)
    handles = [tasks.atell.trigger(number) for number in range(50)]

    async def read(run_id: str) -> list[str]:
        return [item async for item in tokens.aread(run_id, timeout=20)]

    async def read_all() -> list[list[str]]:
        return await asyncio.gather(*(read(handle.id) for handle in handles))

    for number, found in enumerate(asyncio.run(read_all())):
        assert found == [*(f"word-{each}" for each in range(number)), "written", "last"]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("task", [tasks.slow, tasks.aslow], ids=executor_of)
def test_an_item_reaches_its_readers_while_the_run_goes_on(fleet: Fleet, task: Task[int, None]) -> None:
    """Readers are notified and do not poll: an item takes a millisecond on an idle machine, more on a busy one."""
    fleet.start_node(executor=executor_of(task), TASKFLOW_TASKS=BOTH)
    handle = task.trigger(50)
    late: list[float] = []
    with measured_unit() as unit:
        for written in times.read(handle.id, timeout=20):
            late.append(time.time() - written)
            if len(late) == 50:
                assert handle.status() is RunStatus.EXECUTING
                approval.send(handle.id, Approval(by="me", yes=True))
    assert statistics.median(late[5:]) < unit.times(5)
    assert handle.status() is RunStatus.COMPLETED


@pytest.mark.timeout(60)
def test_no_item_is_lost_or_read_twice_however_often_connections_are_lost(fleet: Fleet, valkey: RedisServer) -> None:
    """CLIENT KILL closes all connections of the writing run and of its readers, again and again."""
    fleet.start_node(executor="async", TASKFLOW_TASKS=BOTH)
    handle = tasks.hang.trigger()
    seen: dict[str, list[int]] = {"thread": [], "coroutine": []}

    def read() -> None:
        seen["thread"] += shared.read(handle.id)

    async def aread() -> None:
        seen["coroutine"] += [item async for item in shared.aread(handle.id)]

    readers = [threading.Thread(target=read), threading.Thread(target=lambda: asyncio.run(aread()))]
    for reader in readers:
        reader.start()
    client = valkey.client()
    for _ in range(20):
        for kind in ("normal", "pubsub"):
            client.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
        readers[0].join(0.05)
    wait_until(lambda: len(told(fleet, handle.id)) > 100, "100 items")
    handle.cancel()
    for reader in readers:
        reader.join(20)
    expected = [100_000 + number for number in range(1, len(told(fleet, handle.id)) + 1)]
    assert seen["thread"] == seen["coroutine"] == expected


def told(fleet: Fleet, run_id: str) -> list[int]:
    """Return the items that are there now."""
    place = StreamAddress(run_id, "stream", "shared")
    return [int(document) for document in fleet.flow.engine.streams.read(place, 0, follow=False)]


@pytest.mark.timeout(60)
def test_a_worker_that_lost_its_run_tells_nothing_more(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """It was frozen for longer than its lease. No item of the first attempt may follow one of the second."""
    fleet = start_fleet(valkey.url, lease=2, heartbeat=0.5)
    node = fleet.start_node(executor="async", TASKFLOW_TASKS=BOTH)
    handle = tasks.hang.trigger()
    reading = shared.read(handle.id, timeout=30)
    first = next(reading)
    node.freeze()
    fleet.start_node(executor="async", TASKFLOW_TASKS=BOTH)
    items = [first]
    for item in reading:
        items.append(item)
        if item == 200_001:
            node.wake()
    assert items == sorted(items)
    assert items[-1] == 200_021


@pytest.mark.timeout(60)
@pytest.mark.parametrize("shards", [1, 3])
def test_children_tell_their_parent_and_the_root(start_fleet: StartFleet, valkey: RedisServer, shards: int) -> None:
    """The items of each child are in order. The parent reads them while it goes on, on any shard."""
    fleet = start_fleet(valkey.url, shards=shards)
    fleet.start_node(concurrency=4, TASKFLOW_TASKS=BOTH)
    items = tasks.parent.trigger(3).result(timeout=30)
    assert sorted(items) == sorted([each * 1000 + n for each in (1, 2, 3) for n in range(100)] + [-1, -2, -3])
    for each in (1, 2, 3):
        own = [item for item in items if item // 1000 == each]
        assert own == sorted(own)


@pytest.mark.timeout(60)
def test_a_full_stream_refuses_what_is_too_much(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """A later call of the run raises the error, with a remedy."""
    fleet = start_fleet(valkey.url, stream_items=2500)
    fleet.start_node(TASKFLOW_TASKS=BOTH)
    assert "TASKFLOW_STREAM_ITEMS" in tasks.fill.trigger(100_000).result(timeout=20)
    assert tasks.fill.trigger(2500).result(timeout=20) == "filled"


@pytest.mark.timeout(60)
def test_anybody_may_append_to_a_live_run(fleet: Fleet) -> None:
    """A script or a web server appends in order, or is refused with the reason."""
    handle = tasks.fill.trigger(1, delay="1h")
    tokens.append("a", target=handle.id)
    with tokens.writer(target=handle.id) as write:
        for number in range(3000):
            write(str(number))
    assert tokens.pipe(["b", "c"], target=handle.id).drain() == 2

    async def append() -> None:
        await tokens.aappend("d", target=handle.id)
        assert await tokens.apipe(tasks.awords(2), target=handle.id).adrain() == 2
        await tokens.aclose(target=handle.id)

    asyncio.run(append())
    expected = ["a", *map(str, range(3000)), "b", "c", "d", "word-0", "word-1"]
    assert [*tokens.read(handle.id)] == expected, "a closed stream ends its readers, too"
    assert [*tokens.read(handle.id, start_index=3001)] == expected[3001:]
    with pytest.raises(StreamClosedError, match="closed"):
        tokens.append("e", target=handle.id)
    with pytest.raises(StreamClosedError, match="closed"), tokens.writer(target=handle.id) as write:
        write("e")
    with pytest.raises(RunNotFoundError):
        tokens.append("e", target="run_unknown")
    with pytest.raises(RunNotFoundError):
        next(tokens.read("run_unknown"))
    with pytest.raises(OutsideRunError):
        tokens.append("e")
    with pytest.raises(StreamError, match="does not fit"):
        shared.append("e", target=handle.id)  # type: ignore[arg-type]  # a number
    shared.append(1, target=handle.id)
    with pytest.raises(StreamTimeoutError, match="Item 1 ") as silent:
        list(shared.read(handle.id, timeout=0.05))
    assert silent.value.index == 1
    with pytest.raises(StreamError, match="does not fit"):
        next(other_shared.read(handle.id))


def answer(run_id: str, *names: str) -> None:
    """Send a run its answers, and close the stream."""
    for name in names:
        approval.send(run_id, Approval(by=name, yes=True))
    approval.close(run_id)


@pytest.mark.timeout(60)
def test_a_run_is_told_before_and_while_it_executes(fleet: Fleet) -> None:
    """Each attempt reads from the beginning. A run that has ended gets no items."""
    handle = tasks.ask.trigger(3)
    approval.send(handle.id, Approval(by="early", yes=True))
    fleet.start_node(TASKFLOW_TASKS=BOTH)
    wait_until(lambda: ["asks", handle.id, "2"] in fleet.ledger(), "the second attempt to ask")
    answer(handle.id, "b", "c")
    assert handle.result(timeout=20) == ["early", "b", "c"]
    for run_id, error in ((handle.id, StreamClosedError), ("run_unknown", RunNotFoundError)):
        with pytest.raises(error):
            approval.send(run_id, Approval(by="late", yes=True))
        with pytest.raises(error):
            asyncio.run(approval.asend(run_id, Approval(by="late", yes=True)))


@pytest.mark.timeout(60)
def test_coroutines_of_a_run_share_what_it_is_told(fleet: Fleet) -> None:
    """Each item is taken once."""
    fleet.start_node(executor="async", TASKFLOW_TASKS=BOTH)
    handle = tasks.aask.trigger(3)
    wait_until(lambda: ["asks", handle.id, "1"] in fleet.ledger(), "it to ask")
    answer(handle.id, "a", "b", "c", "d", "e")
    assert handle.result(timeout=20) == ["a", "b", "c", "d", "e"]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("task", [tasks.wait_for_answers, tasks.await_answers], ids=executor_of)
def test_a_run_waits_for_answers_without_a_slot(fleet: Fleet, task: Task[float, list[str]]) -> None:
    """Its queue has one slot, which others take meanwhile. The items that the run writes stay in order."""
    fleet.start_node(executor=executor_of(task), TASKFLOW_TASKS=BOTH)
    handles = [task.trigger(0.2) for _ in range(2)]
    for handle in handles:
        wait_until(lambda run_id=handle.id: runs.retrieve(run_id).status is RunStatus.WAITING, "it to wait")  # type: ignore[misc]  # a bound default
    for handle in handles:
        approval.send(handle.id, Approval(by="first", yes=True))
    for handle in handles:
        reading = tokens.read(handle.id, timeout=20)
        assert [next(reading), next(reading)] == ["before", "after"]
    time.sleep(0.5)  # longer than the runs wait for the second answer
    for handle in handles:
        answer(handle.id, "b", "c", "d")
    expected = ["first", "no 1", "b", "c", "d", "heard first", "heard b", "heard c", "heard d"]
    for handle in handles:
        assert handle.result(timeout=20) == expected


@pytest.mark.timeout(60)
def test_nothing_that_is_told_is_lost_when_a_run_gets_a_new_claim(fleet: Fleet) -> None:
    """Items that are being sent when a wait ends carry the claim before it."""
    fleet.start_node(executor="async", TASKFLOW_TASKS=BOTH)
    handle = tasks.tell_while_waiting.trigger(60)
    names = [f"n{number}" for number in range(60)]
    for number, name in enumerate(names):
        approval.send(handle.id, Approval(by=name, yes=True))
        if number % 3 == 0:
            time.sleep(0.01)
    assert [*tokens.read(handle.id, timeout=20)] == names
    assert handle.result(timeout=20) is None
    assert "run.unreported" not in fleet.nodes[0].output()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("task", [tasks.on, tasks.aon], ids=executor_of)
def test_a_function_hears_what_its_run_is_told(fleet: Fleet, task: Task[int, list[str]]) -> None:
    """It is called while the run computes. A function that raises is called with the next item all the same."""
    fleet.start_node(executor=executor_of(task), TASKFLOW_TASKS=BOTH)
    handle = task.trigger(3)
    approval.send(handle.id, Approval(by="a", yes=False))
    wait_until(lambda: ["listens", handle.id] in fleet.ledger(), "it to listen")
    for name in ("b", "c"):
        approval.send(handle.id, Approval(by=name, yes=True))
    assert handle.result(timeout=20) == ["a", "b", "c"]


@pytest.mark.timeout(60)
def test_the_command_line_prints_and_tells(fleet: Fleet) -> None:
    """It prints JSON documents as they come, and refuses with a remedy text that is not JSON."""
    fleet.start_node(executor="async", TASKFLOW_TASKS=BOTH)
    handle = tasks.aslow.trigger(3)
    send, followed = ("runs", "send", handle.id, "approval"), fleet.folder / "followed"
    with followed.open("wb") as output:
        follow = ("runs", "stream", handle.id, "times", "-f", "--start", "1")
        following = start_command(*follow, env=fleet.env(), output=output)
    wrong = run_command(*send, "{x", env=fleet.env())
    assert "Quote it for the shell" in wrong.stderr.replace("\n", " ")
    right = run_command(*send, '{"by":"me","yes":0}', env=fleet.env())
    assert f"{handle.id} was told item 0 of approval" in right.stdout
    assert following.wait(30) == 0
    kill_group(following)
    lines = followed.read_text().splitlines()
    assert [*map(float, lines)] == [*times.read(handle.id, start_index=1)]
    whole = run_command("runs", "stream", handle.id, "times", env=fleet.env())
    assert whole.stdout.splitlines()[1:] == lines
    assert (wrong.returncode, right.returncode, following.returncode) == (1, 0, 0)


@pytest.mark.timeout(60)
def test_the_example_page_gets_its_words_while_the_task_runs(fleet: Fleet) -> None:
    """They come as Server-Sent Events. A browser that reconnects goes on behind its last word."""
    fleet.start_node(TASKFLOW_TASKS="examples.tokens")
    port = free_port()
    command = [sys.executable, "-m", "flask", "--app", "examples.tokens", "run", "--port", str(port)]
    log = fleet.folder / "site.log"
    with log.open("wb") as output:
        site = spawn(command, env=fleet.env(), cwd=ROOT, output=output)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as browser:
            wait_until(lambda: is_up(browser), f"the site to answer; its log: {log}", timeout=20)
            run_id = browser.post("/ask", content="Why?").text
            with browser.stream("GET", f"/tokens/{run_id}") as events:
                lines = events.iter_lines()
                first, status = next(lines), runs.retrieve(run_id).status
                rest = [*lines]
            assert (first, status) == ("id: 1", RunStatus.EXECUTING)
            assert rest[-3:] == ["event: end", "data:", ""]
            again = browser.get(f"/tokens/{run_id}", headers={"Last-Event-ID": "7"}).text
            assert again == 'id: 8\ndata: "question. "\n\nevent: end\ndata:\n\n'
    finally:
        stop_group(site)


def is_up(browser: httpx.Client) -> bool:
    """Whether the site answers."""
    try:
        return browser.get("/").status_code == 200
    except httpx.TransportError:
        return False


Call = Callable[[], object]


def test_blocking_verbs_are_refused_in_an_event_loop(fleet: Fleet) -> None:
    """Their errors name the twins."""
    handle = tasks.fill.trigger(1, delay="1h")
    calls: list[tuple[Call, str]] = [
        (lambda: tokens.append("a", target=handle.id), "aappend"),
        (lambda: tokens.close(target=handle.id), "aclose"),
        (lambda: tokens.pipe(["a"], target=handle.id).drain(), "awrite"),
        (lambda: tokens.read(handle.id), "aread"),
        (lambda: approval.send(handle.id, Approval(by="a", yes=True)), "asend"),
        (lambda: approval.once(), "aonce"),
        (lambda: approval.peek(), "apeek"),
        (lambda: approval.wait(), "await_next"),
    ]

    async def call() -> None:
        for verb, twin in calls:
            with pytest.raises(RuntimeError, match=twin):
                verb()

    asyncio.run(call())
