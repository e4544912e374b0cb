"""Values of documents that nobody may see: those at the paths of TASKFLOW_REDACT, and where texts repeat them.

What can't be read as JSON, or is too deep, is hidden as a whole.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias, cast

from taskflow.definition.documents.exact_json import compact, read_exactly
from taskflow.definition.documents.secret_texts import LOCK, Secrets
from taskflow.json_paths import JsonPath, parse_path

Pointer: TypeAlias = tuple[str, ...]
Replace: TypeAlias = Callable[[object, Pointer], object]
_State: TypeAlias = tuple[int, int]
"""The number of a path, and of the step that comes next."""


@dataclass(frozen=True, slots=True)
class Hiding:
    """The rules. Without any, nothing is hidden and nothing is looked at."""

    paths: tuple[JsonPath, ...] = ()

    @staticmethod
    @lru_cache(maxsize=64)
    def of(texts: tuple[str, ...]) -> "Hiding":
        """Return the rules of a setting.

        Raises:
            ValueError: One of them is no path.
        """
        return Hiding(tuple(map(parse_path, texts)))

    def __bool__(self) -> bool:
        return bool(self.paths)

    def value(self, value: object) -> object:
        """Return a document with ``LOCK`` in place of each hidden value."""
        try:
            return self.replaced(value, lambda _, __: LOCK)
        except RecursionError:
            return LOCK

    def text(self, text: bytes) -> bytes:
        """Return the JSON of a document with hidden values replaced; as it is when it has none."""
        if not self.paths:
            return text
        try:
            parsed = read_exactly(text)
            shown = self.replaced(parsed, lambda _, __: LOCK)
            return text if shown == parsed else compact(shown).encode()
        except (ValueError, RecursionError):
            return f'"{LOCK}"'.encode()

    def secrets(self, documents: Iterable[object]) -> Secrets:
        """Return the hidden values of documents, for hiding them in texts. Bytes are read as JSON."""
        if not self.paths:
            return Secrets()
        values: list[object] = []
        for document in documents:
            try:
                parsed = read_exactly(document) if isinstance(document, bytes) else document
                self.replaced(parsed, lambda value, _: values.append(value))
            except (ValueError, RecursionError):
                return Secrets(is_everything=True)
        return Secrets.of(values)

    def replaced(self, value: object, replace: Replace) -> object:
        """Return a document in which each hidden value was replaced.

        Args:
            replace: Gets the value and its place, as steps of a JSON pointer.
        """
        if any(not path.steps for path in self.paths):
            return replace(value, ())
        return self._walk(value, frozenset((number, 0) for number in range(len(self.paths))), (), replace)

    def _walk(self, value: object, states: frozenset[_State], place: Pointer, replace: Replace) -> object:
        if not states:
            return value
        if isinstance(value, Mapping):
            members = cast("Mapping[object, object]", value).items()
            return {key: self._child(each, str(key), str(key), states, place, replace) for key, each in members}
        if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
            items = cast("Sequence[object]", value)
            return [self._child(each, index, str(index), states, place, replace) for index, each in enumerate(items)]
        return value

    def _child(
        self, value: object, key: str | int, name: str, states: frozenset[_State], place: Pointer, replace: Replace
    ) -> object:
        following: set[_State] = set()
        for number, at in states:
            step = self.paths[number].steps[at]
            if step.is_deep:
                following.add((number, at))
            if step.leads_to(key):
                if at + 1 == len(self.paths[number].steps):
                    return replace(value, (*place, name))
                following.add((number, at + 1))
        return self._walk(value, frozenset(following), (*place, name), replace)


NOTHING_HIDDEN: Final = Hiding()
