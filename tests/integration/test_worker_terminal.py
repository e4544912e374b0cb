"""The terminal of ``taskflow worker``: one summary, one message for one event, and of a failure the user's frames."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from taskflow import RunFailedError, RunHandle
from tests.conftest import StartFleet
from tests.projects import fleet_tasks as tasks
from tests.projects import hostile_tasks as hostile
from tests.support.fleet import ROOT, TASKS, Fleet
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until

CLASSES = ("small-1x.process", "small-1x.async")


class Worker:
    """A ``taskflow worker`` and what it has printed."""

    def __init__(self, fleet: Fleet, tasks: str = f"{TASKS},tests.projects.hostile_tasks", **env: str) -> None:
        self.log: Path = fleet.folder / "worker.log"
        env = {**fleet.env(), "TASKFLOW_TASKS": tasks, **env}
        command = [sys.executable, "-m", "taskflow", "worker", "--machine", "small-1x"]
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(command, env=env, cwd=ROOT, stdout=output, stderr=output)

    def text(self) -> str:
        """Return what it has printed."""
        return self.log.read_text()

    def wait_for(self, text: str, times: int = 1) -> None:
        """Wait until it has printed a text."""
        wait_until(lambda: self.text().count(text) >= times, f"{text!r} in {self.log}", timeout=30)


@pytest.fixture
def fleet(start_fleet: StartFleet, valkey: RedisServer) -> Fleet:
    """A fleet without nodes."""
    return start_fleet(valkey.url)


@pytest.fixture
def worker(fleet: Fleet) -> Iterator[Worker]:
    """A worker whose nodes are ready."""
    made = Worker(fleet)
    try:
        made.wait_for("node.ready", len(CLASSES))
        yield made
    finally:  # also when it is not ready in time: it would lose its lease at each later test, which empties the store
        made.process.kill()
        made.process.wait()


@pytest.mark.timeout(90)
def test_the_start_is_one_summary(fleet: Fleet, worker: Worker) -> None:
    """There were three banners of Celery, warnings, and each connection twice."""
    text = worker.text()
    summary = text[: text.index("node.ready")]
    for name in ("store", "broker", "history", "nodes", "tasks", "queues", "stop"):
        assert len(re.findall(rf"^  {name} ", summary, re.MULTILINE)) == 1, (name, text)
    for part in (f"environment {fleet.environment}", "small-1x.process: ", "small-1x.async: 1,000 runs", "Ctrl-C: "):
        assert summary.count(part) == 1, (part, text)
    for noise in ("Warning", "[config]", "-----", "Connected to", " ready.", "celery -A", "Traceback"):
        assert noise not in text
    lines = [line for line in text.splitlines() if line.startswith(CLASSES)]
    assert len(lines) == len(CLASSES)


@pytest.mark.timeout(90)
def test_a_failure_is_shown_once_with_the_users_frames(worker: Worker) -> None:
    """In children and in coroutines alike, which showed nothing at all."""
    failing: list[tuple[RunHandle[Any], str]] = [
        (tasks.flaky.trigger(9, max_attempts=2), "fleet_tasks.py"),
        (tasks.async_flaky.trigger(9, max_attempts=2), "fleet_tasks.py"),
        (hostile.say.trigger("fail \x1b[31mred"), "hostile_tasks.py"),
    ]
    for handle, _ in failing:
        with pytest.raises(RunFailedError):
            handle.result(timeout=20)
        worker.wait_for(f"[{handle.id}] failed:")
    text = worker.text()
    for handle, file in failing:
        error = handle.retrieve().error
        assert error is not None
        assert text.count(f"[{handle.id}] failed:") == 1
        block = re.split(r"\[20\d\d-", text[text.index(f"[{handle.id}] failed:") :])[0]
        files = re.findall(r'File "([^"]+)"', block)
        assert files
        assert all(name.endswith(file) for name in files), block
        assert block.count(f"{error.type}: ") == 1
        assert "\x1b" not in block
    assert text.count("retry") == 2


@pytest.mark.timeout(90)
def test_the_end_is_one_line_a_node_at_most(worker: Worker) -> None:
    """Children that end with their node are no warnings, and the supervisor speaks for Celery."""
    assert tasks.echo.trigger(1).result(timeout=20) == 1
    before = len(worker.text())
    worker.process.send_signal(signal.SIGINT)
    assert worker.process.wait(30) == 0
    ended = worker.text()[before:]
    assert ended.count("Ctrl-C again stops at once") == 1
    for noise in ("WARNING", "ERROR", "shutdown", "Traceback", "Hitting"):
        assert noise not in ended, ended


@pytest.mark.timeout(60)
def test_a_module_that_breaks_under_a_running_worker_costs_a_line(
    start_fleet: StartFleet, valkey: RedisServer, tmp_path: Path
) -> None:
    """A deployment writes it, and a node that starts again imports it."""
    fleet = start_fleet(valkey.url)
    module = tmp_path / "deployed.py"
    module.write_text(
        "from taskflow import task\n@task(id='wt-deployed')\nasync def deployed(payload: int) -> None: ...\n"
    )
    worker = Worker(fleet, tasks="deployed", PYTHONPATH=f"{ROOT}:{tmp_path}")
    try:
        worker.wait_for("node.ready")
        module.write_text("import surely_not_there\n")
        (node,) = psutil.Process(worker.process.pid).children()
        node.kill()
        worker.wait_for("deployed.py:1: ModuleNotFoundError")
        worker.process.send_signal(signal.SIGTERM)
        worker.process.wait(30)
    finally:
        worker.process.kill()
        worker.process.wait()
    assert "Traceback" not in worker.text()
    assert "site-packages" not in worker.text()
