"""Runs in place of tests with threads, and of coroutines that compute, on a machine of any speed."""

import asyncio
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from taskflow import RunHandle, task, wait
from taskflow.definition.registry import declared
from taskflow.testing import advance, inline
from taskflow.testing.in_process import patience
from taskflow.testing.moved_clock import MovedClock

SHORT_S = 0.05


@pytest.fixture(autouse=True)
def _stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Execute each test's runs here, with little patience for coroutines that wait for the test."""
    monkeypatch.setattr(patience, "LONGEST_S", SHORT_S)
    with declared.isolated(is_empty=True), inline():
        yield


def test_a_run_that_a_thread_has_triggered_goes_on_after_the_thread() -> None:
    """A web framework's test client calls views in threads, which are gone when the test moves time."""

    @task(id="place-threaded")
    def remind(number: int) -> int:
        wait.for_("3d")
        return number

    handles: list[RunHandle[int]] = []
    caller = threading.Thread(target=lambda: handles.append(remind.trigger(1)))
    caller.start()
    caller.join()
    assert handles[0].status() == "WAITING"
    advance(days=3)
    assert handles[0].result() == 1


def test_a_run_of_the_test_goes_on_when_a_thread_completes_its_token() -> None:
    """Its code belongs to the thread of the test, which finds it at its next verb, a look included."""
    tokens: list[str] = []

    @task(id="place-approved")
    def approved() -> int:
        token = wait.create_token(int)
        tokens.append(token.id)
        return wait.for_token(token).unwrap()

    handle = approved.trigger()
    completing = threading.Thread(target=lambda: wait.complete_token(tokens[0], 3))
    completing.start()
    completing.join()
    assert handle.status() == "COMPLETED"
    assert handle.result() == 3


def test_threads_that_trigger_at_a_time_get_their_results() -> None:
    """Whichever of them executes the runs: the others wait for it, and do not take it for a standstill."""

    @task(id="place-many-threads")
    def increment(number: int) -> int:
        return number + 1

    def incremented(number: int) -> int:
        return increment.trigger(number).result()

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(incremented, range(60))) == [*range(1, 61)]


def test_a_trigger_returns_when_a_coroutine_has_computed_however_long() -> None:
    """In its loop or in a thread: only waiting for something outside is bounded."""

    @task(id="place-computing")
    async def computing(in_thread: bool) -> str:
        if in_thread:
            await asyncio.to_thread(time.sleep, 5 * SHORT_S)
        else:
            time.sleep(5 * SHORT_S)
        return "done"

    assert [computing.trigger(in_thread).status() for in_thread in (True, False)] == ["COMPLETED"] * 2


def test_a_trigger_returns_while_a_coroutine_waits_for_the_test() -> None:
    """Also when it looks again and again. The result is there once the test has done its part."""
    ready = threading.Event()

    @task(id="place-for-test")
    async def for_test() -> str:
        while not ready.is_set():
            await asyncio.sleep(0.001)
        return "done"

    for _ in range(10):
        ready.clear()
        handle = for_test.trigger()
        assert handle.status() == "EXECUTING"
        ready.set()
        assert handle.result() == "done"


def test_no_thread_loses_the_time_that_another_one_has_let_pass(tmp_path: Path) -> None:
    """A pause of a coroutine at the same instant would undo days of the test."""
    clock = MovedClock(tmp_path / "clock", skips=True)

    def let_pass() -> None:
        for _ in range(500):
            clock.move(timedelta(seconds=1))

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as threads:
            for _ in range(4):
                threads.submit(let_pass)
    finally:
        sys.setswitchinterval(before)
    assert clock.offset == timedelta(seconds=2000)
    clock.close()
