"""The server, folder and clock that the tests of a process share. Made at the first test that needs them."""

import atexit
import os
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from taskflow import clock as process_clock
from taskflow import guard_of_tests
from taskflow.seams.current_application import CURRENT
from taskflow.settings import Settings
from taskflow.testing.folder import SessionFolder
from taskflow.testing.in_process.application import InlineFlow
from taskflow.testing.in_process.stage import InlineStage
from taskflow.testing.moved_clock import MovedClock
from taskflow.testing.moved_flow import MovedFlow
from taskflow.testing.processes.nodes import WorkerProcesses, as_variables
from taskflow.testing.processes.stage import WorkersStage
from taskflow.testing.server import TestServer
from taskflow.testing.stage import Stage

_HEARTBEAT: Final = timedelta(seconds=0.2)
"""Time within which workers notice that the store was emptied."""
_LEASE: Final = timedelta(hours=1)
_INLINE: Final = 0
_WORKERS: Final = 1
"""Databases of the server: workers stay for the tests that follow, and must not take the tickets of others."""
ENVIRONMENT: Final = "test"
_KEPT: Final = timedelta(days=3650)
"""The retention of finished runs, which a test that moves time still wants to see."""


class Session:
    """The server of the tests of this process, and the app of those whose runs execute in it."""

    def __init__(self) -> None:
        self._own = SessionFolder()
        self.folder = self._own.path
        self.clock = MovedClock(self.folder / "clock", skips=True)
        self.server = TestServer(self.folder)
        guard_of_tests.allow(self.server.url(_INLINE))
        guard_of_tests.allow(self.server.url(_WORKERS))
        self._inline: InlineFlow | None = None
        self._workers: tuple[MovedFlow, WorkerProcesses] | None = None
        self._pid = os.getpid()
        atexit.register(self.close)

    def overrides(self, database: int) -> dict[str, object]:
        """Return the settings that tests replace: nothing outside of the session's folder and server is used."""
        url = self.server.url(database)
        return {
            "redis_url": url,
            "broker_url": url,
            "api_url": "",
            "database_url": "none",
            "object_store": str(self.folder / "objects"),
            "home": self.folder,
            "environment": ENVIRONMENT,
            "shards": 1,
            "store_replicas": 0,
            "retention": _KEPT,
            "suspend_after": timedelta(0),
        }

    def inline(self) -> InlineFlow:
        """Return the app whose runs execute in this process."""
        if self._inline is None:
            self._inline = InlineFlow(Settings.read(**self.overrides(_INLINE)), self.clock)
        return self._inline

    def workers(self) -> "tuple[MovedFlow, WorkerProcesses]":
        """Return the app whose runs workers execute, and these workers, on an empty store."""
        if self._workers is None:
            given = self.overrides(_WORKERS) | {"lease": _LEASE, "heartbeat": _HEARTBEAT}
            flow = MovedFlow(Settings.read(**given), self.clock)
            processes = WorkerProcesses(flow, self.folder, as_variables(given), self.clock.path)
            self._workers = flow, processes
        flow, processes = self._workers
        flow.store.send([("FLUSHDB",)])
        processes.serve(flow.registry)
        processes.await_up()
        return self._workers

    def close(self) -> None:
        """End the server and remove the folder. In the process that has made them only."""
        if self._pid != os.getpid():
            return
        atexit.unregister(self.close)
        if self._inline is not None:
            self._inline.close()
        if self._workers is not None:
            flow, processes = self._workers
            processes.close()
            flow.close()
        self.server.close()
        self._own.remove()


class _Process:
    """The session of this process, and its present test."""

    session: Session | None = None
    stage: Stage | None = None


def session() -> Session:
    """Return the session of this process."""
    found = _Process.session
    if found is None or found._pid != os.getpid():  # pyright: ignore[reportPrivateUsage] - a fork has its parent's
        found = _Process.session = Session()
    return found


def end_session() -> None:
    """End the session of this process, if there is one."""
    found, _Process.session = _Process.session, None
    if found is not None:
        found.close()


def current_stage() -> Stage:
    """Return the application of the present test.

    Raises:
        RuntimeError: No test is under way that has one.
    """
    if _Process.stage is None:
        raise RuntimeError(
            "No test with taskflow is under way. Use the fixture taskflow_inline or taskflow_store, or "
            "`with taskflow.testing.inline():`."
        )
    return _Process.stage


@contextmanager
def on_stage(stage: Stage, clock: MovedClock) -> Generator[None]:
    """Have verbs, and the functions of ``taskflow.testing``, use the application of a test."""
    before, process_before = _Process.stage, process_clock.use(clock)
    application = CURRENT.application
    stage.flow.set_default()
    _Process.stage = stage
    try:
        yield
    finally:
        _Process.stage, CURRENT.application = before, application
        process_clock.use(process_before)


@contextmanager
def inline() -> Generator[InlineStage]:
    """Execute runs here and now, in this process, on an empty store in memory.

    A verb that triggers a run returns when the run has ended or waits for something that only the test brings about.
    The code of tasks, its hooks and its middlewares are executed as by a worker; delays of retries take no time.
    """
    own = session()
    if _Process.stage is not None:
        raise RuntimeError("taskflow.testing is under way already: a test has one store.")
    own.clock.reset()
    flow = own.inline().begin()
    stage = InlineStage(flow, own.clock)
    before, CURRENT.start_later = CURRENT.start_later, flow.start_later
    try:
        with on_stage(stage, own.clock):
            yield stage
    finally:
        CURRENT.start_later = before
        flow.end()


@contextmanager
def workers() -> Generator[WorkersStage]:
    """Execute runs by real workers, in processes of their own, on an empty store in memory.

    Verbs return as in production. ``settle`` waits until nothing goes on; delays of retries take no time. The workers
    import the modules of the tasks that are declared, and stay for the tests that follow.
    """
    own = session()
    if _Process.stage is not None:
        raise RuntimeError("taskflow.testing is under way already: a test has one store.")
    own.clock.reset()
    flow, _ = own.workers()
    stage = WorkersStage(flow, own.clock)
    try:
        with on_stage(stage, own.clock):
            yield stage
    finally:
        stage.close()
