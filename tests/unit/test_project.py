"""A project has one home, and its settings stand in its files."""

import logging
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from taskflow import Settings, SettingsError, TaskflowError
from taskflow.cli import doctor
from taskflow.project import find_project, make_private
from taskflow.settings_sources import unknown_variables


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a project, with a site in a folder of its own, from which the process is started."""
    site = tmp_path / "project" / "site"
    site.mkdir(parents=True)
    monkeypatch.chdir(site)
    return site.parent


@pytest.mark.parametrize("marker", ["pyproject.toml", ".git", ".taskflow"])
def test_every_folder_of_a_project_has_the_projects_home(marker: str, project: Path) -> None:
    """A site that is started in another folder than the worker must not trigger into a store of its own."""
    (project / marker).touch() if "." in marker[1:] else (project / marker).mkdir()
    assert Settings.read().home == project / ".taskflow"


def test_an_existing_home_counts_more_than_a_nearer_package(project: Path) -> None:
    """The parts of a repository share a store as soon as its root has a home."""
    (project / ".git").mkdir()
    (project / "site" / "pyproject.toml").touch()
    assert find_project(project / "site").folder == project / "site"
    (project / ".taskflow").mkdir()
    assert find_project(project / "site").folder == project
    assert find_project(project / "site").path == (project / "site", project)


def test_a_folder_above_the_repository_or_the_users_own_is_no_project(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files there belong to no project, or to another one."""
    (project.parent / ".taskflow").mkdir()
    monkeypatch.setenv("HOME", str(project.parent))
    assert find_project(project / "site").marker is None
    assert find_project(project / "site").home == project / "site" / ".taskflow"
    assert find_project(project.parent).marker == ".taskflow"


def test_later_sources_win(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """First the table of pyproject.toml, then .env, then the environment."""
    table = 'tasks = ["shop.tasks"]\nretention = "5m"\nlease = 20\nmachines = {gpu = [8, 64]}\nhome = "var"\n'
    (project / "pyproject.toml").write_text(f"[tool.taskflow]\n{table}")
    (project / ".env").write_text("OTHER=1\nTASKFLOW_LEASE=1m\nTASKFLOW_HEARTBEAT='4'\nTASKFLOW_OBJECT_STORE=large\n")
    monkeypatch.setenv("TASKFLOW_HEARTBEAT", "PT2S")
    settings = Settings.read()
    assert settings.tasks == ("shop.tasks",)
    assert settings.machines == {"gpu": (8, 64)}
    assert (settings.retention, settings.lease) == (timedelta(minutes=5), timedelta(minutes=1))
    assert settings.heartbeat == timedelta(seconds=2)
    assert (settings.home, settings.object_store) == (project / "var", str(project / "large"))


def test_an_unknown_key_of_the_table_is_refused_with_its_near_miss(project: Path) -> None:
    """A table has no other readers, so a key without effect is a mistake."""
    (project / "pyproject.toml").write_text('[tool.taskflow]\nredis-url = "redis://x"\n')
    with pytest.raises(SettingsError, match=r"'redis-url', in \[tool.taskflow\] of .*Did you mean 'redis_url'"):
        Settings.read()
    (project / "pyproject.toml").write_text("[tool.taskflow\n")
    with pytest.raises(SettingsError, match=r"pyproject\.toml can't be read"):
        Settings.read()


def test_a_wrong_value_is_named_with_its_file(project: Path) -> None:
    """It may stand in one of three places."""
    (project / "pyproject.toml").write_text('[tool.taskflow]\nlease = "soon"\n')
    with pytest.raises(SettingsError, match=r"TASKFLOW_LEASE.*'soon', in \[tool.taskflow\] of .*pyproject.toml"):
        Settings.read()


def test_a_misspelt_variable_is_named_with_its_near_miss(
    project: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It has no effect, so the embedded store would be used in silence. Other software's names are left alone."""
    caplog.set_level(logging.WARNING)  # whatever a worker in this process has set
    monkeypatch.setenv("TASKFLOW_REDIS_ULR", "redis://x")
    monkeypatch.setenv("TASKFLOW_REDIS_PORT", "6379")
    (project / "site" / ".env").write_text("TASKFLOW_HEARTBEATS=3\n")
    Settings.read()
    Settings.read()
    lines = [record.getMessage() for record in caplog.records if record.name == "taskflow.settings"]
    assert [line.rpartition("Did you mean ")[2] for line in lines] == ["TASKFLOW_HEARTBEAT?", "TASKFLOW_REDIS_URL?"]
    assert unknown_variables(Settings.model_fields)["TASKFLOW_REDIS_PORT"] is None
    with pytest.raises(TaskflowError, match=r"TASKFLOW_REDIS_ULR \(did you mean TASKFLOW_REDIS_URL\?\)"):
        doctor.settings()


@pytest.mark.parametrize(
    "name, value, reason",
    [
        ("REDIS_URL", "localhost:6379", "no URL; write redis://host:6379/0"),
        ("REDIS_URL", "http://localhost", "http:// is not possible here; write redis://"),
        ("REDIS_URL", "redis://:hun/ter2@host:6379", "its port is no number"),
        ("REDIS_URL", "redis://host/hunter2", "its database must be a number"),
        ("BROKER_URL", "rabbit://host", "rabbit:// is not possible here; write redis://host:6379/0 or amqp://"),
        ("MACHINES", "{gpu: 1}", "no JSON"),
        ("LEASE", "5 minutes", "that text is not a duration; write seconds or 5m"),
        ("LEASE", "-1", "a duration is never negative"),
    ],
)
def test_a_malformed_value_is_one_line(name: str, value: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no password is in it."""
    monkeypatch.setenv(f"TASKFLOW_{name}", value)
    with pytest.raises(SettingsError, match=f"TASKFLOW_{name}: {reason}") as raised:
        Settings.read()
    assert "hun" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_embedded_store_serves_development_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deployment whose address is missing must not trigger into a store of its own."""
    monkeypatch.setenv("TASKFLOW_ENVIRONMENT", "production")
    with pytest.raises(SettingsError, match="'production' has no store: TASKFLOW_REDIS_URL is not set"):
        Settings.read()
    assert Settings.read(redis_url="valkey://host").environment == "production"


def test_what_is_in_a_home_is_private_and_ignored_by_git(tmp_path: Path) -> None:
    """The umask does not matter; a folder that was made before is closed."""
    home = tmp_path / ".taskflow"
    home.mkdir(mode=0o755)
    before = os.umask(0)
    try:
        make_private(home / "spool" / "dev")
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o077 for path in (home, *home.rglob("*"))] == [0, 0, 0, 0]
    assert (home / ".gitignore").read_text() == "*\n"


@pytest.mark.parametrize("arguments", [["--version"], ["store", "status", "--json"], ["store", "stop"]])
def test_the_command_needs_no_tasks(arguments: list[str], tmp_path: Path) -> None:
    """``python -m taskflow`` is the command."""
    env = {**os.environ, "TASKFLOW_TASKS": "no_such_module"}
    done = subprocess.run(
        [sys.executable, "-m", "taskflow", *arguments],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert not (tmp_path / ".taskflow").exists()
