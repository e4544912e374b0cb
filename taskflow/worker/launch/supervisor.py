"""The supervisor of one ``taskflow worker``: starts the planned nodes, restarts them, and stops them all."""

import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from taskflow.worker.launch.node_process import PROGRAM, NodeProcess, Output
from taskflow.worker.launch.plan import NodePlan
from taskflow.worker.launch.signal_queue import SignalQueue
from taskflow.worker.node.retirement import RETIRE

LAST_STEPS: Final = 10.0
"""Seconds that nodes get beyond their shutdown grace to put tickets back and give up their lease."""
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 30.0
_STABLE_AFTER: Final = 60.0
_REMIND_EVERY: Final = 10.0
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, RETIRE)


def supervise(
    plans: Sequence[NodePlan],
    *,
    show: Callable[[str], None] | None = None,
    still_running: Callable[[], str] = lambda: "",
    kill_after: float = 5.0,
    stop_after: float = float("inf"),
    program: str = PROGRAM,
    announces: bool = True,
) -> int:
    """Run nodes until a signal ends them. Return when none of their processes is left. On the main thread only.

    SIGINT (Ctrl-C), SIGTERM and SIGHUP drain: nodes take no new runs, and finish or interrupt those that they execute
    within ``TASKFLOW_SHUTDOWN_GRACE``, which they keep themselves. A second one, or SIGQUIT, stops at once. A node that
    dies is started again after a pause of 1 s, doubling to 30 s. A node that ends by itself with code 0 (``celery
    control shutdown``) is not. SIGUSR2 retires all nodes: they take no new runs either, and finish those that they
    execute, however long that takes.

    Args:
        show: Shows the user a line, on stderr by default.
        still_running: Returns what a draining fleet still executes, for the user. Called every 10 s.
        kill_after: Seconds that nodes have to stop at once in good order, before SIGKILL.
        stop_after: Seconds that nodes have to drain before they are stopped at once: more than their own grace.
        program: The module that each node executes.
        announces: Whether the first line about a drain is shown at once. Without it the caller has shown one, and
            those of this supervisor begin after 10 s.

    Returns:
        0 when every node ended by itself with code 0, else 1.
    """
    return _Supervisor(plans, show or _show, still_running, kill_after, stop_after, program, announces).run()


