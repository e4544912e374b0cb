"""Celery's own command beside taskflow: for a package of tasks without an app, and beat."""

import contextlib
import re
import subprocess
import sys
from collections.abc import Generator
from functools import partial
from pathlib import Path

import httpx
import pytest

from taskflow import RunNotFoundError, RunStatus, runs
from tests.conftest import StartFleet
from tests.support.fleet import ROOT, Fleet
from tests.support.processes import spawn, stop_group, tail
from tests.support.servers import RedisServer, free_port
from tests.support.waiting import wait_until

pytestmark = pytest.mark.interpreter

TASKS = """
from taskflow import task

@task(id="bare-package-task")
def bare(payload: int) -> int:
    return payload
"""
SCHEDULE = """
from datetime import timedelta
from taskflow.fleet import app

app.conf.beat_schedule = {
    "echo": {"task": "t-echo", "schedule": timedelta(seconds=1), "args": [{"day": "today"}]},
    "async": {"task": "t-async-says", "schedule": timedelta(seconds=1), "args": [7], "options": {"expires": 3600}},
}
"""


@pytest.fixture
def fleet(start_fleet: StartFleet, valkey: RedisServer) -> Fleet:
    return start_fleet(valkey.url)


def env(fleet: Fleet, **more: str) -> dict[str, str]:
    """Return the environment of a process in the fleet's folder, which is on its path."""
    return {**fleet.env(**more), "PYTHONPATH": f"{fleet.folder}:{ROOT}", "PYTHONUNBUFFERED": "1"}


@contextlib.contextmanager
def running(fleet: Fleet, *words: str, **more: str) -> Generator[Path]:
    """Run a command of Celery's within the block. Yield its log."""
    log = fleet.folder / f"{words[2]}.log"
    with log.open("wb") as output:
        process = spawn(
            [sys.executable, "-m", "celery", *words], env=env(fleet, **more), cwd=fleet.folder, output=output
        )
    try:
        yield log
    finally:
        stop_group(process)


def package(fleet: Fleet, inner: str) -> None:
    """Write the package ``bare_shop.tasks``, which only declares tasks: in itself, or in a module that it imports."""
    folder = fleet.folder / "bare_shop" / "tasks"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("")
    (folder / "__init__.py").write_text(TASKS if not inner else f"from bare_shop.tasks import {inner} as {inner}\n")
    if inner:
        (folder / f"{inner}.py").write_text(TASKS)


@pytest.mark.timeout(90)
@pytest.mark.parametrize("inner", ["", "orders"], ids=["in the package", "in a module"])
def test_celerys_command_works_for_a_package_of_tasks(fleet: Fleet, inner: str) -> None:
    """``celery -A shop.tasks`` found no app there: "Module 'shop.tasks' has no attribute 'celery'"."""
    package(fleet, inner)
    node = fleet.start_node()

    def celery(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "celery", *words], env=env(fleet, TASKFLOW_TASKS=""), cwd=fleet.folder,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout.decode()
        return done.stdout.decode()

    wait_until(lambda: fleet.flow.celery.control.ping(timeout=1, limit=1), "the node to answer")
    assert node.name in celery("-A", "bare_shop.tasks", "status")
    assert "pong" in celery("--app=bare_shop.tasks", "inspect", "ping")
    assert "max_duration" in celery("-Abare_shop.tasks", "control", "time_limit", "t-echo", "5")
    port = free_port()
    flower = ("-A", "bare_shop.tasks", "flower", "--address=127.0.0.1", f"--port={port}", "--basic_auth=user:word")
    with running(fleet, *flower, TASKFLOW_TASKS="") as log:
        address = f"http://127.0.0.1:{port}/healthcheck"
        wait_until(lambda: _answers(address), f"Flower to answer:\n{tail(log)}", timeout=30)


def test_a_module_that_has_an_app_keeps_it(fleet: Fleet) -> None:
    """Under whatever name."""
    package(fleet, "")
    with (fleet.folder / "bare_shop" / "tasks" / "__init__.py").open("a") as module:
        module.write("from celery import Celery\nmine = Celery('mine', broker='memory://')\n")
    called = [sys.executable, "-m", "celery", "-A", "bare_shop.tasks", "report"]
    printed = subprocess.run(
        called, env=env(fleet), cwd=fleet.folder, capture_output=True, timeout=30, check=True
    ).stdout
    assert "transport:memory" in printed.decode()


@pytest.mark.timeout(90)
def test_celery_beat_makes_runs_of_our_tasks(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """Each message becomes a run, with what its entry says, for both executors."""
    fleet = start_fleet(valkey.url)
    for executor in ("process", "async"):
        fleet.start_node(executor=executor)
    (fleet.folder / "beat_schedule_app.py").write_text(SCHEDULE)
    schedule = str(fleet.folder / "schedule")
    with running(fleet, "-A", "beat_schedule_app", "beat", "--schedule", schedule, "--loglevel", "DEBUG") as log:
        wait_until(lambda: min(map(len, _sent(log).values())) >= 2, f"two messages each:\n{tail(log)}", timeout=30)
        sent = _sent(log)
    for task, payload in (("t-echo", {"day": "today"}), ("t-async-says", 7)):
        for run_id in sent[task][:2]:
            wait_until(partial(_is_completed, run_id), f"the end of {run_id} of {task}")
            assert runs.retrieve(run_id).payload == payload


def _sent(log: Path) -> dict[str, list[str]]:
    """Return the ids of the messages that beat has sent, by task."""
    found: dict[str, list[str]] = {"t-echo": [], "t-async-says": []}
    for task, run_id in re.findall(r"(t-\S+) sent\. id->(\S+)", log.read_text()):
        found[task].append(run_id)
    return found


def _is_completed(run_id: str) -> bool:
    with contextlib.suppress(RunNotFoundError):  # not adopted yet
        return runs.retrieve(run_id).status is RunStatus.COMPLETED
    return False


def _answers(address: str) -> bool:
    try:
        return httpx.get(address).status_code == 200
    except httpx.TransportError:
        return False
