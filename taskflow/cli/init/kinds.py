"""The kinds of projects, and how the kind of a folder is found: by files, none of which is imported."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

_LIKELY: Final = ("app.py", "main.py", "wsgi.py", "asgi.py")
_MOST_BYTES: Final = 500_000
_NO_CODE: Final = frozenset({"tests", "test", "docs", "node_modules", "site-packages", "build", "dist"})


class Kind(StrEnum):
    """The framework of a project, or none."""

    PLAIN = "plain"
    DJANGO = "django"
    FLASK = "flask"
    FASTAPI = "fastapi"


@dataclass(frozen=True, slots=True)
class Found:
    """A project as it is.

    Attributes:
        kind: Its kind.
        file: The file that has its application, relative to the folder: ``manage.py`` of a Django site. None: there is
            none yet.
    """

    kind: Kind
    file: Path | None = None


def find_kind(folder: Path, wanted: Kind | None = None) -> Found:
    """Return the kind of the project in a folder.

    Args:
        wanted: The kind that the caller names. The file of its application is looked for all the same.
    """
    if wanted in (None, Kind.DJANGO) and (folder / "manage.py").is_file():
        return Found(Kind.DJANGO, Path("manage.py"))
    kinds = [wanted] if wanted is not None else [Kind.FLASK, Kind.FASTAPI]
    for file in _candidates(folder):
        imported = _imports(file)
        for kind in kinds:
            if kind in imported and kind in (Kind.FLASK, Kind.FASTAPI):
                return Found(kind, file.relative_to(folder))
    return Found(wanted or Kind.PLAIN)


def _candidates(folder: Path) -> Iterator[Path]:
    """Yield the modules of a folder and of its packages, those first that usually have the application."""
    if not folder.is_dir():
        return
    packages = [each for each in sorted(folder.iterdir()) if (each / "__init__.py").is_file()]
    packages = [each for each in packages if each.name not in _NO_CODE and not each.is_symlink()]
    for place in (folder, *packages):
        files = [file for file in sorted(place.glob("*.py")) if not file.name.startswith(("test_", "conftest"))]
        yield from sorted(files, key=lambda file: file.name not in (*_LIKELY, "__init__.py"))


def _imports(file: Path) -> set[str]:
    """Return the top-level packages that a module imports; none of one that can't be read."""
    try:
        if file.stat().st_size > _MOST_BYTES:
            return set()
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return set()
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level]
    return {name.partition(".")[0] for name in names}