class _Supervisor:
    def __init__(
        self,
        plans: Sequence[NodePlan],
        show: Callable[[str], None],
        still_running: Callable[[], str],
        kill_after: float,
        stop_after: float,
        program: str,
        announces: bool,
    ) -> None:
        self._show, self._announces = show, announces
        self._still_running = still_running
        self._kill_after = kill_after
        self._stop_after = stop_after
        self._stop_at = float("inf")
        self._events: SignalQueue[NodeProcess] = SignalQueue()
        output = Output(sys.stdout.buffer) if len(plans) > 1 else None
        self._nodes = [
            NodeProcess(plan, label, output, self._events.put, program)
            for plan, label in zip(plans, _labels(plans), strict=True)
        ]
        self._running: set[NodeProcess] = set()  # those whose end was not handled yet
        self._pauses: dict[NodeProcess, float] = {}
        self._restarts: dict[NodeProcess, float] = {}
        self._is_draining = self._is_retired = False
        self._kill_at: float | None = None
        self._remind_at = float("inf")
        self._has_failed = False

    def run(self) -> int:
        """Start the nodes and follow them to their end."""
        with self._events.signals(_SIGNALS):
            try:
                for node in self._nodes:
                    self._start(node)
                while self._restarts or self._running:
                    self._handle_next()
            finally:
                for node in self._nodes:
                    node.kill()
        return 1 if self._has_failed else 0

    def _handle_next(self) -> None:
        event = self._events.get(self._next_due() - time.monotonic())
        if event is None:
            self._do_what_is_due(time.monotonic())
        elif isinstance(event, NodeProcess):
            self._handle_end(event)
        elif event == RETIRE:
            self._retire()
        elif self._is_draining or event == signal.SIGQUIT:
            self._stop_at_once()
        else:
            self._drain()

    def _next_due(self) -> float:
        due = [*self._restarts.values(), self._remind_at, self._stop_at, time.monotonic() + 3600]
        return min(due if self._kill_at is None else [*due, self._kill_at])

    def _do_what_is_due(self, now: float) -> None:
        for node in [node for node, at in self._restarts.items() if at <= now]:
            del self._restarts[node]
            self._start(node)
        if self._kill_at is not None and self._kill_at <= now:
            self._kill_at = None
            for node in self._nodes:
                node.kill()
        if self._stop_at <= now:
            self._stop_at_once()
        if self._remind_at <= now:
            self._remind()

    def _start(self, node: NodeProcess) -> None:
        node.start()
        self._running.add(node)

    def _handle_end(self, node: NodeProcess) -> None:
        self._running.discard(node)
        is_leaving = self._is_draining or self._is_retired
        if node.exitcode == 0:
            if not is_leaving:
                self._show(f"{node.label.rstrip()} ended.")
            return
        if is_leaving:
            if node.exitcode not in (-signal.SIGTERM, -RETIRE):  # else it had not come far enough to take a run
                self._has_failed = True
            return
        if time.monotonic() - node.started_at > _STABLE_AFTER:
            self._pauses.pop(node, None)
        pause = self._pauses.get(node, _FIRST_PAUSE)
        self._pauses[node] = min(2 * pause, _LONGEST_PAUSE)
        self._restarts[node] = time.monotonic() + pause
        name, how = node.label.rstrip(), _exit_reason(node.exitcode)
        self._show(f"{name} ended with {how}; it is started again in {pause:g} s.")

    def _retire(self) -> None:
        if not self._is_draining:
            self._is_retired = True
            self._restarts.clear()
            self._signal_all(RETIRE)

    def _drain(self) -> None:
        self._is_draining = True
        self._restarts.clear()
        self._signal_all(signal.SIGTERM)
        self._stop_at = time.monotonic() + self._stop_after
        if self._announces:
            self._remind()
        else:
            self._remind_at = time.monotonic() + _REMIND_EVERY

    def _stop_at_once(self) -> None:
        self._is_draining = self._has_failed = True
        self._restarts.clear()
        self._remind_at = self._stop_at = float("inf")
        if self._kill_at is not None:  # asked a third time
            self._kill_at = time.monotonic()
            return
        self._show("Stopping at once. Runs that execute start again elsewhere.")
        self._signal_all(signal.SIGQUIT)
        self._kill_at = time.monotonic() + self._kill_after

    def _remind(self) -> None:
        running = [node.label.rstrip() for node in self._nodes if node in self._running]
        if running:
            runs = self._still_running()
            what = f"{', '.join(running)}{f' ({runs})' if runs else ''}"
            self._show(f"Waiting for the runs that execute in {what}. Ctrl-C again stops at once.")
        self._remind_at = time.monotonic() + _REMIND_EVERY

    def _signal_all(self, number: signal.Signals) -> None:
        for node in self._nodes:
            node.signal(number)


def _labels(plans: Sequence[NodePlan]) -> list[str]:
    """Return short names: machine, executor and queue, with a number where that is not unique."""
    names = [f"{plan.machine.name}.{plan.executor}" + (f".{plan.queue}" if plan.queue else "") for plan in plans]
    counts, seen = Counter(names), Counter[str]()
    labels: list[str] = []
    for name in names:
        seen[name] += 1
        labels.append(f"{name}#{seen[name]}" if counts[name] > 1 else name)
    width = max(map(len, labels), default=0)
    return [label.ljust(width) for label in labels]


def _exit_reason(exitcode: int | None) -> str:
    if exitcode is None or exitcode >= 0:
        return f"exit code {exitcode}"
    return f"signal {-exitcode}"


def _show(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
