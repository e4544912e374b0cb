"""States of the code in one session, with workers that only report: how many start, how many stay, which serve."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.text import Text

from taskflow.dev.generations import MOST_OLD, Generations
from taskflow.dev.orders import WorkersOrder
from taskflow.dev.process import DevProcess, Ended, ProcessEvent, Said
from taskflow.dev.terminal import Terminal
from taskflow.worker.launch.signal_queue import SignalQueue
from tests.support.fork_server import ROOT


class Bench:
    """The generations of a session, without its other parts."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.served = 0
        self.processes: list[DevProcess] = []
        self.events: SignalQueue[ProcessEvent] = SignalQueue()
        order = WorkersOrder(app=None, machines=[], concurrency=None, loglevel="INFO")
        self.generations = Generations(
            "tests.projects.reporting_workers",
            order,
            "Ready",
            self.events.put,
            Terminal(self._write),
            lambda _: None,
            self._count,
        )

    def _write(self, line: Text) -> None:
        self.lines.append(line.plain)

    def _count(self) -> None:
        self.served += 1

    @property
    def alive(self) -> int:
        """The number of processes that have not ended."""
        return sum(1 for process in self.processes if process.exitcode is None)

    def text(self) -> str:
        """Return what was shown."""
        return "\n".join(self.lines)

    def until(self, condition: Callable[[], object]) -> None:
        """Act on events until a condition holds."""
        deadline = time.monotonic() + 25
        while not condition():
            assert time.monotonic() < deadline, self.text()
            event = self.events.get(0.1)
            if isinstance(event, Said | Ended) and event.process not in self.processes:
                self.processes.append(event.process)
            if event is not None and not isinstance(event, signal.Signals):
                self.generations.handle(event)
            self.generations.look()

    def edit(self, code: str) -> None:
        """Change the code, and take it."""
        Path("CODE").write_text(code)
        self.generations.start()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A session in a folder of its own, whose processes end with the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    made = Bench()
    yield made
    made.generations.stop(signal.SIGTERM)
    made.until(lambda: made.generations.is_empty)


def serve(bench: Bench, code: str) -> None:
    """Make an edit, and wait until it is served."""
    served = bench.served
    bench.edit(code)
    bench.until(lambda: bench.served > served)


def break_code(bench: Bench, times: int) -> None:
    """Make an edit that is refused, for the first, second, ... time."""
    bench.edit("refused")
    bench.until(lambda: bench.text().count("keeps serving") == times)


def test_a_burst_of_edits_costs_two_starts(bench: Bench) -> None:
    """The first edit's workers start; all others are taken together by the next ones."""
    for _ in range(10):
        bench.edit("good")
    bench.until(lambda: bench.served == 2 and "Reloaded" in bench.text())
    assert len(bench.processes) == 2


def test_few_states_of_old_code_are_kept(bench: Bench) -> None:
    """Their runs never end here. Beyond the bound the oldest is asked to stop, which interrupts its runs."""
    for number in range(MOST_OLD + 3):
        serve(bench, f"code-{number}")
    bench.until(lambda: bench.alive == MOST_OLD + 1)
    assert [process.exitcode for process in bench.processes[:2]] == [0, 0]
    assert bench.text().count("Runs of the oldest code have little time") == 2


def test_code_that_is_refused_changes_nothing(bench: Bench) -> None:
    """The workers that serve stay, also while edits stay broken, and the next good one is taken."""
    serve(bench, "good")
    break_code(bench, 1)
    break_code(bench, 2)
    assert "jobs.py:1: SyntaxError" in bench.text()
    assert (bench.served, bench.alive) == (1, 1)
    serve(bench, "mended")
    assert "New tasks: mended" in bench.text()
    assert "Tasks that are gone: good" in bench.text()


def test_nodes_that_cannot_start_are_left_at_the_next_edit(bench: Bench) -> None:
    """An edit between the import and the start of the nodes breaks these only: they would start again for ever."""
    serve(bench, "good")
    bench.edit("trouble")
    bench.until(lambda: "the node ended" in bench.text())
    serve(bench, "mended")
    assert bench.served == 2
