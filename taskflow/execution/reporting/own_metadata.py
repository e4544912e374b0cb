"""The copy of a run's own metadata in the process of its attempt, with the changes that are not yet sent."""

import copy
from collections.abc import Iterable, Sequence

from pydantic_core import to_json

from taskflow.definition.calls.trigger_options import LARGEST_METADATA
from taskflow.definition.documents.readable import read_object
from taskflow.errors import MetadataTooLargeError, RunUpdateError
from taskflow.execution.reporting.changes import Change, Json, apply


class OwnMetadata:
    """Not thread-safe: ``LiveRun`` holds its lock.

    Args:
        stored: The metadata as stored, b"" for none.
    """

    __slots__ = ("_size", "_stored", "_view")

    def __init__(self, stored: bytes) -> None:
        self._stored, self._size = stored, len(stored)
        self._view: Json | None = None

    def current(self) -> Json:
        """Return a copy."""
        return copy.deepcopy(self._read())

    def change(self, change: Change, verb: str, run_id: str) -> None:
        """Change the copy.

        Raises:
            RunUpdateError: The change does not fit, or the metadata would be too large.
        """
        view = self._read()
        if self._size + _size_of(change) > LARGEST_METADATA:
            view = copy.deepcopy(view)  # a refused change must leave no trace
        if not apply(view, change):
            what = f"{verb}({_shown(change.path)!r}) does not fit the run's metadata"
            raise RunUpdateError(what, "It is not a number, not a list, or one of the path's names is not an object.")
        if view is self._view:
            self._size += _size_of(change)
            return
        size = len(to_json(view))
        if size > LARGEST_METADATA:
            raise MetadataTooLargeError(size, LARGEST_METADATA, run_id)
        self._view, self._size = view, size

    def replace(self, stored: bytes, unsent: Iterable[Change]) -> None:
        """Take over what the store has, because other runs may write too, and apply the unsent changes."""
        self._stored, self._view, self._size = stored, None, len(stored)
        for change in unsent:
            apply(self._read(), change)
            self._size += _size_of(change)

    def _read(self) -> Json:
        if self._view is None:  # most runs have no metadata, and never read it
            self._view = read_object(self._stored) if self._stored else {}
        return self._view


def _size_of(change: Change) -> int:
    """Return the most bytes by which a change may lengthen the JSON."""
    return len(change.value.encode()) + sum(6 * len(name) + 6 for name in change.path) + 24


def _shown(path: Sequence[str]) -> str:
    return path[0] if len(path) == 1 else f"$.{'.'.join(path)}"
