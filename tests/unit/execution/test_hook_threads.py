"""The thread in which the blocking hooks of an attempt run."""

import asyncio
import contextvars
import sqlite3
import threading
from collections.abc import Iterator

import pytest

from taskflow import task
from taskflow.definition.local import Local
from taskflow.execution.outcome import Completed, Outcome
from taskflow.verbs.task import Task
from tests.support.waiting import wait_until
from tests.unit.execution.conftest import an_attempt, execute, in_a_task

Db = Local[sqlite3.Connection]("db")
kept = threading.local()
tenant = contextvars.ContextVar("tenant", default="-")


def hook_threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name.startswith("taskflow-hook")]


def with_hooks(used: list[int], gate: asyncio.Event | None = None) -> Task[None, str]:
    """Return a coroutine task whose blocking hooks share a connection, a thread-local and a context variable."""

    @task(id="hook-threads")
    async def work(payload: None) -> str:
        if gate is not None:
            await gate.wait()
        return tenant.get()

    @work.middleware
    def database() -> Iterator[None]:
        connection = Db.set(sqlite3.connect(":memory:"))
        token = tenant.set("acme")
        kept.value = connection
        used.append(threading.get_ident())
        yield
        assert kept.value is connection
        connection.execute("SELECT 1")
        connection.close()
        tenant.reset(token)
        used.append(threading.get_ident())

    def use() -> None:
        Db.get_or_raise().execute("SELECT 1")
        assert kept.value is Db.get()
        assert tenant.get() == "acme"
        used.append(threading.get_ident())

    work.init(use)
    work.on_start(use)
    work.on_success(use)
    work.cleanup(use)
    return work


def test_all_blocking_hooks_of_an_attempt_share_a_thread() -> None:
    """A connection of sqlite3 raises an error in any other thread than its own."""
    used: list[int] = []
    attempt = an_attempt(with_hooks(used), b"null")
    outcome = execute(attempt)
    assert isinstance(outcome, Completed)
    assert outcome.value == "acme"
    assert attempt.report.hook_errors == []
    assert len(used) == 6
    assert set(used) != {threading.get_ident()}
    assert len(set(used)) == 1


def test_attempts_have_threads_of_their_own_only_while_they_need_them() -> None:
    """More attempts at a time than any pool has threads, and none is left afterwards."""
    used: list[int] = []

    async def many() -> list[Outcome]:
        gate = asyncio.Event()
        work = with_hooks(used, gate)
        tasks = [asyncio.create_task(in_a_task(an_attempt(work, b"null").aexecute())) for _ in range(200)]
        while len(used) < 600:
            await asyncio.sleep(0.01)
        assert len(hook_threads()) == 200
        gate.set()
        return await asyncio.gather(*tasks)

    assert all(isinstance(outcome, Completed) for outcome in asyncio.run(many()))
    wait_until(lambda: not hook_threads(), "the threads to end")


@pytest.mark.parametrize("has_async_hooks", [False, True])
def test_an_attempt_without_blocking_hooks_has_no_thread(has_async_hooks: bool) -> None:
    """A node may execute a thousand."""

    @task(id="no-threads")
    async def work(payload: None) -> int:
        return threading.active_count()

    async def hook() -> None:
        await asyncio.sleep(0)

    if has_async_hooks:
        work.on_start(hook)
    before = threading.active_count()
    outcome = execute(an_attempt(work, b"null"))
    assert isinstance(outcome, Completed)
    assert outcome.value == before
