"""Harmless copies of exceptions, with their tracebacks and texts, for Python to format.

Python's ``traceback`` reads the texts of an exception as often as it likes, and all members of a group.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Any, Final, cast

from taskflow.errors.base import is_kind
from taskflow.execution.error_texts import ErrorTexts, module_name, type_name
from taskflow.texts import cut, storable

_MEMBERS: Final = 10
_DEPTH: Final = 4
_MOST: Final = 40
_CAUSES_OF_MEMBERS: Final = 4
_LONGEST_CHAIN: Final = 10_000
_SYNTAX_ERRORS: Final = (SyntaxError, IndentationError, TabError)
_SOURCE_CHARS: Final = 500


@dataclass(frozen=True, slots=True)
class Link:
    """An exception of a chain of causes.

    Attributes:
        is_cause: Whether it was named as the cause of the one before it, not only raised while that was handled.
        skipped: How many exceptions between the one before it and itself were left out.
    """

    error: BaseException
    is_cause: bool = True
    skipped: int = 0

    @property
    def is_next(self) -> bool:
        """Whether none was left out before it."""
        return not self.skipped


def chain(error: BaseException, most: int) -> list[Link]:
    """Return an exception and its causes, as Python shows them: the nearest, and of many also the first one.

    A chain may be a loop; then it has ``most`` links.
    """
    links: list[Link] = [Link(error)]
    for _ in range(_LONGEST_CHAIN):
        following = _next(links[-1].error)
        if following is None:
            break
        links.append(following)
    else:
        return links[:most]
    if len(links) <= most:
        return links
    last = links[-1]
    return [*links[: most - 1], Link(last.error, last.is_cause, len(links) - most)]


def _next(error: BaseException) -> Link | None:
    cause = attribute(error, "__cause__")
    if cause is not None:
        return Link(cause)
    context = None if attribute(error, "__suppress_context__") else attribute(error, "__context__")
    return None if context is None else Link(context, is_cause=False)


def attribute(error: BaseException, name: str) -> Any:
    """Return an attribute that Python gives to every exception, whatever its class makes of the name."""
    return vars(BaseException)[name].__get__(error)


class Copies:
    """The maker of the copies of one error, at most some 40 in all."""

    def __init__(self, texts: ErrorTexts) -> None:
        self._texts = texts
        self._left = _MOST

    def copy_chain(self, links: Sequence[Link], messages: Sequence[str], depth: int = _DEPTH) -> BaseException:
        """Return the copy of the first of a chain, with copies of the others as its causes."""
        first = last = self._copy(links[0].error, messages[0], depth)
        seen = {id(links[0].error)}
        for link, message in zip(links[1:], messages[1:], strict=True):
            if id(link.error) in seen:
                break
            seen.add(id(link.error))
            copied = self._copy(link.error, message, depth)
            if link.skipped:
                copied.add_note(f"... [{link.skipped:,} errors between this one and the next were cut] ...")
            if link.is_cause:
                last.__cause__ = copied
            else:
                last.__context__ = copied
            last = copied
        return first

    def _copy(self, error: BaseException, message: str, depth: int) -> BaseException:
        self._left -= 1
        notes = self._texts.notes(error)
        copied: BaseException
        if is_kind(error, BaseExceptionGroup) and depth:
            copied = self._copy_group(error, message, depth, notes)
        elif type(error) in _SYNTAX_ERRORS and _is_usual(cast("SyntaxError", error)):
            copied = _copy_syntax_error(cast("SyntaxError", error))
        else:
            copied = _class(type_name(error), _module(error), is_group=False)(message)
        for note in notes:
            copied.add_note(note)
        return copied.with_traceback(cast("TracebackType | None", attribute(error, "__traceback__")))

    def _copy_group(self, group: BaseException, message: str, depth: int, notes: list[str]) -> BaseException:
        members = cast("Sequence[BaseException]", vars(BaseExceptionGroup)["exceptions"].__get__(group))
        room = max(1, min(_MEMBERS, self._left))
        tail = room // 4
        chosen = members if len(members) <= room else (*members[: room - tail], *members[len(members) - tail :])
        if len(members) > len(chosen):
            self._texts.are_handy = False
            notes.append(f"... [{len(members) - len(chosen):,} of its {len(members):,} members were cut] ...")
        copies = [self._member(each, depth) for each in chosen]
        return _class(type_name(group), _module(group), is_group=True)(message, copies)

    def _member(self, member: BaseException, depth: int) -> BaseException:
        links = chain(member, max(1, min(_CAUSES_OF_MEMBERS, self._left)))
        return self.copy_chain(links, [self._texts.message(link.error) for link in links], depth - 1)


class _Text:
    def __init__(self, text: str, *_: object) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text


class _Copy(_Text, Exception):  # noqa: N818 - its name is shown nowhere
    pass


class _GroupCopy(_Text, BaseExceptionGroup[BaseException]):
    pass


@lru_cache(256)
def _class(name: str, module: str, *, is_group: bool) -> Callable[..., BaseException]:
    """Make a class of copies that has the name of the exception's class."""
    names = {"__module__": module, "__qualname__": name}
    return type(name, (_GroupCopy,), names) if is_group else type(name, (_Copy,), names)


def _module(error: BaseException) -> str:
    return storable(cut(module_name(type(error)), _SOURCE_CHARS))


def _is_usual(error: SyntaxError) -> bool:
    """Whether Python's compiler made it, which shows a line of source and a position in it."""
    numbers = (error.lineno, error.offset, error.end_lineno, error.end_offset)
    return (
        type(error.msg) is str
        and all(type(text) in (str, type(None)) for text in (error.filename, error.text))
        and all(type(number) in (int, type(None)) for number in numbers)
    )


def _copy_syntax_error(error: SyntaxError) -> SyntaxError:
    file, source = (
        None if text is None else storable(cut(text, _SOURCE_CHARS)) for text in (error.filename, error.text)
    )
    place = (file, error.lineno, error.offset, source, error.end_lineno, error.end_offset)
    return type(error)(storable(cut(error.msg, _SOURCE_CHARS)), place)
