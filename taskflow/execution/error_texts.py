"""The texts of an exception: its type's name, its message and its notes. They are made by code of the user's.

Such code may raise, return something else, take long or need much memory, and the texts may be of any size.
"""

import pickle
import time
from collections.abc import Callable
from types import WrapperDescriptorType
from typing import Final, cast

from taskflow.execution.text_limits import TextTooSlow, within_limits
from taskflow.texts import cut, storable

TYPE_CHARS: Final = 200
MESSAGE_CHARS: Final = 4000
NOTES: Final = 10
NOTE_CHARS: Final = 1000
SECONDS: Final = 1.0
"""The time in which the texts of one error are made, all together."""
_QUICK_SECONDS: Final = 0.1
_PLAIN: Final = (str, bytes, int, float, bool, type(None))
_PLAIN_CHARS: Final = 1000
_HOSTILE: Final = frozenset(
    {
        "__bool__",
        "__cause__",
        "__class__",
        "__context__",
        "__dict__",
        "__getattr__",
        "__getattribute__",
        "__len__",
        "__notes__",
        "__suppress_context__",
        "__traceback__",
        "args",
        "exceptions",
    }
)
"""Attributes of exceptions that Python reads, for example for its truth, and for which a class may have its own."""
_PICKLING: Final = ("__reduce__", "__reduce_ex__", "__getstate__")
_name_of: Final = cast("Callable[[type], str]", vars(type)["__qualname__"].__get__)


def type_name(error: BaseException) -> str:
    """Return the name of an exception's class."""
    return storable(cut(_name_of(type(error)), TYPE_CHARS))


def is_plain(error: BaseException) -> bool:
    """Whether Python alone makes the texts of an exception, and they are short."""
    if not _is_pythons(error) or "__notes__" in vars(error):
        return False
    args = error_args(error)
    return _has_short_name(type(error)) and len(args) <= NOTES and sum(map(_size, args)) <= _PLAIN_CHARS


def _is_pythons(error: BaseException) -> bool:
    """Whether Python alone makes the message of an exception, so that it takes no longer than its length says."""
    kind = type(error)
    text: object = type.__getattribute__(kind, "__str__")
    if not isinstance(text, WrapperDescriptorType) or text.__objclass__.__module__ != "builtins":
        return False
    for base in cast("tuple[type, ...]", type.__getattribute__(kind, "__mro__")):
        if base.__module__ != "builtins" and not _HOSTILE.isdisjoint(vars(base)):
            return False
    return all(type(arg) in _PLAIN for arg in error_args(error))


def module_name(kind: type) -> str:
    """Return the module of an exception's class, whatever the class makes of the name."""
    module: object = type.__getattribute__(kind, "__module__")
    return module if isinstance(module, str) else "?"


def _has_short_name(kind: type) -> bool:
    return max(len(_name_of(kind)), len(module_name(kind))) <= TYPE_CHARS


def error_args(error: BaseException) -> tuple[object, ...]:
    """Return the arguments of an exception, whatever its class makes of the name."""
    return cast("tuple[object, ...]", vars(BaseException)["args"].__get__(error))


class ErrorTexts:
    """A reader of the texts of one error, with its causes and members.

    Args:
        is_stop: Whether an exception is the one by which the attempt is stopped; that one is let through.

    Attributes:
        are_handy: Whether all texts were whole, and were made at once.
    """

    def __init__(self, is_stop: Callable[[BaseException], bool]) -> None:
        self._is_stop = is_stop
        self._left = SECONDS
        self.are_handy = True

    def message(self, error: BaseException) -> str:
        """Return the message of an exception, or why there is none."""
        self.are_handy = self.are_handy and _has_short_name(type(error))
        limit = None if _is_pythons(error) else self._left
        return self._read(lambda: _exact(str(error)), limit, "message", type_name(error), MESSAGE_CHARS)

    def notes(self, error: BaseException) -> list[str]:
        """Return the notes of an exception."""
        try:
            given: object = getattr(error, "__notes__", None)
        except Exception:  # noqa: BLE001 - its own attributes are user code
            given = None
        if not isinstance(given, list | tuple) or not given:
            return []
        notes = cast("list[object]", given)
        shown = [self._note(error, note) for note in (notes if len(notes) <= NOTES else notes[: NOTES - 2])]
        if len(notes) > NOTES:
            self.are_handy = False
            last = [self._note(error, note) for note in notes[-2:]]
            shown += [f"... [{len(notes) - NOTES:,} notes were cut] ...", *last]
        return shown

    def try_out(self, error: BaseException) -> None:
        """Try what others do with an exception whose class has code for it: showing and pickling."""
        kind = type(error)
        if not isinstance(type.__getattribute__(kind, "__repr__"), WrapperDescriptorType):
            self._read(lambda: _exact(repr(error)), self._left, "text", "", MESSAGE_CHARS)
        if self.are_handy and any(_has_own(kind, name) for name in _PICKLING):
            self._read(lambda: f"{len(pickle.dumps(error))}", self._left, "pickled form", "", MESSAGE_CHARS)

    def _note(self, error: BaseException, note: object) -> str:
        limit = None if type(note) is str else self._left
        return self._read(lambda: _exact(str(note)), limit, "note", type_name(error), NOTE_CHARS)

    def _read(self, make: Callable[[], str], limit: float | None, what: str, kind: str, most: int) -> str:
        began = time.monotonic()
        try:
            text = make() if limit is None else within_limits(make, limit)
        except TextTooSlow:
            why = f"took longer than {SECONDS:g} s to make"
        except MemoryError:
            why = "needs too much memory"
        except BaseException as error:
            if self._is_stop(error):
                raise
            why = f"cannot be read: {type_name(error)} was raised instead"
        else:
            took = time.monotonic() - began
            self._left -= took
            self.are_handy = self.are_handy and took < _QUICK_SECONDS and len(text) <= most
            return storable(cut(text, most))
        self._left -= time.monotonic() - began
        self.are_handy = False
        return f"(the {what} of this {kind} {why})"


def _has_own(kind: type, name: str) -> bool:
    mro = cast("tuple[type, ...]", type.__getattribute__(kind, "__mro__"))
    return any(name in vars(base) for base in mro if base.__module__ != "builtins")


def _exact(text: str) -> str:
    """Return a text of a subclass of str as one of str itself."""
    return text if type(text) is str else str.__getitem__(text, slice(None))


def _size(value: object) -> int:
    """Return about how many characters a plain value has."""
    return len(value) if isinstance(value, str | bytes) else value.bit_length() // 3 if isinstance(value, int) else 24
