"""The objects ``metadata`` and ``tags`` of the executing run. Their verbs change memory only and never wait."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Self

from taskflow.definition.blocking import refuse_in_event_loop
from taskflow.definition.calls.trigger_options import TAG, is_tag
from taskflow.errors import RunUpdateError
from taskflow.errors.base import shown
from taskflow.execution.reporting.changes import Change, Kind, json_of, number_of, path_of
from taskflow.execution.reporting.current import require_live_run
from taskflow.execution.reporting.live_run import LiveRun


class RunMetadata:
    """Metadata of one run. Every verb returns the object, so that calls can be chained.

    A key is a name, or a path of names: ``"$.progress.done"``. Values are JSON, or what pydantic writes as such.
    Changes are sent about every second, and at the end of the attempt before its outcome is written. Changes of several
    runs compose.

    All verbs raise:
        OutsideRunError: No run executes here, or its attempt has ended.
        RunUpdateError: A key, a value or an amount is not possible. For the run's own metadata also when it would be
            over 256 KB, or the change does not fit it. (A change that does not fit another run's metadata is ignored.)
    """

    def __init__(self, name: str, target: Callable[[LiveRun], str]) -> None:
        self._name, self._target = name, target

    def set(self, key: str, value: object) -> Self:
        """Set a key."""
        return self._change("set", path_of(key), json_of(value))

    def delete(self, key: str) -> Self:
        """Delete a key. A missing key is not an error."""
        return self._change("delete", path_of(key))

    def del_(self, key: str) -> Self:
        """Delete a key. The same as ``delete``."""
        return self.delete(key)

    def append(self, key: str, value: object) -> Self:
        """Append to a list. A missing one is made; another value becomes its first item."""
        return self._change("append", path_of(key), json_of(value))

    def remove(self, key: str, value: object) -> Self:
        """Remove every item that equals a value from a list."""
        return self._change("remove", path_of(key), json_of(value))

    def increment(self, key: str, by: float = 1) -> Self:
        """Add to a number. A missing one is 0."""
        return self._change("increment", path_of(key), number_of(by))

    def decrement(self, key: str, by: float = 1) -> Self:
        """Subtract from a number. A missing one is 0."""
        number_of(by)
        return self._change("increment", path_of(key), number_of(-by))

    def replace(self, metadata: Mapping[str, object]) -> Self:
        """Replace the whole metadata."""
        if not isinstance(metadata, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - callers without types
            raise RunUpdateError(
                f"A {type(metadata).__name__} can't be metadata", "Use a mapping of text to JSON values."
            )
        return self._change("replace", (), json_of(dict(metadata)))

    def _change(self, kind: Kind, path: tuple[str, ...], value: str = "") -> Self:
        verb = f"{self._name}.{kind}"
        live = require_live_run(verb)
        live.change(self._target(live), Change(kind, path, value), verb)
        return self


class Metadata(RunMetadata):
    """The object ``metadata``: that of the executing run. ``metadata.parent`` and ``metadata.root`` change the metadata
    of its parent and of the root run; for a run without a parent they are the run itself.
    """

    def __init__(self) -> None:
        super().__init__("metadata", lambda live: live.identity.run_id)
        self.parent: Final = RunMetadata("metadata.parent", _parent)
        self.root: Final = RunMetadata("metadata.root", _root)

    def current(self) -> dict[str, object]:
        """Return a copy of the metadata: the last state sent or received, with the attempt's changes."""
        return require_live_run("metadata.current").current()

    def get(self, key: str, default: object = None) -> object:
        """Return a key's value, ``default`` when the key is missing. See ``current``."""
        value: object = require_live_run("metadata.get").current()
        for name in path_of(key):
            if not isinstance(value, dict) or name not in value:
                return default
            value = value[name]  # pyright: ignore[reportUnknownVariableType] - any JSON
        return value  # pyright: ignore[reportUnknownVariableType] - any JSON

    def flush(self) -> None:
        """Send all changes now, tags too, and return when they are written.

        Raises:
            StoreUnavailableError: The store did not answer; the changes are kept and sent later.
            BlockingCallError: An event loop runs in this thread; await ``aflush``.
        """
        refuse_in_event_loop("metadata.flush", "metadata.aflush")
        require_live_run("metadata.flush").send()

    async def aflush(self) -> None:
        """Send all changes now. See ``flush``."""
        await asyncio.to_thread(require_live_run("metadata.aflush").send)


class Tags:
    """The object ``tags``: the tags of the executing run."""

    def add(self, *tags: str | Sequence[str]) -> None:
        """Add tags to the run: ``tags.add("user:1", "paid")``. Beyond ten in all they are ignored, with a warning.

        Raises:
            OutsideRunError: No run executes here, or its attempt has ended.
            RunUpdateError: A tag is not text of 1 to 128 characters.
        """
        live = require_live_run("tags.add")
        given = [tag for each in tags for tag in ([each] if isinstance(each, str) else each)]
        for tag in given:
            if not is_tag(tag):
                raise RunUpdateError(f"That is not a tag: {shown(tag)}", f"Use {TAG}.")
        if given:
            live.add_tags(given)


def _parent(live: LiveRun) -> str:
    return live.identity.parent_id or live.identity.run_id


def _root(live: LiveRun) -> str:
    return live.identity.root_id or live.identity.parent_id or live.identity.run_id


metadata: Final = Metadata()
tags: Final = Tags()
