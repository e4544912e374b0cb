"""Edits while runs execute: no run is lost, none runs twice, and none is interrupted.

``DEV_EDITS=200 pytest tests/integration/dev/test_reload_under_load.py -s`` makes so many edits and prints figures.
"""

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from taskflow import RunHandle, RunStatus, tasks
from tests.support.dev_session import DevProject, dev_project
from tests.support.waiting import wait_until

EDITS = int(os.environ.get("DEV_EDITS", "6"))
ASYNC = """
import asyncio


@task(id="dev-await")
async def awaiting(seconds: float, ctx: Context) -> str:
    note("begin", ctx.run.id, ctx.attempt.number, os.getpid())
    await asyncio.sleep(seconds)
    note("end", ctx.run.id, ctx.attempt.number, os.getpid())
    return CODE
"""


class Load(threading.Thread):
    """Triggers short runs of both executors until it is stopped."""

    def __init__(self, seed: int) -> None:
        super().__init__(name="load", daemon=True)
        self.handles: list[RunHandle[object]] = []
        self._random, self._ended = random.Random(seed), threading.Event()

    def run(self) -> None:
        """Trigger."""
        while not self._ended.wait(0.2):
            self.handles.append(tasks.trigger("dev-work", self._random.uniform(0, 0.6)))
            self.handles.append(tasks.trigger("dev-await", self._random.uniform(0, 0.6)))

    def end(self) -> list[RunHandle[object]]:
        """Stop, and return the runs."""
        self._ended.set()
        self.join()
        return self.handles


@pytest.fixture
def project(tmp_path: Path) -> Iterator[DevProject]:
    """A project whose session runs."""
    with dev_project(tmp_path / "project") as made:
        made.edit("0", ASYNC)
        made.start("--no-server")
        with made.flow:
            yield made


class Edits:
    """Edits of the project, and a run after another that shows whether the newest one is served."""

    def __init__(self, project: DevProject) -> None:
        self.handles: list[RunHandle[object]] = []
        self._project, self._number = project, 0

    def make(self) -> None:
        """Make the next edit."""
        self._number += 1
        self._project.edit(str(self._number), ASYNC)

    def wait(self) -> None:
        """Wait until the newest edit is served."""
        wait_until(self._is_served, f"edit {self._number} to be served", timeout=120, interval=0.2)

    def _is_served(self) -> bool:
        handle = self._project.work()
        self.handles.append(handle)
        return handle.result(timeout=60) == str(self._number)


@pytest.mark.timeout(120 + 15 * EDITS)
def test_runs_complete_once_while_code_is_edited(project: DevProject) -> None:
    """Each run has one attempt and one begin and end in a ledger outside of the store, and the last code is served."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    dice, edits, load, began = random.Random(seed), Edits(project), Load(seed), time.monotonic()
    load.start()
    for _ in range(EDITS):
        edits.make()
        if dice.random() < 0.7:  # else the next edit comes while this one is taken
            edits.wait()
        else:
            time.sleep(dice.uniform(0, 0.5))
    edits.wait()
    handles = [*load.end(), *edits.handles]
    outputs = {handle.result(timeout=60) for handle in handles}
    took = time.monotonic() - began
    records = [handle.retrieve() for handle in handles]
    assert {record.status for record in records} == {RunStatus.COMPLETED}
    assert {len(record.attempts) for record in records} == {1}
    lines = Counter((line[0], line[1], line[2]) for line in project.ledger())
    assert lines == Counter((word, record.id, "1") for record in records for word in ("begin", "end"))
    reloads = project.text().count("Reloaded in ")
    print(f"{EDITS} edits, {reloads} reloads, {len(records)} runs of {len(outputs)} states of the code, {took:.0f} s")
