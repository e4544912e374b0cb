"""The end of ``taskflow dev``: one Ctrl-C, in good order, and nothing is left."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from taskflow import RunStatus
from taskflow.embedded import store_status
from taskflow.models import AttemptOutcome
from tests.support.dev_session import DevProject, dev_project
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.timeout(120), pytest.mark.interpreter]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[DevProject]:
    """A project without a session."""
    with dev_project(tmp_path / "project") as made:
        yield made


def begin(project: DevProject, seconds: float) -> str:
    """Trigger a run, wait until its code has begun, and leave the store to the session."""
    with project.flow:
        run = project.work(seconds)
        wait_until(lambda: any(run.id in line for line in project.ledger()), "the run to begin", timeout=30)
    project.disconnect()
    return run.id


def has_ended(processes: list[psutil.Process]) -> bool:
    """Whether none of them is left, but for zombies of a reaper."""
    return not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in processes)


def test_one_ctrl_c_ends_everything_and_gives_runs_back(project: DevProject) -> None:
    """The run counts as interrupted, as at the stop of `taskflow worker`, and the store that was started is stopped."""
    project.start("--no-server", TASKFLOW_SHUTDOWN_GRACE="1")
    run_id = begin(project, 60)
    started = project.processes()
    project.interrupt()
    assert project.process.wait(40) == 0, project.text()
    assert has_ended(started)
    assert store_status(project.home) is None
    assert "the store too" in project.text()
    assert project.text().count("Ctrl-C again stops at once.") == 1, "the session has said so, for all workers"
    run = project.flow.engine.runs.retrieve(run_id)
    assert (run.status, len(run.attempts)) == (RunStatus.QUEUED, 1)
    assert run.attempts[0].outcome is AttemptOutcome.INTERRUPTED


def test_a_second_ctrl_c_does_not_wait(project: DevProject) -> None:
    """A run that has minutes of grace left starts again later, and a store that others use goes on."""
    flow = project.flow  # starts the store, and stays connected
    project.start("--no-server", TASKFLOW_SHUTDOWN_GRACE="600")
    with flow:
        run = project.work(60)
    wait_until(lambda: project.ledger(), "the run to begin", timeout=30)
    started = project.processes()
    project.interrupt()
    project.wait_for("Ctrl-C again stops at once.")
    assert project.process.poll() is None
    project.interrupt()
    assert project.process.wait(30) == 1, project.text()
    assert has_ended(started)
    assert store_status(project.home) is not None
    assert not flow.engine.runs.retrieve(run.id).is_finished
