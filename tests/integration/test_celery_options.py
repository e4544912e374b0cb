"""Options, settings and commands of Celery's that people bring along: obeyed, or refused with what to use instead."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from celery.contrib.testing.worker import start_worker

from taskflow import AttemptOutcome, RunStatus
from taskflow.worker.celery_options import WorkerOptionError
from tests.conftest import StartFleet
from tests.projects import fleet_tasks as tasks
from tests.support.fleet import ROOT, Fleet
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.interpreter

MODULE = """
from taskflow import TaskFlow, task

@task(id="celery-options-task")
def options_task(payload: int) -> int:
    return payload

flow = TaskFlow().set_default()
app = flow.celery
app.conf.update({settings})
"""


@pytest.fixture
def fleet(start_fleet: StartFleet, valkey: RedisServer) -> Fleet:
    return start_fleet(valkey.url)


def command(fleet: Fleet, *words: str, settings: str = "", path: str = "") -> tuple[int, str]:
    """Run a command to its end. Return its exit code, and what it printed without Celery's warning for root."""
    (fleet.folder / "options_app.py").write_text(MODULE.format(settings=settings))
    env = {**fleet.env(TASKFLOW_TASKS=""), "PYTHONPATH": os.pathsep.join([path, str(fleet.folder), str(ROOT)])}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", *words],
        env=env, cwd=fleet.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=25, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout.decode().strip()


CELERY = ("celery", "-A", "options_app", "worker")
OURS = ("taskflow", "worker", "-A", "options_app")


@pytest.mark.parametrize(
    "option, settings, remedy",
    [
        (("-P", "solo"), "", "async def"),
        (("--pool=threads",), "", "async def"),
        ((), "worker_pool='threads'", "async def"),
        ((), "worker_pool='gevent'", "async def"),
        (("--time-limit", "2"), "", "max_duration=2"),
        (("--soft-time-limit=3.5",), "", "max_duration=3.5"),
        ((), "task_time_limit=1800", "max_duration=1800"),
        ((), "task_soft_time_limit=60", "max_duration=60"),
        (("--autoscale", "4,1"), "", "--concurrency 4"),
    ],
)
@pytest.mark.parametrize("start", [CELERY, OURS], ids=["celery", "taskflow"])
def test_what_a_node_cannot_obey_is_refused_in_one_line(
    fleet: Fleet, start: tuple[str, ...], option: tuple[str, ...], settings: str, remedy: str
) -> None:
    """A time limit killed processes whose runs then started again, 11 times; another pool ended in a traceback."""
    code, printed = command(fleet, *start, *option, settings=settings)
    assert (code, len(printed.splitlines())) == (2, 1), printed
    assert printed.startswith("Error: ")
    assert remedy in printed


def test_green_pools_are_refused_where_their_library_is_installed(fleet: Fleet, tmp_path: Path) -> None:
    """Celery itself imports the library before it imports the app."""
    package = tmp_path / "green" / "gevent"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("class Timeout(BaseException): pass\n")
    (package / "monkey.py").write_text("def patch_all(): pass\n")
    (package / "signal.py").write_text("")
    code, printed = command(fleet, *CELERY, "-P", "gevent", path=str(package.parent))
    assert (code, len(printed.splitlines())) == (2, 1), printed
    assert "async def" in printed


def test_a_limit_set_on_a_task_of_ours_is_refused_by_name(fleet: Fleet) -> None:
    """``app.tasks[id].time_limit`` would kill the process of its runs as well."""
    code, printed = command(
        fleet, *CELERY, settings=") or setattr(app.tasks['celery-options-task'], 'time_limit', 5) or dict("
    )
    assert (code, len(printed.splitlines())) == (2, 1), printed
    assert "celery-options-task" in printed
    assert "max_duration=5" in printed


