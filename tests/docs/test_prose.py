"""The prose of docstrings: the first word names a thing or an action."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
QUESTION_WORDS: Final = frozenset(
    ["how", "what", "whatever", "when", "whenever", "where", "wherever", "which", "who", "whoever", "whom", "whose"]
)
ROOMS: Final = (
    "benchmarks",
    "examples",
    "taskflow",
    "tests/conftest.py",
    "tests/deploy",
    "tests/docs",
    "tests/faults",
    "tests/history",
    "tests/integration",
    "tests/projects",
    "tests/properties",
    "tests/store",
    "tests/support",
    "tests/unit",
    "workers",
)
"""The folders and modules whose docstrings follow the rule."""


def docstrings(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and text of a module's docstrings, those of attributes among them."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value


@pytest.mark.parametrize("room", ROOMS)
def test_no_docstring_opens_with_a_question_word(room: str) -> None:
    """A reader wants the name of the thing. "What ..." only paraphrases it."""
    paths = sorted((ROOT / room).rglob("*.py")) or [ROOT / room]
    opened = [
        f"{path.relative_to(ROOT)}:{line}: {text.splitlines()[0]}"
        for path in paths
        for line, text in docstrings(path)
        if text.split()[0].strip(",.:;").lower() in QUESTION_WORDS
    ]
    assert opened == []
