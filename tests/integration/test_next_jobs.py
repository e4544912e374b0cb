"""Children that have their next run in their pipe while runs are short. No run is stopped by mistake or runs twice."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable

import pytest

from taskflow import AttemptOutcome, RunHandle, RunStatus, runs
from tests.conftest import StartFleet
from tests.projects import fleet_tasks as tasks
from tests.support.fleet import Fleet, Node
from tests.support.servers import RedisServer
from tests.support.waiting import beside, wait_until

pytestmark = pytest.mark.timeout(90)
SHORT = tasks.Nap(seconds=0.002)


@pytest.fixture
def store_fleet(start_fleet: StartFleet, valkey: RedisServer) -> Fleet:
    """Nodes on one server, which take tickets ahead."""
    return start_fleet(
        valkey.url, None, cancel_grace=1, reservation_timeout=2
    )  # runs of a lost reply are published again soon


def starts(fleet: Fleet) -> Counter[str]:
    """Return the number of starts of each run's code."""
    return Counter(words[1] for words in fleet.ledger() if words[0] == "start")


def ended(handles: list[RunHandle[str]]) -> Callable[[], bool]:
    """Return whether all runs have ended."""
    return lambda: all(handle.status().is_finished for handle in handles)


def children(node: Node) -> list[int]:
    """Return the pids of a node's children, its guard among them."""
    return node.family()[1:]


def test_what_lies_behind_a_long_run_starts_elsewhere(fleet: Fleet) -> None:
    """All runs before the long one were short. The runs behind it must not wait for it."""
    fleet.start_node(concurrency=2)
    began = time.monotonic()
    alone = [tasks.sleep.trigger(SHORT) for _ in range(120)]
    wait_until(ended(alone), "short runs without a long one", timeout=20)
    unit = time.monotonic() - began  # what as many short runs take on this machine now
    for _ in range(2):
        before = [tasks.sleep.trigger(SHORT) for _ in range(60)]
        long = tasks.sleep.trigger(tasks.Nap(seconds=2 + 2 * unit))
        after = [tasks.sleep.trigger(SHORT) for _ in range(60)]
        wait_until(ended([*before, *after]), "the short runs to end", timeout=10 + 2 * unit)
        assert long.status() is RunStatus.EXECUTING
        assert long.result(timeout=10 + 4 * unit) == long.id
    assert set(starts(fleet).values()) == {1}


def test_a_cancel_stops_its_run_and_no_other(store_fleet: Fleet) -> None:
    """Its child may have begun the next run when the cancel reaches the node."""
    store_fleet.start_node(concurrency=2)
    handles = [tasks.sleep.trigger(SHORT) for _ in range(250)]
    canceled: set[str] = set()

    def cancel_the_newest() -> None:
        newest = [words[1] for words in store_fleet.ledger() if words[0] == "start"][-1:]
        canceled.update(run_id for run_id in newest if runs.cancel(run_id))

    with beside(cancel_the_newest, 0.03):
        wait_until(ended(handles), "all runs to end", timeout=60)
    retrieved = [handle.retrieve() for handle in handles]
    assert {run.id for run in retrieved if run.status is RunStatus.CANCELED} <= canceled
    others = [run for run in retrieved if run.status is not RunStatus.CANCELED]
    assert {run.status for run in others} == {RunStatus.COMPLETED}
    assert [run.id for run in others if len(run.attempts) > 1] == []
    assert set(starts(store_fleet).values()) == {1}


def test_a_killed_child_loses_one_run_at_most(store_fleet: Fleet) -> None:
    """The next run in its pipe goes to another child. The outcome of the run before has been written."""
    node = store_fleet.start_node(concurrency=2)
    dice, kills, lines = random.Random(7), 0, 0

    def kill_a_child() -> None:
        nonlocal kills, lines
        ledger = store_fleet.ledger()
        pids = [pid for pid in children(node) if pid in {int(words[3]) for words in ledger[-20:]}]
        if pids and len(ledger) >= lines + 60:  # by progress: as many kills on a slow machine as on a quick one
            lines = len(ledger)
            kill(dice.choice(pids))
            kills += 1

    with beside(kill_a_child, 0.05):
        handles = [tasks.sleep.trigger(SHORT) for _ in range(600)]  # a slow machine executes most of them meanwhile
        wait_until(ended(handles), "all runs to end", timeout=60)
    retrieved = [handle.retrieve() for handle in handles]
    assert {run.status for run in retrieved} == {RunStatus.COMPLETED}
    lost = [attempt for run in retrieved for attempt in run.attempts if attempt.outcome is AttemptOutcome.LOST]
    assert kills > 3
    assert len(lost) <= kills


def kill(pid: int) -> None:
    """SIGKILL a child of a node, if it is there still."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def test_a_lost_connection_starts_nothing_twice(store_fleet: Fleet, valkey: RedisServer) -> None:
    """A run in a child's pipe is executed there, and in no other child."""
    store_fleet.start_node(concurrency=2)
    handles = [tasks.sleep.trigger(SHORT) for _ in range(900)]
    client = valkey.client()
    with beside(lambda: client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"), 0.3):
        wait_until(ended(handles), "all runs to end", timeout=60)
    client.close()
    assert {handle.status() for handle in handles} == {RunStatus.COMPLETED}
    assert set(starts(store_fleet).values()) == {1}


def test_a_node_that_stops_leaves_what_its_children_have_at_hand(store_fleet: Fleet) -> None:
    """Another node starts it at once, and nothing is started twice."""
    node = store_fleet.start_node(concurrency=2)
    handles = [tasks.sleep.trigger(SHORT) for _ in range(800)]
    wait_until(lambda: len(starts(store_fleet)) > 100, "runs to be in flow", interval=0.001)
    assert node.stop() == 0
    assert len(starts(store_fleet)) < 800
    store_fleet.start_node(concurrency=2)
    wait_until(ended(handles), "all runs to end", timeout=30)
    assert {handle.status() for handle in handles} == {RunStatus.COMPLETED}
    assert set(starts(store_fleet).values()) == {1}
