"""The project's own rules."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Set
from pathlib import Path

import grimp
import pytest

import taskflow

ROOT = Path(__file__).parents[2]


def test_no_module_is_too_long_to_read() -> None:
    """A module of more than 500 lines has more than one role."""
    folders = ("taskflow", "workers", "tests", "examples", "benchmarks")
    modules = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    assert len(modules) > 100
    assert [str(path) for path in modules if len(path.read_text().splitlines()) > 500] == []


def test_every_make_target_says_what_it_does() -> None:
    """`make` alone lists them; a target without help would be missing there."""
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^([a-z][a-z-]*):(?!=)(.*)$", makefile, re.MULTILINE)
    assert targets
    assert [name for name, rest in targets if "## " not in rest] == []


def test_imports_point_down_the_layers_only() -> None:
    """Celery stays in broker and worker, Redis in store: each can be replaced behind its seam."""
    lint = Path(sys.executable).with_name("lint-imports")
    checked = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_layers_contract_names_every_layer_of_the_design() -> None:
    """A layer missing from the contract would be checked by nothing."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    layers = " ".join(next(contract for contract in contracts if contract["id"] == "layers")["layers"])
    named = set(re.findall(r"\w+", layers))
    found = {path.stem for path in (ROOT / "taskflow").iterdir() if path.is_dir() or path.suffix == ".py"}
    assert found - {"__init__", "__main__", "__pycache__"} <= named


def test_no_module_imports_itself_through_others() -> None:
    """A circle can only be understood, tested and replaced as a whole. Imports for types alone count."""
    graph = grimp.build_graph("taskflow")
    nearest = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert [*_circles(nearest)] == []
    for package in {module.rpartition(".")[0] for module in graph.modules} - {""}:
        children = graph.find_children(package)
        of = {inner: child for child in children for inner in (child, *graph.find_descendants(child))}
        between = {child: {of[each] for each in _imported(graph, child) if each in of} - {child} for child in children}
        assert [*_circles(between)] == [], package


def _imported(graph: grimp.ImportGraph, package: str) -> set[str]:
    inner = {package, *graph.find_descendants(package)}
    return {each for module in inner for each in graph.find_modules_directly_imported_by(module)}


def _circles(imports: Mapping[str, Set[str]]) -> Iterator[set[str]]:
    """Yield what is left of a graph when everything that imports nothing (any more) is taken away."""
    left = {module: set(imported) for module, imported in imports.items()}
    while free := {module for module, imported in left.items() if not imported & left.keys()}:
        left = {module: imported for module, imported in left.items() if module not in free}
    if left:
        yield set(left)


PACKAGES = sorted(path.parent for path in (ROOT / "taskflow").rglob("__init__.py"))


@pytest.mark.parametrize("package", PACKAGES, ids=[str(path.relative_to(ROOT)) for path in PACKAGES])
def test_a_package_is_small_enough_to_look_over(package: Path) -> None:
    """Beyond 21 modules side by side, it wants rooms."""
    modules = [path.name for path in package.glob("*.py") if path.name != "__init__.py"]
    assert len(modules) <= 21, modules


def test_no_module_stands_in_the_place_of_a_public_name() -> None:
    """`import taskflow.runs` would replace `taskflow.runs` by the module."""
    public = {"schedules", "webhooks", "tasks", "runs", "queues", "batch", "streams", "retry", "wait", "step", "astep"}
    public |= {"tags", "metadata", "logger", "task", "durable", "idempotency_keys"} | set(taskflow.__all__)
    assert public & {path.stem for path in (ROOT / "taskflow").iterdir()} == set()


def test_the_dependencies_say_what_the_engine_is() -> None:
    """Celery, kombu, pydantic, Flower and Redis are used for real, in the versions this was built on."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        dependencies: list[str] = tomllib.load(file)["project"]["dependencies"]
    names = {re.split(r"[\[<>=]", dependency)[0] for dependency in dependencies}
    assert {"celery", "kombu", "pydantic", "flower", "redis"} <= names
    unbounded = [dependency for dependency in dependencies if "<" not in dependency]
    assert unbounded == [], "a dependency without an upper bound breaks users on the day of its next major version"


@pytest.mark.parametrize("name", ["setup", "services", "install-packages", "slow-machine"])
def test_the_scripts_are_executable_shell(name: str) -> None:
    """`make` calls them; a lost mode bit would stop a fresh clone."""
    script = ROOT / "scripts" / name
    assert script.stat().st_mode & 0o100
    checked = subprocess.run(["/bin/sh", "-n", script], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
