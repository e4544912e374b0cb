"""``taskflow init`` where something is already: nothing of it is lost, and all is written or nothing."""

import errno
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner

from taskflow.cli.init import changes
from taskflow.cli.init.kinds import Found, Kind, find_kind
from taskflow.cli.main import app
from taskflow.errors import TaskflowError
from tests.support.fleet import ROOT

APPLICATION = "from flask import Flask\n\napp = Flask(__name__)\n"


def put(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files into a folder."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder."""
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def init(*words: str | Path, expect: int = 0) -> str:
    """Return the output of ``taskflow init WORDS...``, or its error if it should fail."""
    done = CliRunner().invoke(app, ["init", *map(str, words)])
    assert done.exit_code == expect, done.output + str(done.exception)
    if not expect:
        return done.output
    assert isinstance(done.exception, TaskflowError)
    return str(done.exception)


@pytest.mark.parametrize(
    "files, kind, file",
    [
        ({}, Kind.PLAIN, None),
        ({"manage.py": "", "app.py": APPLICATION}, Kind.DJANGO, "manage.py"),
        ({"app.py": APPLICATION}, Kind.FLASK, "app.py"),
        ({"a.py": "import flask.views", "main.py": "import fastapi"}, Kind.FASTAPI, "main.py"),
        ({"shop/__init__.py": "def create():\n    from flask import Flask\n"}, Kind.FLASK, "shop/__init__.py"),
        ({"test_app.py": APPLICATION, "tests/__init__.py": APPLICATION}, Kind.PLAIN, None),
        (
            {"app.py": "from .flask import x  # import flask", "b.py": "import flask_login", "c.py": "((("},
            Kind.PLAIN,
            None,
        ),
    ],
)
def test_the_kind_is_that_of_the_files(tmp_path: Path, files: Mapping[str, str], kind: Kind, file: str | None) -> None:
    """Files are read and not imported, because an import may do anything."""
    assert find_kind(put(tmp_path, files)) == Found(kind, Path(file) if file else None)


def test_a_file_that_is_there_is_never_replaced(tmp_path: Path) -> None:
    """One name that is taken, and nothing else is written either."""
    put(tmp_path, {"tasks.py": "mine = 1\n", "pyproject.toml": "[project]\nname = 'a'\n"})
    before = contents(tmp_path)
    refused = init(tmp_path, expect=1)
    assert "tasks.py exists already" in refused
    assert "Nothing was written" in refused
    assert contents(tmp_path) == before


def test_names_that_are_in_the_way_are_all_listed(tmp_path: Path) -> None:
    """A file where a folder should be is one of them, and so is a link to nowhere."""
    put(tmp_path, {"mysite": "a file\n"})
    (tmp_path / "conftest.py").symlink_to(tmp_path / "nowhere")
    with pytest.raises(TaskflowError, match=r"conftest\.py can't be read"):
        changes.read_file(tmp_path, Path("conftest.py"))
    (tmp_path / "conftest.py").unlink()
    put(tmp_path, {"manage.txt": "", "conftest.py": "x = 1\n"})
    refused = init(tmp_path, "--kind", "django", expect=1)
    assert "mysite, conftest.py exist already" in refused
    assert sorted(contents(tmp_path)) == ["conftest.py", "manage.txt", "mysite"]
    assert "is not a folder" in init(tmp_path / "mysite" / "deeper", expect=1)


def test_an_error_in_the_middle_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The third file does not fit on the disk: the two before it, and their folders, are taken away again."""
    put(tmp_path, {".gitignore": "*.log\n"})
    before, count = contents(tmp_path), 0

    def replace(target: Path, text: bytes) -> None:
        nonlocal count
        count += 1
        if count == 1:
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        target.write_bytes(text)

    monkeypatch.setattr(changes, "_replace", replace)
    refused = init(tmp_path, "--kind", "django", expect=1)
    assert "No space left on device" in refused
    assert contents(tmp_path) == before
    assert sorted(each.name for each in tmp_path.iterdir()) == [".gitignore"]


def test_a_file_that_changes_while_it_is_planned_is_not_overwritten(tmp_path: Path) -> None:
    """Another program has written to it, or made it."""
    put(tmp_path, {".gitignore": "*.log\n"})
    added = changes.Change(Path(".gitignore"), "", b"*.log\n.taskflow/\n", b"*.log\n", ".taskflow/\n")
    made = changes.Change(Path("tasks.py"), "", b"ours\n")
    put(tmp_path, {".gitignore": "*.tmp\n"})
    with pytest.raises(TaskflowError, match="it has changed in the meantime"):
        changes.write(tmp_path, [made, added])
    assert contents(tmp_path) == {".gitignore": b"*.tmp\n"}
    put(tmp_path, {"tasks.py": "theirs\n"})
    with pytest.raises(TaskflowError, match="File exists"):
        changes.write(tmp_path, [made])
    assert contents(tmp_path)["tasks.py"] == b"theirs\n"


def test_tables_and_lines_are_added_and_the_text_is_kept(tmp_path: Path) -> None:
    """Comments, order, line endings, permissions and a link to the file stay."""
    mine = b'# mine\r\n[project]\r\nname = "a" # b\r\n\r\n[tool.other]\r\nx = 1'
    put(tmp_path, {"real.toml": mine, ".gitignore": "*.log"})
    (tmp_path / "real.toml").chmod(0o640)
    (tmp_path / "pyproject.toml").symlink_to("real.toml")
    printed = init(tmp_path)
    text = (tmp_path / "real.toml").read_bytes()
    assert text.startswith(mine + b"\r\n\r\n")
    assert b"\n" not in text.replace(b"\r\n", b"")
    assert tomllib.loads(text.decode())["tool"] == {"other": {"x": 1}, "taskflow": {"tasks": ["tasks"]}}
    assert (tmp_path / "pyproject.toml").is_symlink()
    assert (tmp_path / "real.toml").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / ".gitignore").read_text() == "*.log\n.taskflow/\n"
    assert "celery-taskflow[server]" in printed


@pytest.mark.parametrize("text, why", [("[project\n", "can't be read"), ("tool = {x = {y = 1}}\n", "by hand")])
def test_a_project_file_that_cannot_be_continued_is_refused(tmp_path: Path, text: str, why: str) -> None:
    """A table after it would be an error, or would not be the table that is meant."""
    put(tmp_path, {"pyproject.toml": text})
    assert why in init(tmp_path, expect=1)
    assert contents(tmp_path) == {"pyproject.toml": text.encode()}


def test_a_table_and_an_ignored_home_are_left_as_they_are(tmp_path: Path) -> None:
    """A project that has settings keeps them."""
    files = {"pyproject.toml": "[tool.taskflow]\nretention = '1h'\n", ".gitignore": "/.taskflow\n"}
    printed = init(put(tmp_path, files))
    assert {name: contents(tmp_path)[name].decode() for name in files} == files
    assert 'tasks = ["tasks"]' in printed


def test_an_application_is_left_to_its_owner(tmp_path: Path) -> None:
    """It gets a module of tasks beside it, and the lines to add are printed."""
    put(tmp_path, {"shop/__init__.py": "", "shop/app.py": APPLICATION})
    printed = init(tmp_path)
    assert "Taskflow(app)" in printed
    assert "shop/app.py" in printed
    assert (tmp_path / "shop" / "app.py").read_text() == APPLICATION
    settings = tomllib.loads((tmp_path / "pyproject.toml").read_text())
    assert settings["tool"]["taskflow"] == {"tasks": ["shop.tasks"]}
    assert settings["project"]["dependencies"][0].startswith("celery-taskflow[flask,server]>=")
    assert "from shop.tasks import" in (tmp_path / "test_tasks.py").read_text()


def test_a_site_of_django_gets_the_app_and_a_first_task(tmp_path: Path) -> None:
    """The example's site as it was before taskflow. Its own settings are edited by one line, which Django accepts."""
    site = tmp_path / "a site"
    shutil.copytree(ROOT / "examples" / "django_shop", site, ignore=shutil.ignore_patterns("tasks.py", "__pycache__"))
    settings = site / "shop" / "settings.py"
    before = settings.read_text().replace('"taskflow.contrib.django", ', "")
    settings.write_text(before)
    put(site, {"shop/views.py": "", "shop/urls.py": "urlpatterns = []\n"})
    printed = init(site)
    assert settings.read_text() == before.replace('auth", "shop"]', 'auth", "shop", "taskflow.contrib.django"]')
    assert "python manage.py test" in printed
    tested = subprocess.run([sys.executable, "manage.py", "test"], cwd=site, capture_output=True, text=True)
    assert "Ran 1 test" in tested.stderr
    assert tested.returncode == 0, tested.stderr
    assert "Nothing was written" in init(site)


def test_settings_that_compute_their_apps_are_left_to_their_owner(tmp_path: Path) -> None:
    """The line to add is printed, and the site is otherwise as it was."""
    manage = 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")\n'
    files = {
        "manage.py": manage,
        "config/settings/dev.py": "from config.settings.base import *\n\nINSTALLED_APPS += ['debug']\n",
        ".gitignore": ".taskflow/\n",
    }
    printed = init(put(tmp_path, files))
    assert "in config/settings/dev.py" in printed
    assert 'INSTALLED_APPS += ["taskflow.contrib.django"]' in printed
    assert {name: text.decode() for name, text in contents(tmp_path).items()} == files


def test_a_site_that_cannot_be_imported_does_not_stop_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command imports nothing of the project, so a missing package is no obstacle."""
    put(tmp_path, {
        "manage.py": 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "broken_site_of_init.settings")\n',
        "broken_site_of_init/__init__.py": "",
        "broken_site_of_init/settings.py": 'import not_installed\nINSTALLED_APPS = [\n    "broken_site_of_init",\n]\n',
    })  # fmt: skip
    monkeypatch.chdir(tmp_path)
    init()
    assert '    "taskflow.contrib.django",\n]' in (tmp_path / "broken_site_of_init" / "settings.py").read_text()
