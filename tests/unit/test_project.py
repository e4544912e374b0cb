"""The project's own rules."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = [
    path
    for folder in ("taskflow", "workers", "tests", "examples", "benchmarks")
    for path in sorted((ROOT / folder).rglob("*.py"))
]


@pytest.mark.parametrize("path", MODULES, ids=[str(path.relative_to(ROOT)) for path in MODULES])
def test_no_module_is_too_long_to_read(path: Path) -> None:
    """A module of more than 500 lines has more than one role."""
    assert len(path.read_text().splitlines()) <= 500


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


def test_the_dependencies_say_what_the_engine_is() -> None:
    """Celery, kombu, pydantic, Flower and Redis are used for real, in the versions this was built on."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        dependencies: list[str] = tomllib.load(file)["project"]["dependencies"]
    names = {re.split(r"[\[<>=]", dependency)[0] for dependency in dependencies}
    assert {"celery", "kombu", "pydantic", "flower", "redis"} <= names
    unbounded = [dependency for dependency in dependencies if "<" not in dependency]
    assert unbounded == [], "a dependency without an upper bound breaks users on the day of its next major version"


@pytest.mark.parametrize("name", ["setup", "services", "install-packages"])
def test_the_scripts_are_executable_shell(name: str) -> None:
    """`make` calls them; a lost mode bit would stop a fresh clone."""
    script = ROOT / "scripts" / name
    assert script.stat().st_mode & 0o100
    checked = subprocess.run(["/bin/sh", "-n", script], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
