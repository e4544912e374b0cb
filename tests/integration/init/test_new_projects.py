"""``taskflow init`` in an empty folder: the project passes the checks of careful people, and its own test."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from taskflow import guard_of_tests
from taskflow.cli.init.kinds import Kind
from taskflow.cli.main import app
from tests.support.fleet import ROOT

FLASK = """
from app import app
from taskflow.testing import Stage


def test_the_site_triggers_runs(taskflow_inline: Stage) -> None:
    client = app.test_client()
    run_id = client.post("/greetings", json={"name": "Ada"}).json["run_id"]
    assert client.get(f"/greetings/{run_id}").json == {"status": "COMPLETED", "output": "Hello, Ada!"}
    assert client.get("/greetings/run_nothing").status_code == 404
    assert client.post("/greetings", json={"name": 5}).status_code == 422
"""
FASTAPI = """
from fastapi.testclient import TestClient
from main import app
from taskflow.testing import Stage


def test_the_site_triggers_runs(taskflow_inline: Stage) -> None:
    with TestClient(app) as client:
        run_id = client.post("/greetings", json={"name": "Ada"}).json()["run_id"]
        assert client.get(f"/greetings/{run_id}").json() == {"status": "COMPLETED", "output": "Hello, Ada!"}
        assert client.get("/greetings/run_nothing").status_code == 404
"""
DJANGO = """
from django.test import SimpleTestCase
from taskflow.testing import InlineMixin


class SiteTests(InlineMixin, SimpleTestCase):
    def test_the_site_triggers_runs(self) -> None:
        self.assertContains(self.client.get("/"), "<form")
        shown = self.client.post("/", {"name": "Ada"}, follow=True)
        assert shown.json() == {"status": "COMPLETED", "output": "Hello, Ada!"}
        assert self.client.get("/runs/run_nothing/").status_code == 404
        import mysite.asgi
"""
STYLE = ("--ignore", "D104,D203,D213,D413")  # packages need no docstring; rules that exclude others
SITES = {Kind.PLAIN: "", Kind.FLASK: FLASK, Kind.FASTAPI: FASTAPI, Kind.DJANGO: DJANGO}


def init(*words: str | Path) -> str:
    """Return the output of ``taskflow init WORDS...``, which succeeds."""
    done = CliRunner().invoke(app, ["init", *map(str, words)])
    assert done.exit_code == 0, done.output + str(done.exception)
    return done.output


def run(folder: Path, *words: str) -> str:
    """Return the output of a program in a folder, which succeeds."""
    env = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # a newcomer has none but ours
    env.pop(guard_of_tests.VARIABLE, None)  # this suite may use real stores, and a newcomer's may not
    done = subprocess.run([sys.executable, *words], cwd=folder, env=env, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", list(Kind))
def test_the_test_of_a_new_project_passes_and_its_site_triggers_runs(tmp_path: Path, kind: Kind) -> None:
    """A newcomer reads these files first, and copies from them."""
    folder = tmp_path / "my shop"
    assert "taskflow dev" in init(folder, "--kind", kind)
    (folder / "test_site.py").write_text(SITES[kind])
    passed = run(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "pytest_taskflow")
    assert f"{2 if SITES[kind] else 1} passed" in passed


def test_new_projects_pass_the_checks_of_careful_people(tmp_path: Path) -> None:
    """ruff as it comes, with more of its rules, and mypy with --strict."""
    for kind in Kind:
        init(folder := tmp_path / kind, "--kind", kind)
        run(folder, "-m", "ruff", "format", "--isolated", "--no-cache", "--check", ".")
        run(folder, "-m", "ruff", "check", "--isolated", "--no-cache", "--select", "E,F,I,B,UP,D,SIM,RET", *STYLE, ".")
    empty = [file.name for file in tmp_path.rglob("*.py") if not file.read_text()]
    assert empty == ["__init__.py"]


@pytest.mark.timeout(300)
def test_new_projects_are_typed(tmp_path: Path) -> None:
    """All of them at once, in one folder: their modules have names of their own, or are the same."""
    for kind in Kind:
        init(tmp_path / kind, "--kind", kind)
        for file in (tmp_path / kind).rglob("*.py"):
            copy = tmp_path / "all of them" / file.relative_to(tmp_path / kind)
            copy.parent.mkdir(parents=True, exist_ok=True)
            assert not copy.exists() or copy.read_text() == file.read_text()
            copy.write_text(file.read_text())
    folder = str(tmp_path / "all of them")
    environment = os.environ | {"MYPYPATH": folder}
    words = [sys.executable, "-m", "mypy", "--strict", folder]
    checked = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_second_call_changes_nothing(tmp_path: Path) -> None:
    """It finds what the first one made, of any kind."""
    for kind in Kind:
        init(tmp_path / kind, "--kind", kind)
        before = {file: file.stat().st_mtime_ns for file in (tmp_path / kind).rglob("*")}
        assert "Nothing was written" in init(tmp_path / kind, "--kind", kind)
        assert {file: file.stat().st_mtime_ns for file in (tmp_path / kind).rglob("*")} == before


def test_a_dry_run_prints_the_files_and_writes_none(tmp_path: Path) -> None:
    """Also into a folder that does not exist."""
    printed = init(tmp_path / "shop", "--kind", "flask", "--dry-run")
    assert "def hello_world(payload: Greeting)" in printed
    assert 'flask_app = "app"' in printed
    assert not (tmp_path / "shop").exists()


def test_the_tests_of_a_site_run_under_django_too(tmp_path: Path) -> None:
    """``manage.py test`` is what people of Django call."""
    init(tmp_path, "--kind", "django")
    printed = run(tmp_path, "manage.py", "test")
    assert "Ran 1 test" in printed
    assert "WARNINGS" not in printed


def test_a_name_that_no_package_may_have_is_replaced(tmp_path: Path) -> None:
    """The project is named after its folder."""
    init(tmp_path / "Größe & Co")
    init(tmp_path / "\u4e16\u754c")
    assert 'name = "gr-e-co"' in (tmp_path / "Größe & Co" / "pyproject.toml").read_text()
    assert 'name = "my-project"' in (tmp_path / "\u4e16\u754c" / "pyproject.toml").read_text()
