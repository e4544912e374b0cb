"""Watching a project's Python files, in a thread."""

import importlib.util
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from taskflow.errors import SettingsError

_NO_SOURCES: Final = frozenset(
    {"__pycache__", "node_modules", "site-packages", "dist-packages", "venv", "env", "build", "dist"}
)
"""Folders of no sources of the project, beside hidden ones (.git, .venv, .taskflow)."""
_LOOK_FOR_STOP_MS: Final = 500


@dataclass(frozen=True, slots=True)
class Edited:
    """Files that were written, made or removed within some milliseconds."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Blind:
    """The files can't be watched any more."""

    why: str


def can_watch() -> bool:
    """Whether the library is installed."""
    return importlib.util.find_spec("watchfiles") is not None


class Watch:
    """Watches folders until it is stopped.

    Args:
        put: Called with what happens, from the thread.

    Raises:
        SettingsError: There is no such folder.
    """

    def __init__(self, folders: Sequence[Path], put: Callable[[Edited | Blind], None]) -> None:
        self._folders, self._put = folders, put
        for folder in folders:
            if not folder.is_dir():
                raise SettingsError(f"There is no folder {str(folder)!r} to watch. Check --watch.")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="taskflow-watch", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join(1)

    def _run(self) -> None:
        from watchfiles import watch

        try:
            for changes in watch(
                *self._folders,
                watch_filter=lambda _, path: self._is_source(path),
                stop_event=self._stop,
                rust_timeout=_LOOK_FOR_STOP_MS,
            ):
                self._put(Edited(tuple(sorted(os.path.relpath(path) for _, path in changes))))
        except (OSError, RuntimeError) as failed:  # the system's limit of watches, most of the time
            self._put(Blind(str(failed)))

    def _is_source(self, path: str) -> bool:
        """Whether a file is Python's. What its watched folder lies in does not count: that may be named ``build``."""
        if not path.endswith(".py"):
            return False
        folders = [folder for folder in self._folders if Path(path).is_relative_to(folder)]
        within = Path(path).relative_to(folders[0]).parts[:-1] if folders else ()
        return not any(part.startswith(".") or part in _NO_SOURCES for part in within)
