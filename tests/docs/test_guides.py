"""The guides for users of other systems run, and the tests that the page of guarantees names are there."""

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

from taskflow.definition.hook_sets import declared_hooks
from taskflow.definition.registry import declared
from taskflow.testing import inline

ROOT: Final = Path(__file__).parents[2]
GUIDES: Final = [ROOT / "docs" / "guides" / f"from-{name}.md" for name in ("trigger-dev", "django-celery-beat")]
GUARANTEES: Final = ROOT / "docs" / "explanation" / "guarantees.md"
BLOCKS: Final = [
    code
    for page in GUIDES
    for code in re.findall(r"^```python\n(?!# shop/)(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
]
"""Their Python, without the modules of a site."""


@pytest.mark.timeout(60)
@pytest.mark.parametrize("code", BLOCKS, ids=[str(number) for number in range(len(BLOCKS))])
def test_the_python_for_users_of_other_systems_does_what_it_says(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each block triggers its own runs, and asserts what becomes of them."""
    module = ModuleType("guide")
    monkeypatch.setitem(sys.modules, "guide", module)
    with declared.isolated(is_empty=True), declared_hooks.isolated(), inline():
        exec(compile(code, "a guide", "exec"), vars(module))


def test_the_tests_that_the_page_of_guarantees_names_are_there() -> None:
    """A guarantee whose test was renamed or dropped is one that nobody checks."""
    named = re.findall(r"`((?:tests|benchmarks)/[\w/.]+)(?:::(\w+))?`", GUARANTEES.read_text())
    assert len(named) > 50
    missing = [path for path, _ in named if not (ROOT / path).exists()]
    missing += [name for path, name in named if name and f"def {name}(" not in (ROOT / path).read_text()]
    assert not missing
