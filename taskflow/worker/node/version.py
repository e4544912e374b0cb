"""The version of the code that a worker runs: the setting, or the git commit of the folder that declares its tasks."""

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_SHOWN: Final = 12
_INSTALLED: Final = frozenset({"site-packages", "dist-packages"})


def code_version(setting: str | None, sources: Iterable[str]) -> str | None:
    """Return the version to register and to record with runs.

    Args:
        setting: ``TASKFLOW_VERSION``; it wins.
        sources: Files that declare tasks. The first one in a git work tree names the commit, by 12 digits.
    """
    if setting:
        return setting
    commits = (_commit(Path(source)) for source in dict.fromkeys(sources))
    return next((commit[:_SHOWN] for commit in commits if commit), None)


def _commit(source: Path) -> str | None:
    """Read the commit that is checked out around a file. Without the git program, because images seldom have it."""
    if _INSTALLED.intersection(source.parts):  # installed: the work tree around it is another project's
        return None
    for folder in source.absolute().parents:
        marker = folder / ".git"
        if marker.exists():
            with contextlib.suppress(OSError, ValueError):
                return _head(marker if marker.is_dir() else _linked(marker))
            return None
    return None


def _linked(marker: Path) -> Path:
    """Return the folder that the ``.git`` file of a linked work tree or submodule names."""
    return marker.parent / marker.read_text().removeprefix("gitdir:").strip()


def _head(git: Path) -> str | None:
    head = (git / "HEAD").read_text().strip()
    if not head.startswith("ref:"):
        return head
    name = head.removeprefix("ref:").strip()
    common = git / "commondir"
    shared = git / common.read_text().strip() if common.exists() else git
    for folder in (git, shared):
        if (folder / name).is_file():
            return (folder / name).read_text().strip()
    for line in (shared / "packed-refs").read_text().splitlines():
        commit, _, ref = line.partition(" ")
        if ref == name:
            return commit
    return None
