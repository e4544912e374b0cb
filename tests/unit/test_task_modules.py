"""The modules that an application imports, and their order."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from taskflow import Settings, SettingsError, TaskFlow
from taskflow.definition.registry import Registry
from tests.support.commands import plain_environment, run_command

SETTINGS = Settings.read(redis_url="redis://127.0.0.1:1/0")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that modules are imported from; forgotten afterwards."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


def imported(project: Path, name: str) -> list[str]:
    """Make an application of a task module and return what was imported, in order."""
    TaskFlow(SETTINGS, tasks=[name], registry=Registry()).close()
    order = project / "order"
    return order.read_text().split() if order.exists() else []


@pytest.mark.parametrize(
    "files, name, order",
    [
        (["shop_a/init.py", "shop_a/tasks.py"], "shop_a.tasks", ["init.py", "tasks.py"]),
        (["shop_b/tasks.py"], "shop_b.tasks", ["tasks.py"]),
        (["init.py", "chores.py"], "chores", ["init.py", "chores.py"]),
        (["chores_b/__init__.py", "chores_b/init.py"], "chores_b", ["__init__.py", "init.py"]),
        (["chores_c/__init__.py", "init.py"], "chores_c", ["init.py", "__init__.py"]),
    ],
)
def test_an_init_module_beside_the_tasks_is_imported_first(
    files: list[str], name: str, order: list[str], project: Path
) -> None:
    """It declares the hooks of all tasks: a package's own one, or the one in the folder of a module."""
    for file in files:
        path = project / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"with open({str(project / 'order')!r}, 'a') as order: order.write('{path.name} ')")
    importlib.invalidate_caches()
    assert imported(project, name) == order


def test_a_strangers_init_module_is_left_alone(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A top-level module of that name may be anybody's."""
    elsewhere = project / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "init.py").write_text("raise AssertionError('imported')")
    (project / "chores_d.py").write_text("")
    monkeypatch.setattr(sys, "path", [str(elsewhere), *sys.path])
    importlib.invalidate_caches()
    assert imported(project, "chores_d") == []


@pytest.mark.parametrize("name", ["no_such_module", "no_such_package.tasks"])
def test_a_module_that_is_not_there_is_named(name: str, project: Path) -> None:
    """The setting is the first thing to look at."""
    with pytest.raises(SettingsError, match=f"'{name}' can't be found. Check TASKFLOW_TASKS"):
        imported(project, name)


MISTAKES: dict[str, tuple[str, list[str]]] = {
    "syntax": ("x = 1\ndef f(:\n    pass\n", ["tasks.py:2: SyntaxError: invalid syntax", "def f(:"]),
    "name": (
        "def make():\n    return unknown\nmake()\n",
        ["tasks.py:2: NameError: name 'unknown' is not defined", "line 3, in <module>"],
    ),
    "import": ("import surely_not_there\n", ["tasks.py:1: ModuleNotFoundError: No module named 'surely_not_there'"]),
    "import name": ("from json import nothing\n", ["tasks.py:1: ImportError: cannot import name 'nothing'"]),
    "exit": ("import sys\nsys.exit(3)\n", ["tasks.py:2: SystemExit: it ends the process with 3"]),
    "interrupt": ("raise BaseException('no')\n", ["tasks.py:1: BaseException: no"]),
    "own": ("class Odd(Exception):\n    def __str__(self): raise ValueError\nraise Odd\n", ["tasks.py:3: Odd: "]),
    "option": (
        "from taskflow import task\n\n@task(\n    max_retries=3,\n)\ndef render(payload: int) -> None: ...\n",
        ["tasks.py:3, task 'render': DefinitionError: ", "for task 'render'", "Retry(max_attempts=4)"],
    ),
    "queue": (
        "from taskflow import Queue, task\n\n@task(queue=Queue('a b'))\nasync def send(payload: int) -> None: ...\n",
        ["tasks.py:3, task 'send': DefinitionError: That is not a queue name"],
    ),
    "function": (
        "from taskflow import task\n\n@task(id='pair')\ndef pair(*parts: int) -> None: ...\n",
        ["tasks.py:3, task 'pair': DefinitionError: Task 'pair' takes its payload in a way"],
    ),
}
"""Text of a module of tasks, and what its error is to have."""


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_module_that_cannot_be_imported_is_named_with_place_and_own_frames(mistake: str, project: Path) -> None:
    """One line says what to mend; the frames are those of the user's code."""
    text, expected = MISTAKES[mistake]
    name = f"shop_{mistake.replace(' ', '_')}"
    (project / name).mkdir()
    (project / name / "tasks.py").write_text(text)
    importlib.invalidate_caches()
    with pytest.raises(SettingsError) as refused:
        imported(project, f"{name}.tasks")
    told = str(refused.value)
    first, *frames = told.splitlines()
    assert f"The task module '{name}.tasks' can't be imported: " in first
    for part in expected:
        assert part in told, told
    assert all("/taskflow/" not in line and "importlib" not in line for line in frames), told
    assert any("tasks.py" in line for line in frames)


@pytest.mark.parametrize(
    "command, mistake",
    [
        (("trigger", "x", "1"), "option"),
        (("batch", "trigger", "x", "-"), "exit"),
        (("worker",), "syntax"),
        (("doctor",), "name"),
        (("doctor",), "absent"),
        (("adopt", "refused"), "import"),
    ],
)
def test_every_command_that_loads_tasks_shows_it(command: tuple[str, ...], mistake: str, tmp_path: Path) -> None:
    """A traceback of the command's own code hid the mistake."""
    (tmp_path / "shop").mkdir()
    if mistake != "absent":
        (tmp_path / "shop" / "tasks.py").write_text(MISTAKES[mistake][0])
    env = plain_environment(TASKFLOW_TASKS="shop.tasks", TASKFLOW_REDIS_URL=SETTINGS.redis_url or "")
    done = run_command(*command, env=env, cwd=tmp_path)
    assert done.returncode == 1
    told = " ".join((done.stdout + done.stderr).split())
    expected = "'shop.tasks' can't be found" if mistake == "absent" else f"shop/{MISTAKES[mistake][1][0]}"
    assert expected in told
    assert "Traceback" not in told
    assert "taskflow/" not in told
