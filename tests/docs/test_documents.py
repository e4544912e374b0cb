"""The documents say what the code says."""

import contextlib
import inspect
import re
import sys
from collections.abc import Generator
from dataclasses import fields
from pathlib import Path
from types import ModuleType

import pytest

from taskflow import Queue, Retry, RunFilter, errors, models, task
from taskflow.definition.calls.trigger_options import TriggerKeywords
from taskflow.definition.hook_sets import declared_hooks
from taskflow.definition.registry import declared
from taskflow.models import TRANSITIONS, RunStatus
from taskflow.settings import Settings
from taskflow.store.connections import scripts
from taskflow.testing import inline

ROOT = Path(__file__).parents[2]
FOLDERS = ("benchmarks", "deploy", "docs", "examples")
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
SETTINGS = (ROOT / "docs" / "reference" / "settings.md").read_text()
REFERENCE = (ROOT / "docs" / "reference" / "options.md").read_text()
PAGES = sorted([*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md"))])
ALONE = [page for page in PAGES if page.parent != ROOT / "docs" / "tutorial"]  # test_tutorial.py runs those in order
NOT_RUN = "<!-- not run:"
IN_PLACE = "<!-- run in place"
INTERNAL = {"RunNotClaimableError", "StaleClaimError", "NodeUnregisteredError"}


def state_diagram() -> str:
    """Return the Mermaid diagram of the legal transitions."""
    rows = [f"    {before} --> {after}" for before in RunStatus for after in RunStatus if after in TRANSITIONS[before]]
    firsts = (RunStatus.PENDING_VERSION, RunStatus.DELAYED, RunStatus.QUEUED)
    finals = [f"    {status} --> [*]" for status in RunStatus if status.is_finished]
    return "\n".join(["stateDiagram-v2", *(f"    [*] --> {first}" for first in firsts), *rows, *finals])


def test_the_state_diagram_is_the_table_of_legal_transitions() -> None:
    """A diagram that is drawn by hand is wrong within a month."""
    assert state_diagram() in ARCHITECTURE


def test_every_setting_is_documented() -> None:
    """A setting nobody can find does not exist."""
    missing = [name for name in Settings.model_fields if f"`{name.upper()}`" not in SETTINGS]
    assert not missing


def test_every_operation_of_the_store_is_listed() -> None:
    """The list of scripts is the first thing to read about the store."""
    missing = [name for name in scripts.names() if f"`{name}`" not in ARCHITECTURE]
    assert not missing


def test_the_table_of_where_to_change_what_names_what_is_there() -> None:
    """A newcomer looks there first; a function that was renamed would send them nowhere."""
    rows = re.findall(
        r"^\| [^|]+ \| (.+) \|$", ARCHITECTURE.split("## Where to change what")[1].split("\n## ")[0], re.M
    )
    text, missing = "", list[str]()
    for name in re.findall(r"`([^`]+)`", "\n".join(rows)):
        if "/" in name or name.endswith(".py"):
            path = ROOT / "taskflow" / re.sub("^lua/", "store/lua/", name)
            text = path.read_text() if path.is_file() else ""
            missing += [] if path.exists() else [name]
        elif not re.search(rf"\b{name.rpartition('.')[2]}\b", text):
            missing.append(name)
    assert not missing


def test_every_key_of_the_store_is_documented() -> None:
    """A key that is in no table is one that nobody trims."""
    used: set[str] = set()
    for name in [*scripts.names(), *(f"lib/{part}" for part in scripts.names("lib"))]:
        used |= set(re.findall(r'base \.\. "(:[a-z_]+)', scripts.source(name)))
    missing = [key for key in used if f"`{key}" not in ARCHITECTURE]
    assert not missing


def test_every_error_is_in_the_tree_of_the_errors_module() -> None:
    """The tree in the docstring is what users read to know what to catch."""
    tree = errors.__doc__ or ""
    names = [name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert not [name for name in names if name not in tree]


def test_every_status_is_in_the_diagram() -> None:
    """Statuses are the words of the dashboard and the API."""
    assert all(status.value in ARCHITECTURE for status in models.RunStatus)


def test_every_public_option_is_in_the_reference() -> None:
    """Each in the section of what takes it."""
    options = {
        "## `@task(": [*inspect.signature(task).parameters],
        "## `trigger(": [*TriggerKeywords.__annotations__],
        "## `Retry(": [*inspect.signature(Retry).parameters],
        "## `Queue(": [*inspect.signature(Queue).parameters],
        "## `RunFilter(": [field.name for field in fields(RunFilter)],
    }
    for heading, names in options.items():
        section = REFERENCE[REFERENCE.index(heading) :].split("\n## ")[0]
        assert not [name for name in names if f"`{name}`" not in section], heading


def test_every_status_and_error_is_in_the_reference() -> None:
    """With what it means and what to do."""
    kinds = [name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)]
    names = [*(status.value for status in models.RunStatus), *(name for name in kinds if name not in INTERNAL)]
    assert not [name for name in names if f"`{name}" not in REFERENCE]


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_every_link_between_the_pages_leads_somewhere(page: Path) -> None:
    """A section that was moved or renamed leaves links to nothing behind."""
    prose = re.sub(r"```.*?```|`[^`\n]*`", "`", page.read_text(), flags=re.DOTALL)
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", prose) if "://" not in link]
    assert not [link for link in links if not _leads_somewhere(page, link)]


@contextlib.contextmanager
def _declares_for_itself() -> Generator[None]:
    """Undo what a block declares. Declared schedules of other tests would fire in the time that a block lets pass."""
    with declared.isolated(is_empty=True), declared_hooks.isolated():
        yield


def _leads_somewhere(page: Path, link: str) -> bool:
    name, _, section = link.partition("#")
    target = page.parent / name if name else page
    if not target.exists() or not section:
        return target.exists()
    headings = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE)
    return section in [re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings]


@pytest.mark.parametrize("page", ALONE, ids=[str(page.relative_to(ROOT)) for page in ALONE])
def test_the_python_in_the_pages_runs(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each block runs by itself, with a mark in a store of tests; with another mark it is only compiled."""
    blocks = re.findall(r"^([^\n]*)\n```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    for before, code in blocks:
        compiled = compile(code, str(page), "exec")
        if NOT_RUN not in before:
            module = ModuleType("page")
            monkeypatch.setitem(sys.modules, "page", module)
            with _declares_for_itself(), inline() if IN_PLACE in before else contextlib.nullcontext():
                exec(compiled, vars(module))
