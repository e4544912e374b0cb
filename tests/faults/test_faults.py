"""Runs survive faults of worker, child, broker and store. The judge is a ledger that taskflow never reads."""

import contextlib
import random
import signal
import time
from pathlib import Path

import pytest

from taskflow import AttemptOutcome, RunHandle, RunStatus, StoreUnavailableError
from taskflow.store.operations.tickets import Ticket
from tests.conftest import MakeServer, StartFleet
from tests.faults.proxy import Proxy, through
from tests.projects import fleet_tasks as tasks
from tests.projects import waiting_tasks
from tests.support.fleet import Fleet, Node
from tests.support.measured_time import measured_unit
from tests.support.permanent_keys import is_permanent
from tests.support.processes import is_alive
from tests.support.servers import RabbitServer, RedisServer
from tests.support.waiting import wait_until

QUICK = {"lease": 3, "heartbeat": 1, "reservation_timeout": 2}


def starts(fleet: Fleet, run_id: str) -> list[float]:
    """Return the times at which a run's attempts started, from the ledger."""
    return [float(line[4]) for line in fleet.ledger() if line[0] == "start" and line[1] == run_id]


def assert_nothing_is_left(fleet: Fleet, server: RedisServer) -> None:
    """Check that no slot, ticket, timer or live run is left, and no key without TTL except the listed ones."""
    client = server.client()
    base = f"{{tf:{fleet.environment}:0}}"
    try:
        keys = [str(key) for key in client.execute_command("KEYS", f"{base}*")]
        leftovers = [":slots", ":pending:", ":tickets:", ":unclaimed:", ":runs"]
        assert not [key for key in keys if any(part in key for part in leftovers) or key.endswith(":delayed")]
        assert client.execute_command("ZCARD", f"{base}:live") == 0
        without = [key for key in keys if client.execute_command("PTTL", key) == -1]
        assert not [key for key in without if not is_permanent(key)]
    finally:
        client.close()


@pytest.mark.timeout(90)
@pytest.mark.parametrize("executor", ["process", "async"])
def test_a_run_of_a_killed_worker_starts_again_within_ten_seconds(
    start_fleet: StartFleet, valkey: RedisServer, executor: str
) -> None:
    """It does so at the default lease. Celery loses it, or starts it again after an hour."""
    fleet = start_fleet(valkey.url)
    first = fleet.start_node(executor=executor)
    task = tasks.sleep if executor == "process" else tasks.async_sleep
    handle = task.trigger(tasks.Nap(seconds=30, again=0))
    wait_until(lambda: starts(fleet, handle.id), "the run to start")
    second = fleet.start_node(executor=executor)
    wait_until(lambda: " ready." in second.output(), "it to have looked for dead nodes of its host, as at each start")
    killed = time.time()
    with measured_unit() as unit:
        first.kill()
        handle.result(timeout=60)
    began, again = starts(fleet, handle.id)
    assert began < killed
    assert again - killed < unit.times(200)
    lost, completed = handle.retrieve().attempts
    assert (lost.outcome, completed.outcome) == (AttemptOutcome.LOST, AttemptOutcome.COMPLETED)
    assert lost.error is not None
    assert "lease" in lost.error.message
    assert_nothing_is_left(fleet, valkey)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("executor", ["process", "async"])
def test_a_frozen_worker_that_wakes_is_refused_and_stopped(
    start_fleet: StartFleet, valkey: RedisServer, executor: str
) -> None:
    """Its lease has ended, and another node has the run. The code stops within a heartbeat."""
    fleet = start_fleet(valkey.url, **QUICK)
    frozen = fleet.start_node(executor=executor)
    task = tasks.sleep if executor == "process" else tasks.async_sleep
    handle = task.trigger(tasks.Nap(seconds=8))
    wait_until(lambda: starts(fleet, handle.id), "the run to start")
    fleet.start_node(executor=executor)
    frozen.freeze()  # for a shorter time than the nap, which goes on by the clock
    wait_until(lambda: len(starts(fleet, handle.id)) == 2, "the run to start elsewhere", timeout=10)
    frozen.wake()
    wait_until(lambda: "node.back" in frozen.output(), "the woken node to register anew", timeout=5)
    handle.result(timeout=20)
    ends = [line for line in fleet.ledger() if line[0] == "end"]
    assert [line[2] for line in ends] == ["2"]
    assert [a.outcome for a in handle.retrieve().attempts] == [AttemptOutcome.LOST, AttemptOutcome.COMPLETED]
    if executor == "process":
        assert tasks.echo.trigger("again").result(timeout=10) == "again"