@pytest.mark.parametrize("executor", ["process", "async"])
def test_remote_limits_answer_with_what_to_do_instead(fleet: Fleet, executor: str) -> None:
    """``app.control.time_limit`` made each later run of the task start again and again."""
    fleet.start_node(executor=executor)
    control = fleet.flow.celery.control

    def ask(name: str, **arguments: object) -> str:
        replies: Any = control.broadcast(name, arguments, reply=True, timeout=5, limit=1)
        [answer] = replies[0].values()
        return str(answer.get("error", ""))

    wait_until(lambda: control.ping(timeout=1, limit=1), "the node to answer")
    assert "max_duration=1" in ask("time_limit", task_name="t-sleep", hard=1, soft=None)
    assert "rate_limit=" in ask("rate_limit", task_name="t-sleep", rate_limit="1/m")
    assert "unknown" in ask("time_limit", task_name="no-such-task", hard=1, soft=None)
    if executor == "process":
        handle = tasks.sleep.trigger(tasks.Nap(seconds=2))
        handle.result(timeout=20)
        assert [attempt.outcome for attempt in handle.retrieve().attempts] == [AttemptOutcome.COMPLETED]


@pytest.mark.parametrize("option", ["--max-tasks-per-child=2", "--max-memory-per-child=1"])
def test_children_that_are_replaced_as_planned_are_no_warning(fleet: Fleet, option: str) -> None:
    """A warning that a child has ended, which "executed nothing", sent people looking for a fault."""
    node = fleet.start_node(concurrency=2, options=(option,))
    handles = [tasks.echo.trigger(number) for number in range(40)]
    assert [handle.result(timeout=25) for handle in handles] == list(range(40))
    assert {len(handle.retrieve().attempts) for handle in handles} == {1}
    lines = node.output().splitlines()
    ended = [line for line in lines if "child.ended" in line]
    assert len(ended) >= 10
    assert not [line for line in ended if "nothing" in line]
    assert not [line for line in lines if "WARNING/" in line and "child" in line]
    assert not [line for line in lines if "ERROR/" in line]


def test_a_pool_that_is_shrunk_lets_idle_children_leave(fleet: Fleet) -> None:
    """Celery ended children with SIGTERM, which may meet a run that has just begun."""
    node = fleet.start_node(concurrency=3)
    busy = tasks.sleep.trigger(tasks.Nap(seconds=4))
    wait_until(lambda: busy.status() is RunStatus.EXECUTING, "the run to execute")
    control = fleet.flow.celery.control

    def ask(number: int) -> dict[str, str]:
        replies: Any = control.broadcast("pool_shrink", {"n": number}, reply=True, timeout=5, limit=1)
        [answer] = replies[0].values()
        return dict(answer)

    wait_until(lambda: control.ping(timeout=1, limit=1), "the node to answer")
    assert ask(2) == {"ok": "pool will shrink"}
    wait_until(lambda: node.output().count("asked to leave by pool_shrink") == 2, "two children to leave")
    assert "keeps one child" in ask(1)["error"]
    busy.result(timeout=20)
    assert [attempt.outcome for attempt in busy.retrieve().attempts] == [AttemptOutcome.COMPLETED]
    assert tasks.echo.trigger("after").result(timeout=10) == "after"
    lines = node.output().splitlines()
    assert not [line for line in lines if "WARNING/" in line and "child" in line]


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    """The root logger, which has its level and its handlers afterwards: Celery's worker sets its own."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield root
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.mark.usefixtures("root_logger")
@pytest.mark.parametrize("pool", ["solo", "threads"])
def test_a_worker_in_a_thread_of_the_tests_is_refused_at_once(fleet: Fleet, pool: str) -> None:
    """``start_worker`` hung: such a pool has no children to watch, and its thread had ended."""
    worker = start_worker(cast("Any", fleet.flow.celery), pool=pool, perform_ping_check=False, shutdown_timeout=1)
    with pytest.raises(WorkerOptionError, match="async def"), worker:
        pytest.fail("there is a worker")
