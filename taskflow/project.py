"""The project that the working folder belongs to: its folder, its home with its secrets, and its files of settings.

Depends on nothing of taskflow, because the settings are read with it.
"""

import contextlib
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

HOME: Final = ".taskflow"
_MARKERS: Final = (HOME, "pyproject.toml", ".git")
"""The names that mark a project's folder, the strongest first."""


@dataclass(frozen=True, slots=True)
class Project:
    """A project.

    Attributes:
        folder: The project's folder; the working folder when nothing marks a project.
        marker: The name of the file or folder that marks it, None when there is none.
        path: The folders in which its settings are looked for: from the working folder up to the project's.
    """

    folder: Path
    marker: str | None
    path: tuple[Path, ...]

    @property
    def home(self) -> Path:
        """The folder of what taskflow keeps for the project."""
        return self.folder / HOME

    def dotenv(self) -> Path | None:
        """Return the nearest ``.env`` file of the project."""
        return next((folder / ".env" for folder in self.path if (folder / ".env").is_file()), None)

    def table(self) -> tuple[Path, Mapping[str, Any]] | None:
        """Return the nearest ``pyproject.toml`` that has a table ``[tool.taskflow]``, and the table.

        Raises:
            ValueError: A file can't be read. The message names it.
        """
        for file in [folder / "pyproject.toml" for folder in self.path]:
            if file.is_file():
                table = _read(file).get("tool", {}).get("taskflow")
                if isinstance(table, dict):
                    return file, cast("Mapping[str, Any]", table)
        return None


def find_project(start: Path) -> Project:
    """Return the project of a folder: the nearest folder, itself included, that has a home (``.taskflow``).

    Without one: the nearest with a ``pyproject.toml``, else the one with ``.git``. Looks no further up than the folder
    with ``.git``, and neither into the user's home folder nor into the root, unless the search starts there: what lies
    there belongs to no project.
    """
    start = start.absolute()
    folders = _upwards(start)
    for marker in _MARKERS:
        for depth, folder in enumerate(folders):
            if (folder / marker).exists():
                return Project(folder, marker, tuple(folders[: depth + 1]))
    return Project(start, None, (start,))


def make_private(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for this user alone. Git ignores what is in a home."""
    missing = [part for part in (folder, *folder.parents) if not part.is_dir()]
    for part in reversed(missing):
        part.mkdir(mode=0o700, exist_ok=True)
    for part in (folder, *folder.parents):
        if part.name == HOME:
            _keep_to_ourselves(part)


def kept_secret(file: Path, make: Callable[[], str]) -> tuple[bytes, bool]:
    """Return the content of a file that only this user can read, and whether this call has made it.

    Args:
        file: Several processes may need it at the same time: all of them get the same content.
        make: Returns the content of a new file.
    """
    with contextlib.suppress(FileNotFoundError):
        return file.read_bytes(), False
    make_private(file.parent)
    draft = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as content:
        content.write(make().encode())
    is_made = False
    try:
        with contextlib.suppress(FileExistsError):
            os.link(draft, file)
            is_made = True
    finally:
        draft.unlink()
    return file.read_bytes(), is_made


def _keep_to_ourselves(home: Path) -> None:
    with contextlib.suppress(OSError):  # another user's, or on a file system that is read-only
        if home.stat().st_mode & 0o077:
            home.chmod(0o700)
        with open(os.open(home / ".gitignore", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as ignore:
            ignore.write("*\n")


def _upwards(start: Path) -> list[Path]:
    outside = {Path(os.path.expanduser("~")), Path(start.anchor)}
    folders: list[Path] = []
    for folder in (start, *start.parents):
        if folder in outside and folder != start:
            break
        folders.append(folder)
        if (folder / ".git").exists():
            break
    return folders


def _read(file: Path) -> Mapping[str, Any]:
    import tomllib  # most projects are found by their home, and many have no such file

    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{file} can't be read: {error}") from None
