"""The sender of the reports of a process's runs: in the background, and at an attempt's end before its outcome."""

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import Generator
from typing import Final

from taskflow.errors import StoreUnavailableError
from taskflow.execution.reporting.capture import install_capture
from taskflow.execution.reporting.current import OWN_THREADS, current_live_run, entered_run
from taskflow.execution.reporting.lines import LineLimits
from taskflow.execution.reporting.live_run import LiveRun
from taskflow.execution.reporting.sink import HandedLine, Output, RunIdentity, RunWriter
from taskflow.execution.reporting.spool import Spool

log = logging.getLogger("taskflow.run")
PAUSE_SECONDS: Final = 0.2
OPEN_SECONDS: Final = 1.0
"""Time after which a span is written before it has ended, so that readers see what executes."""


class Reports:
    """The reports of one process. A forked child starts without its parent's runs and with a thread of its own.

    Args:
        interval: Seconds for which changes and lines are gathered before they are sent.

    Attributes:
        output: The standard streams of runs. None: those of the process as they are.
    """

    def __init__(self, writer: RunWriter, spool: Spool, limits: LineLimits, *, interval: float = 1.0) -> None:
        self.writer = writer
        self.output: Output | None = None
        self._spool, self._limits, self._interval = spool, limits, interval
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._live: set[LiveRun] = set()
        self._has_lines = self._is_fork = self._is_over = False
        self._pending = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def attempt(self, identity: RunIdentity, metadata: bytes = b"") -> Generator[LiveRun]:
        """Make the code inside the one attempt that this process executes; at the end everything is sent.

        An exception (for example the exit of a child that was asked to leave) passes at once: log lines are on disk.
        """
        with self.one_of_many(identity, metadata) as live:
            with entered_run(live, whole_process=True):
                try:
                    yield live
                finally:
                    if self.output is not None:
                        self.output.finish()
            live.finish_text()
            self.send(live)

    @contextlib.contextmanager
    def one_of_many(self, identity: RunIdentity, metadata: bytes = b"") -> Generator[LiveRun]:
        """Take the reports of an attempt that is one of many in this process. ``entered_run`` makes code its own.

        Reports that are not sent at the end are dropped: see ``asend``.
        """
        if self._pid != os.getpid():
            self._begin()
        install_capture()
        live = LiveRun(identity, metadata, self, self._limits)
        self._live.add(live)
        try:
            yield live
        finally:
            if self.output is not None:
                self.output.restore()
            live.end()
            self._live.discard(live)

    async def asend(self, live: LiveRun) -> None:
        """Send the reports of an attempt. See ``send``."""
        live.finish_text()
        if self.output is not None:
            self.output.restore()  # now, because other runs may print meanwhile
        if live.has_logged:
            live.write_spans()
        if live.is_dirty or (live.has_logged and self._has_lines):
            await asyncio.to_thread(self.send, live)

    def send(self, live: LiveRun) -> None:
        """Send the reports of an attempt, however long the store is away.

        Log lines are tried once, because they stay on disk and an outcome must not depend on them.
        """
        while live.is_dirty:
            try:
                live.send()
            except StoreUnavailableError as error:
                log.warning("store.unavailable: %s", error)
                time.sleep(PAUSE_SECONDS)
        if live.has_logged:
            live.write_spans()  # those of an attempt without lines are sent in the background
        if live.has_logged and self._has_lines:
            try:
                self._send_lines()
            except Exception as error:
                log.warning("run.unsent: %s", error, exc_info=not isinstance(error, StoreUnavailableError))

    def hand_over(self, line: HandedLine) -> bool:
        """Keep first what programs have written until now. Return True when another process keeps the line."""
        return self.output is not None and self.output.hand_over(line)

    def end(self) -> None:
        """Send nothing any more: the store goes away."""
        self._is_over = True
        self._pending.set()

    def become_fork(self) -> None:
        """Send from now on at once: a fork may end at any time, and has none of its parent's threads."""
        self._begin()
        self._is_fork = True

    def keep_line(self, run_id: str, claim: int, document: bytes) -> None:
        """Write a log line to disk and send it soon."""
        self._spool.write(run_id, claim, document)
        self._has_lines = True
        self.wake()

    def wake(self) -> None:
        """Send the reports of all attempts soon."""
        if self._pending.is_set():
            return
        if self._is_fork:
            if (live := current_live_run()) is not None:
                self.send(live)
            return
        with self._lock:
            self._pending.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name=f"{OWN_THREADS}reports", daemon=True)
                self._thread.start()

    def _send_lines(self) -> None:
        self._has_lines = False  # before: a line that is written meanwhile sets it again
        try:
            self._spool.send(self.writer.append_logs)
        except BaseException:
            self._has_lines = True
            raise

    def _serve(self) -> None:
        while True:
            self._pending.wait()
            time.sleep(self._interval)
            if self._is_over:
                return
            open_lives = [live for live in [*self._live] if live.write_spans(OPEN_SECONDS)]
            self._pending.clear()
            for send in [
                *[live.send for live in [*self._live] if live.is_dirty],
                *[self._send_lines] * self._has_lines,
            ]:
                try:
                    send()
                except Exception as error:
                    log.warning("run.unsent: %s", error, exc_info=not isinstance(error, StoreUnavailableError))
                    self._pending.set()
            if open_lives:
                self._pending.set()