@pytest.mark.timeout(60)
def test_children_and_what_they_spawned_die_with_their_node(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """Only the parent process is killed."""
    fleet = start_fleet(valkey.url)
    node = fleet.start_node()
    tasks.spawn_sleep.trigger(60.0)
    wait_until(lambda: any(line[0] == "spawned" for line in fleet.ledger()), "the task to spawn")
    spawned = int(fleet.ledger()[-1][2])
    family = [*node.family(), spawned]
    node.process.send_signal(signal.SIGKILL)
    wait_until(lambda: not [pid for pid in family if is_alive(pid)], "the family to die", timeout=5)


@pytest.mark.timeout(150)
def test_a_limit_holds_while_nodes_are_killed_at_random(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """200 runs, limit 3, four nodes, one of them killed every 2 s: at most 3 are alive at a time, and all complete."""
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    fleet = start_fleet(valkey.url, **QUICK)
    nodes = [fleet.start_node() for _ in range(4)]
    handles = [tasks.three.trigger(tasks.Nap(seconds=dice.uniform(0.1, 0.3))) for _ in range(200)]
    deaths: dict[int, float] = {}
    next_kill = time.monotonic() + 2
    while any(not handle.status().is_finished for handle in handles[-5:]) or time.monotonic() < next_kill:
        if time.monotonic() >= next_kill:
            victim = dice.randrange(len(nodes))
            _kill(nodes[victim], deaths)
            nodes[victim] = fleet.start_node(wait=False)
            next_kill = time.monotonic() + 2
        time.sleep(0.05)  # the pace of the driver, not a wait for a result
    for handle in handles:
        handle.result(timeout=60)
    assert _most_alive(fleet, deaths) <= 3
    assert {handle.status() for handle in handles} == {RunStatus.COMPLETED}
    assert_nothing_is_left(fleet, valkey)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("fsync, is_killed", [("everysec", False), ("always", True)])
def test_a_restart_of_the_store_loses_and_repeats_nothing(
    start_fleet: StartFleet, start_valkey: MakeServer, fsync: str, is_killed: bool
) -> None:
    """There is load, and runs are in every state. Runs that kept executing do not start twice."""
    server = start_valkey(appendfsync=fsync)
    fleet = start_fleet(server.url, connect_timeout=10, **(QUICK | {"lease": 9, "heartbeat": 3}))
    fleet.start_node(concurrency=4)
    fleet.start_node(executor="async", concurrency=100)
    running = [tasks.sleep.trigger(tasks.Nap(seconds=4)) for _ in range(3)]
    before = [tasks.async_sleep.trigger(tasks.Nap(seconds=0.2)) for _ in range(100)]
    wait_until(lambda: all(starts(fleet, handle.id) for handle in running), "the runs to start")
    server.restart(kill=is_killed)
    after = [tasks.async_sleep.trigger(tasks.Nap(seconds=0.1)) for _ in range(50)]
    delayed = tasks.sleep.trigger(tasks.Nap(), delay=1)
    everything: list[RunHandle[str]] = [*running, *before, *after, delayed]
    for handle in everything:
        handle.result(timeout=60)
    assert all(len(starts(fleet, handle.id)) == 1 for handle in running)
    assert {handle.status() for handle in everything} == {RunStatus.COMPLETED}


@pytest.mark.slow
@pytest.mark.timeout(150)
def test_thirty_seconds_without_the_store_take_no_run_away(start_fleet: StartFleet, start_valkey: MakeServer) -> None:
    """Nodes go on. A trigger raises an error. No run starts twice when the store is back."""
    server = start_valkey()
    fleet = start_fleet(server.url, connect_timeout=2)
    fleet.start_node(concurrency=2)
    fleet.start_node(executor="async", concurrency=10)
    running = [tasks.sleep.trigger(tasks.Nap(seconds=8)), tasks.sleep.trigger(tasks.Nap(seconds=40))]
    coroutine = tasks.async_sleep.trigger(tasks.Nap(seconds=8))
    wait_until(lambda: all(starts(fleet, handle.id) for handle in (*running, coroutine)), "the runs to start")
    server.stop()
    gone = time.monotonic()
    with measured_unit() as unit:
        with pytest.raises(StoreUnavailableError) as raised:
            tasks.sleep.trigger(tasks.Nap())
        took = time.monotonic() - gone
    assert raised.value.run_id
    assert took < unit.times(80)
    wait_until(lambda: time.monotonic() - gone > 30, "the outage to last", timeout=40)
    server.start()
    for handle in (*running, coroutine):
        handle.result(timeout=60)
        assert len(starts(fleet, handle.id)) == 1
    assert tasks.echo.trigger("back").result(timeout=20) == "back"


def test_a_trigger_that_fails_before_its_run_is_made_says_so(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """The first trigger of a task registers the task in the store before, which may stay unanswered."""
    with contextlib.closing(Proxy(valkey.port)) as proxy:
        start_fleet(through(proxy, valkey.url), connect_timeout=0.3)
        proxy.is_stalled = True
        with pytest.raises(StoreUnavailableError) as raised:
            tasks.sleep.trigger(tasks.Nap())
        assert (bool(raised.value.run_id), raised.value.may_exist) == (True, False)
        proxy.heal()
        tasks.sleep.trigger(tasks.Nap())
        proxy.is_stalled = True
        with pytest.raises(StoreUnavailableError) as raised:
            tasks.sleep.trigger(tasks.Nap())
        assert (bool(raised.value.run_id), raised.value.may_exist) == (True, True)
        proxy.heal()


@pytest.mark.timeout(120)
def test_a_restart_of_rabbitmq_loses_nothing(
    start_fleet: StartFleet, valkey: RedisServer, rabbitmq: RabbitServer
) -> None:
    """Runs triggered before, during and after it complete, each started once."""
    fleet = start_fleet(valkey.url, rabbitmq.url, connect_timeout=1, **QUICK)
    fleet.start_node(concurrency=2)
    fleet.start_node(executor="async", concurrency=50)
    running = tasks.sleep.trigger(tasks.Nap(seconds=5))
    before = [tasks.async_sleep.trigger(tasks.Nap(seconds=0.1)) for _ in range(50)]
    wait_until(lambda: starts(fleet, running.id), "the run to start")
    rabbitmq.stop()
    during = [tasks.async_sleep.trigger(tasks.Nap()) for _ in range(3)]
    rabbitmq.start()
    after = [tasks.async_sleep.trigger(tasks.Nap()) for _ in range(20)]
    for handle in (running, *before, *during, *after):
        handle.result(timeout=60)
        assert len(starts(fleet, handle.id)) == 1


@pytest.mark.timeout(60)
def test_a_node_that_loses_rabbitmq_in_the_midst_of_runs_goes_on(
    start_fleet: StartFleet, valkey: RedisServer, rabbitmq: RabbitServer
) -> None:
    """Waiting tickets arrive as soon as it is back, at a node whose consumer is not complete yet."""
    with contextlib.closing(Proxy(rabbitmq.port)) as proxy:
        fleet = start_fleet(valkey.url, rabbitmq.url, **QUICK)
        url = through(proxy, rabbitmq.url)
        node = fleet.start_node(executor="async", concurrency=40, TASKFLOW_BROKER_URL=url)
        handles = [tasks.async_sleep.trigger(tasks.Nap(seconds=4)) for _ in range(3)]
        wait_until(lambda: len(fleet.ledger()) == 3, "the first runs to start")
        proxy.refuses = True
        proxy.drop()
        handles += [tasks.async_sleep.trigger(tasks.Nap()) for _ in range(60)]
        proxy.refuses = False
        for handle in handles:
            handle.result(timeout=30)
            assert len(starts(fleet, handle.id)) == 1
        assert node.process.poll() is None


@pytest.mark.timeout(60)
def test_what_needs_no_broker_goes_on_without_rabbitmq(
    start_fleet: StartFleet, valkey: RedisServer, rabbitmq: RabbitServer
) -> None:
    """The children of a canceled run are canceled, although no ticket can be published."""
    with contextlib.closing(Proxy(rabbitmq.port)) as proxy:
        fleet = start_fleet(valkey.url, through(proxy, rabbitmq.url), connect_timeout=1, **QUICK)
        node = fleet.start_node()
        child = tasks.sleep.trigger(tasks.Nap(), delay=60)
        base = f"{{tf:{fleet.environment}:0}}"
        proxy.refuses = True
        proxy.drop()
        tasks.sleep.trigger(tasks.Nap())  # its ticket can't be published
        wait_until(lambda: "upkeep.waiting" in node.output(), "upkeep to miss the broker", timeout=20)
        with contextlib.closing(valkey.client()) as client:
            client.execute_command("SADD", f"{base}:children:run_gone", child.id)
            client.execute_command("SADD", f"{base}:effects", "cancel-children:run_gone")
            wait_until(lambda: not client.execute_command("EXISTS", f"{base}:effects"), "the effect", timeout=20)
        assert child.status() is RunStatus.CANCELED
        proxy.refuses = False


@pytest.mark.timeout(60)
def test_a_ticket_that_comes_again_while_its_run_waits_is_acknowledged_once(
    start_fleet: StartFleet, valkey: RedisServer, rabbitmq: RabbitServer
) -> None:
    """Its first ticket was acknowledged when the wait began. A second acknowledgement would end the node."""
    fleet = start_fleet(valkey.url, rabbitmq.url, **QUICK)
    node = fleet.start_node(executor="async", concurrency=2)
    handle = waiting_tasks.async_sleeper.trigger(6.0)
    wait_until(lambda: handle.status() is RunStatus.WAITING, "the run to wait")
    queue = f"{fleet.environment}.small-1x.async"
    fleet.flow.publisher.publish([Ticket(handle.id, "w-async-sleeper", 1, queue, "6.0")])
    wait_until(lambda: "ticket.dropped" in node.output(), "the second to be dropped")
    handle.result(timeout=30)
    naps = [tasks.async_sleep.trigger(tasks.Nap(seconds=0.5)) for _ in range(4)]
    for nap in naps:
        nap.result(timeout=10)
    assert node.process.poll() is None


@pytest.mark.timeout(60)
def test_tickets_that_come_twice_start_nothing_twice(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """The broker has two of every ticket."""
    fleet = start_fleet(valkey.url)
    handles = [tasks.echo.trigger(number) for number in range(50)]
    client = valkey.client()
    queue = f"{fleet.environment}.small-1x.process"
    for ticket in client.execute_command("LRANGE", queue, 0, -1):
        client.execute_command("LPUSH", queue, ticket)
    client.close()
    fleet.start_node()
    fleet.start_node()
    for number, handle in enumerate(handles):
        assert handle.result(timeout=20) == number
        assert len(starts(fleet, handle.id)) == 1


@pytest.mark.timeout(60)
def test_tickets_taken_by_a_node_that_dies_are_not_lost(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """There are 500 of them, some claimed, some not. All runs execute in the end."""
    fleet = start_fleet(valkey.url, **QUICK)
    handles = [tasks.async_sleep.trigger(tasks.Nap(seconds=0.3)) for _ in range(500)]
    node = fleet.start_node(executor="async", concurrency=500)
    wait_until(lambda: len(fleet.ledger()) > 20, "some to start")
    node.kill()
    fleet.start_node(executor="async", concurrency=500)
    for handle in handles:
        handle.result(timeout=40)
    assert_nothing_is_left(fleet, valkey)


def _kill(node: Node, deaths: dict[int, float]) -> None:
    family = node.family() if Path(f"/proc/{node.pid}").exists() else []
    node.kill()
    deaths.update(dict.fromkeys(family, time.time()))


def _most_alive(fleet: Fleet, deaths: dict[int, float]) -> int:
    """Return the most runs alive at one instant. A run is alive from its start to its end or to its process's death."""
    ends = {(line[1], line[2]): float(line[4]) for line in fleet.ledger() if line[0] == "end"}
    changes: list[tuple[float, int]] = []
    for _, run_id, attempt, pid, began in (line for line in fleet.ledger() if line[0] == "start"):
        ended = ends.get((run_id, attempt), deaths.get(int(pid)))
        assert ended is not None, f"attempt {attempt} of {run_id} neither ended nor died"
        changes += [(float(began), 1), (ended, -1)]
    alive = most = 0
    for _, change in sorted(changes):
        alive += change
        most = max(most, alive)
    return most
