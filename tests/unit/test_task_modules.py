"""The modules that an application imports, and their order."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from taskflow import Settings, SettingsError, TaskFlow
from taskflow.definition.registry import Registry

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
