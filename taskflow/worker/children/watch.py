"""The watch over a node's prefork children: reports an exit at once, replaces the child, kills by run or by pid.

Celery notices a dead child by a pipe that closes just before the child can be waited for, and otherwise by a timer of
5 s. A pidfd is readable exactly when the child can be waited for. Nothing here uses the store.
"""

import contextlib
import logging
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Final

from celery.worker import state

from taskflow.definition.signal import INTERRUPTED
from taskflow.worker.children.exits import ChildExit, ask_group, exit_status, kill_leftovers, signal_group
from taskflow.worker.children.guard import Guard
from taskflow.worker.children.node_pool import NodePool, PoolObserver
from taskflow.worker.children.standstill import executing_child, read_messages, standstill

__all__ = ["ChildExit", "ChildWatch"]

log = logging.getLogger("taskflow.node")
_POLL: Final = 0.25
_KILL_POLL: Final = 0.01
_LAST_GRACE: Final = 1.0
_NEVER: Final = float("inf")


@dataclass(slots=True)
class _Child:
    process: Any
    pidfd: int = -1
    reason: str = ""
    kill_at: float = _NEVER


class ChildWatch(PoolObserver):
    """Watches the children of one prefork pool from its start to its end.

    Args:
        guard: Is sent the process group of every child; closed when the pool has stopped.
        on_exit: Called once for each child that ended, on the main thread, before the pool looks at the child, so that
            the request is still in Celery's books. While the broker is away, called when the node is back in its loop.
    """

    def __init__(self, pool: NodePool, guard: Guard, on_exit: Callable[[ChildExit], None]) -> None:
        self._pool = pool
        self._guard = guard
        self._on_exit = on_exit
        self._hub: Any = None
        self._children: dict[int, _Child] = {}
        self._condemned: dict[int, int] = {}  # job pipe to pid
        self._calls: deque[Callable[[], None]] = deque()
        self._lock = threading.RLock()
        pool.observer = self
        for process in pool.children():
            self.add_child(process)

    def register(self, hub: Any) -> None:
        """Watch through Celery's event loop. Call it whenever the loop starts, because a reconnect empties the hub."""
        self._hub = hub
        for child in list(self._children.values()):
            self._listen(child)
        if not hasattr(os, "pidfd_open"):
            hub.call_repeatedly(_POLL, self._look)
        hub.call_soon(self._look)  # for children that ended before

    def call_on_hub(self, call: Callable[[], None]) -> None:
        """Call a function soon on the main thread, between two events of the loop. Thread-safe.

        While the node drains, Celery leaves its loop, and the function is called within half a second. While the broker
        is away, it is called when the node is back in its loop.
        """
        self._calls.append(call)
        if self._hub is not None:
            self._hub.call_soon(self._perform_calls)

    def pid_of(self, run_id: str) -> int | None:
        """Return the child that executes a Celery request now, None when none does. On the hub's thread only.

        ``Request.worker_pid`` is set by the ACK that the child sends before it starts. ``task_ready`` removes the
        request from ``active_requests`` on READY. Later messages of the child may be unread: see ``kill_run``.
        """
        pid = executing_child(run_id)
        return pid if pid in self._children else None

    def kill_run(self, run_id: str, *, grace: float = 0, reason: str) -> bool:
        """End the child that executes a Celery request, and no other. On the hub's thread only.

        The child may have begun the next job in its pipe meanwhile. So it is stopped first, and its messages are read.
        It sends a result before it starts on the next job (billiard's ``Worker.workloop``).

        Returns:
            False when no child executes it.
        """
        pid = self.pid_of(run_id)
        if pid is None:
            return False
        process = self._children[pid].process
        with standstill(pid) as is_stopped:
            if is_stopped:
                read_messages(self._hub, process)
            return is_stopped and self.pid_of(run_id) == pid and self.kill_child(pid, grace=grace, reason=reason)

    def kill_child(self, pid: int, *, grace: float = 0, reason: str) -> bool:
        """End a child and everything in its process group. A new child takes its place.

        With grace the child gets SIGTERM (SystemExit in the task's code), and SIGKILL that many seconds later or as
        soon as it has sent a result, so that it gets no other run. With a grace of 0 any thread may call this, to end a
        child whatever it does. To stop a run, see ``kill_run``.

        Returns:
            False when there is no such child any more.
        """
        with self._lock:
            child = self._children.get(pid)
            if child is None:
                return False
            child.reason = child.reason or reason
            self._condemned[child.process.inqW_fd] = pid
            child.process._controlled_termination = child.process._job_terminated = True  # Celery logs no error then
            if grace <= 0:
                signal_group(pid, signal.SIGKILL)
                return True
            ask_group(pid)
            child.kill_at = min(child.kill_at, time.monotonic() + grace)
        if self._hub is not None:
            self._hub.call_later(grace, self.call_on_hub, lambda: None)  # wakes the loop, which looks at what is due
        return True

    def kill_all(self, *, reason: str, timeout: float = 5) -> bool:
        """SIGKILL every child, busy or not, and wait until they have ended. Thread-safe; blocks.

        Their replacements are forked meanwhile, so what a child inherits from the node must be in place before.

        Returns:
            False when a child has not ended in time, although its SIGKILL is sent.
        """
        with self._lock:
            doomed = [child.process for child in self._children.values()]
            for process in doomed:
                self.kill_child(process.pid, reason=reason)
        deadline = time.monotonic() + timeout
        while any(
            exit_status(process) is None for process in doomed
        ):  # not by reports, because the hub may be reconnecting
            if time.monotonic() > deadline:
                return False
            time.sleep(_KILL_POLL)
        return True

    def expect_exit(self, pid: int, *, reason: str) -> None:
        """Note why a child is about to leave by itself."""
        with self._lock:
            if pid in self._children:
                self._children[pid].reason = reason

    def pids(self) -> list[int]:
        """Return all children. Thread-safe."""
        return list(self._children)

    def busy_pids(self) -> list[int]:
        """Return the children that were given a run and have not returned its result. Thread-safe."""
        busy = self._pool.busy.copy()
        return [pid for pid, child in list(self._children.items()) if child.process.inqW_fd in busy]

    def add_child(self, process: Any) -> None:
        """Follow a child that was just forked."""
        pid = process.pid
        with contextlib.suppress(OSError):  # the child does the same; either may be first
            os.setpgid(pid, pid)
        child = _Child(process)
        with contextlib.suppress(AttributeError, OSError):  # not on Linux 5.3+
            child.pidfd = os.pidfd_open(pid)
        with self._lock:
            self._children[pid] = child
        self._guard.watch(pid)
        self._listen(child)

    @contextlib.contextmanager
    def reaping(self) -> Generator[None]:
        """Report children that have ended, before and after the pool forgets them."""
        with self._lock:  # nobody kills by pid between a child's being waited for and its being forgotten
            self._perform_calls()
            self._report_exited()
            try:
                yield
            finally:
                self._report_reaped()

    def end_condemned(self, pipe: int) -> bool:
        """Kill the child of a job pipe, which has just sent a result, if it was asked to end. Return whether it was."""
        pid = self._condemned.get(pipe)
        if pid is not None:
            signal_group(pid, signal.SIGKILL)
        return pid is not None

    def end_waiting_children(self) -> None:
        """Give children without a request that executes a moment to leave. Celery has asked the others."""
        executing = {request.worker_pid for request in state.active_requests}
        for pid in self.pids():
            if pid not in executing:
                self.kill_child(pid, grace=_LAST_GRACE, reason=INTERRUPTED)

    def close(self) -> None:
        """End what the children left running, then the guard."""
        with self._lock:
            groups = set(self._children)
            self._children.clear()
        kill_leftovers(groups)
        self._guard.close()

    def _listen(self, child: _Child) -> None:
        if self._hub is not None and child.pidfd >= 0:
            self._hub.add_reader(child.pidfd, self._look)

    def _look(self) -> None:
        with self._lock:
            self._report_exited()
        self._pool.maintain_pool()

    def _perform_calls(self) -> None:
        while self._calls:
            call = self._calls.popleft()
            try:
                call()
            except Exception:
                log.exception("hub_call.failed")
        with self._lock:
            now = time.monotonic()
            for pid, child in self._children.items():
                if child.kill_at <= now:
                    child.kill_at = _NEVER
                    signal_group(pid, signal.SIGKILL)

    def _report_exited(self) -> None:
        for child in list(self._children.values()):
            status = exit_status(child.process)
            if status is not None:
                read_messages(self._hub, child.process)
                self._report(child, status)

    def _report_reaped(self) -> None:
        """Report a child that ended after our look and before the pool's."""
        living = {process.pid for process in self._pool.children()}
        for pid, child in list(self._children.items()):
            if pid not in living:
                self._report(child, child.process.exitcode or 0)

    def _report(self, child: _Child, status: int) -> None:
        pid = child.process.pid
        # Ends what it had spawned. Almost always it is not waited for yet, so that the number is its own.
        signal_group(pid, signal.SIGKILL)
        self._guard.forget(pid)
        if child.pidfd >= 0:
            if self._hub is not None:
                self._hub.remove(child.pidfd)
            os.close(child.pidfd)
        run_ids = tuple({str(request.id) for request in state.active_requests if request.worker_pid == pid})
        ended = ChildExit.of(pid, status, child.reason, run_ids)
        del self._children[pid]
        self._condemned.pop(child.process.inqW_fd, None)
        try:
            self._on_exit(ended)
        except Exception:
            log.exception("child.exit_unhandled: %s", ended)
