"""Runs that end in unusual ways: one attempt, one outcome, and nothing else notices."""

import contextlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from taskflow import AttemptOutcome, RunHandle, RunStatus, Task
from tests.conftest import StartFleet
from tests.projects import hostile_tasks as hostile
from tests.projects import unusual_tasks as tasks
from tests.support.fleet import TASKS, Fleet
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until

EXIT = ["task", "forgotten", "task group", "callback", "executor"]


def ended(handle: RunHandle[Any], way: str) -> RunStatus:
    """Wait for the end of a run and return its status."""
    wait_until(lambda: handle.status().is_finished, f"the end of {way}", timeout=15)
    return handle.status()


def starts(fleet: Fleet, word: str) -> int:
    """Return how many executions the ledger has of one way."""
    return sum(line[:2] == ["start", word.replace(" ", "-")] for line in fleet.ledger())


def test_a_coroutine_that_exits_fails_alone(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """Once the loop's thread had ended, every run of the node stayed EXECUTING while its lease went on."""
    fleet = start_fleet(valkey.url)
    node = fleet.start_node(executor="async", concurrency=50)
    beside = [tasks.patient.trigger(3.0) for _ in range(5)]
    wait_until(lambda: starts(fleet, "patient") == 5, "the others to execute")
    expected = dict.fromkeys(EXIT, "SystemExit") | {
        "stop": "RuntimeError",
        **dict.fromkeys(["close", "factory", "threads", "generators"], "RuntimeError"),
        "cancel me": "CancelledError",
        "cancel all": "CancelledError",
    }
    expected |= {way: type(make()).__name__ for way, make in tasks.ERRORS.items()}
    handles = {way: tasks.unusual_coroutine.trigger(way) for way in expected}
    for way, handle in handles.items():
        assert ended(handle, way) is RunStatus.FAILED, way
        run = handle.retrieve()
        assert run.error is not None
        assert (run.error.type, len(run.attempts), starts(fleet, way)) == (expected[way], 1, 1), way
    assert all(handle.result(timeout=10).startswith("slept") for handle in beside)
    assert all(len(handle.retrieve().attempts) == 1 for handle in beside)
    assert node.stop() == 0


def test_whatever_a_function_raises_in_a_child_fails_it_once(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """Its slot is free at once: the queue has one."""
    fleet = start_fleet(valkey.url)
    fleet.start_node()
    fleet.start_node(queue="u-one", concurrency=1)
    expected = {way: type(make()).__name__ for way, make in tasks.ERRORS.items()}
    handles = [(way, tasks.unusual.trigger(way)) for way in expected]
    handles += [(way, tasks.unusual_in_child.trigger(way)) for way in expected]
    handles += [(way, tasks.unusual_in_child.trigger(way)) for way in EXIT]
    expected |= dict.fromkeys(EXIT, "SystemExit")
    for way, handle in handles:
        assert ended(handle, way) is RunStatus.FAILED, way
        run = handle.retrieve()
        assert run.error is not None
        assert (run.error.type, len(run.attempts)) == (expected[way], 1), way


def test_an_error_of_our_own_around_a_childs_run_loses_the_attempt(
    start_fleet: StartFleet, valkey: RedisServer, tmp_path: Path
) -> None:
    """The child lives on, so that nobody would notice that the run has no outcome."""
    fleet = start_fleet(valkey.url)
    node = fleet.start_node(concurrency=1)
    handle = tasks.broken_node.trigger(str(tmp_path / "was-here"))
    assert handle.result(timeout=15) == "done"
    assert [attempt.outcome for attempt in handle.retrieve().attempts] == [
        AttemptOutcome.LOST,
        AttemptOutcome.COMPLETED,
    ]
    assert "run.broken" in node.output()


@pytest.mark.parametrize("blocks", [False, True], ids=["swallows its cancel", "blocks the loop"])
def test_a_coroutine_that_does_not_stop_takes_no_attempt_of_others_along(
    start_fleet: StartFleet, valkey: RedisServer, blocks: bool
) -> None:
    """Its node exits. The others are interrupted, which counts for nothing, and go on at once elsewhere."""
    fleet = start_fleet(valkey.url, cancel_grace=0.5, heartbeat=1, lease=5)
    node = fleet.start_node(executor="async", concurrency=10)
    other = tasks.patient.trigger(6.0)
    wait_until(lambda: starts(fleet, "patient"), "the other to execute")
    deaf = tasks.deaf.trigger(blocks)
    wait_until(lambda: starts(fleet, "deaf"), "the deaf one to execute")
    fleet.start_node(executor="async", concurrency=10)
    assert ended(deaf, "the deaf one") is RunStatus.TIMED_OUT
    wait_until(lambda: node.process.poll() is not None, "the node to exit", timeout=10)
    assert other.result(timeout=20).startswith("slept")
    assert [attempt.outcome for attempt in other.retrieve().attempts] == [
        AttemptOutcome.INTERRUPTED,
        AttemptOutcome.COMPLETED,
    ]
    assert "Traceback" not in node.output()


def test_a_run_that_takes_its_process_along_each_time_pauses_and_ends(
    start_fleet: StartFleet, valkey: RedisServer
) -> None:
    """It was started eleven times within a second, and its node replaced as many children."""
    fleet = start_fleet(valkey.url, max_lost=3)
    fleet.start_node()
    handle = tasks.dies.trigger(None)
    assert ended(handle, "the run") is RunStatus.SYSTEM_FAILURE
    begins = [float(line[2]) for line in fleet.ledger() if line[:2] == ["start", "dies"]]
    first, *later = [after - before for before, after in pairwise(begins)]
    assert first < 3
    assert [pause >= least for pause, least in zip(later, (1, 2), strict=True)] == [True, True], later


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "task",
    [hostile.hostile, hostile.hostile_coroutine, hostile.hostile_in_child],
    ids=["def", "async", "async in a child"],
)
def test_an_error_of_any_size_is_stored_once_and_small(
    start_fleet: StartFleet, valkey: RedisServer, task: Task[str, None]
) -> None:
    """One bad task filled the store: a message of 15 MB was a record of 60 MB. And its text may never be made."""
    fleet = start_fleet(valkey.url)
    node = fleet.start_node(executor=task.definition.executor, TASKFLOW_TASKS=f"{TASKS},tests.projects.hostile_tasks")
    handles = {name: task.trigger(name) for name in hostile.ERRORS}
    beside = None if task.definition.executor == "process" else tasks.patient.trigger(1.0)
    for name, handle in handles.items():
        assert ended(handle, name) is RunStatus.FAILED, name
        error = handle.retrieve().error
        assert error is not None
        assert len(handle.retrieve().attempts) == 1, name
        with contextlib.closing(valkey.client()) as client:
            key = f"{fleet.flow.store.config.base(0)}:run:{handle.id}"
            assert int(client.execute_command("HSTRLEN", key, "error")) <= 64 * 1024, name
            assert int(client.execute_command("MEMORY", "USAGE", key, "SAMPLES", "0")) < 80 * 1024, name
        if name in hostile.SIZES and name not in ("type", "module"):
            assert "were cut]" in f"{error.message}{error.traceback}", name
        if name not in ("frames", "surrogates"):
            assert "hostile_tasks.py" in error.traceback, name
        if name in hostile.TEXTS:
            assert error.type.endswith("Error")
    assert beside is None or len(beside.retrieve().attempts) == 1
    assert node.stop() == 0
    assert len(node.output()) < 2_000_000
    for word in ("run.broken", "child.lost"):
        assert word not in node.output()


def test_an_error_that_nobody_retrieves_holds_up_nobody(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """asyncio logs it in the node's loop, with its text and the text of its task."""
    fleet = start_fleet(valkey.url)
    node = fleet.start_node(executor="async", TASKFLOW_TASKS=f"{TASKS},tests.projects.hostile_tasks")
    handles = {name: hostile.forgotten.trigger(name) for name in hostile.ERRORS if name != "class"}
    for name, handle in handles.items():
        assert ended(handle, name) is RunStatus.COMPLETED, name
        assert len(handle.retrieve().attempts) == 1
    assert node.stop() == 0
    assert node.output().count("was never retrieved") == len(handles)
    assert len(node.output()) < 1_000_000


def test_the_error_of_a_hook_is_as_small_and_changes_nothing(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """It is kept beside the output."""
    fleet = start_fleet(valkey.url)
    fleet.start_node(executor="async", TASKFLOW_TASKS=f"{TASKS},tests.projects.hostile_tasks")
    handles = {name: hostile.hooked.trigger(name) for name in hostile.ERRORS}
    for name, handle in handles.items():
        assert ended(handle, name) is RunStatus.COMPLETED, name
        (error,) = handle.retrieve().hook_errors
        assert "on_complete" in error.message, name
        with contextlib.closing(valkey.client()) as client:
            key = f"{fleet.flow.store.config.base(0)}:run:{handle.id}"
            assert int(client.execute_command("HSTRLEN", key, "hook_errors")) <= 64 * 1024, name
