"""Changes of a folder: which files a plan makes or adds to, checked as a whole, then written as a whole."""

import contextlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from taskflow.errors import TaskflowError


@dataclass(frozen=True, slots=True)
class Change:
    """The change of one file.

    Attributes:
        path: Relative to the folder.
        purpose: What the file is for, for people.
        text: The whole file as it will be.
        before: The file as it is; None: it does not exist.
        added: What is added to an existing file, for people.
    """

    path: Path
    purpose: str
    text: bytes
    before: bytes | None = None
    added: str = ""

    @property
    def is_needed(self) -> bool:
        """Whether the file changes at all."""
        return self.text != self.before


def read_file(folder: Path, path: Path) -> bytes | None:
    """Return a file's bytes, None when it does not exist.

    Raises:
        TaskflowError: It can't be read, or something that is no file has its name.
    """
    file = folder / path
    if not os.path.lexists(file):
        return None
    try:
        return file.read_bytes()
    except OSError as error:
        why = error.strerror or str(error)
        raise TaskflowError(f"{file} can't be read: {why}. Nothing was written. Correct or move it.") from None


def new_file(folder: Path, path: Path, purpose: str, text: str) -> Change:
    """Return the change that makes a file. One that exists with the same content stays as it is."""
    return Change(path, purpose, text.encode(), read_file(folder, path))


def refuse_conflicts(folder: Path, changes: Sequence[Change]) -> None:
    """Refuse a plan that would overwrite something.

    Raises:
        TaskflowError: A new file exists with other content, or the folder or a parent is no folder.
    """
    for place in (folder, *folder.parents):
        if os.path.lexists(place) and not place.is_dir():
            raise TaskflowError(f"{place} is not a folder. Nothing was written. Name another one.")
    parents = {parent for change in changes for parent in change.path.parents}
    blocked = [each for each in sorted(parents) if os.path.lexists(folder / each) and not (folder / each).is_dir()]
    taken = [change.path for change in changes if change.before is not None and change.is_needed and not change.added]
    if names := ", ".join(str(path) for path in dict.fromkeys([*blocked, *taken])):
        verb = "exist" if "," in names else "exists"
        raise TaskflowError(
            f"{names} {verb} already in {folder}, with other content. Nothing was written: taskflow init never "
            "replaces a file. Move what is there away, or call it for another folder."
        )


def write(folder: Path, changes: Sequence[Change]) -> None:
    """Write the changes, all or none: what was written before an error is undone.

    Raises:
        TaskflowError: A file can't be written, or appeared or changed in the meantime.
    """
    done: list[Change] = []
    made: list[Path] = []
    try:
        for change in changes:
            if not change.is_needed:
                continue
            made += _make_folders((folder / change.path).parent)
            _write_one(folder / change.path, change)
            done.append(change)
    except OSError as error:
        _undo(folder, done, made)
        why = f"{error.strerror or error}"
        raise TaskflowError(
            f"{error.filename or folder} can't be written: {why}. Nothing is left of what was written before it. "
            "Correct that, and call taskflow init again."
        ) from None


def _make_folders(folder: Path) -> list[Path]:
    missing = [place for place in (folder, *folder.parents) if not place.is_dir()]
    for place in reversed(missing):
        place.mkdir()
    return missing[::-1]


def _write_one(file: Path, change: Change) -> None:
    if change.before is None:
        _make(file, change.text)
        return
    target = file.resolve()  # a link stays one
    if target.read_bytes() != change.before:
        raise FileExistsError(0, "it has changed in the meantime", str(file))
    _replace(target, change.text)


def _make(file: Path, text: bytes) -> None:
    """Make a file that does not exist; of a file that can't be written as a whole, nothing is left."""
    with file.open("xb") as new:
        try:
            new.write(text)
            new.flush()
        except OSError:
            file.unlink()
            raise


def _replace(target: Path, text: bytes) -> None:
    """Replace a file at once, with the same permissions."""
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with open(descriptor, "wb") as copy:
            copy.write(text)
        os.chmod(name, target.stat().st_mode & 0o7777)
        os.replace(name, target)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _undo(folder: Path, done: Sequence[Change], made: Sequence[Path]) -> None:
    for change in reversed(done):
        with contextlib.suppress(OSError):
            if change.before is None:
                (folder / change.path).unlink()
            else:
                _replace((folder / change.path).resolve(), change.before)
    for place in reversed(made):
        with contextlib.suppress(OSError):  # somebody else has put something into it
            place.rmdir()
