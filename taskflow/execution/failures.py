"""Describe an exception of user code: type, message and a traceback without taskflow's own frames, cut to size."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from taskflow.errors import TaskflowError
from taskflow.errors.base import is_kind
from taskflow.execution.error_copies import Copies, Link, chain
from taskflow.execution.error_texts import ErrorTexts, is_plain, type_name
from taskflow.models import ErrorCause, RunError
from taskflow.texts import cut, storable

FRAMES: Final = 50
LINE_CHARS: Final = 1024
CAUSES: Final = 10
"""Bounds of Trigger.dev's ``CORE/errors.ts``."""
TRACEBACK_CHARS: Final = 32_000
CAUSE_CHARS: Final = 1000
_OWN_CODE = str(Path(__file__).parents[1])
_NAME_CHARS: Final = 500
_FIRST_FRAMES: Final = 10


@dataclass(frozen=True, slots=True)
class Description:
    """The stored form of an exception. ``is_handy``: its texts are whole, and may be made again by others."""

    error: RunError
    is_handy: bool = True


def describe(error: BaseException, is_stop: Callable[[BaseException], bool] = lambda _: False) -> RunError:
    """Return the stored form of an exception. See ``description_of``."""
    return description_of(error, is_stop).error


def description_of(error: BaseException, is_stop: Callable[[BaseException], bool]) -> Description:
    """Return the stored form of an exception, with its causes, cut to size.

    Args:
        is_stop: Whether an exception is the one by which the attempt is stopped. If the code that makes the texts
            raises it, it is raised from here.
    """
    texts = ErrorTexts(is_stop)
    is_own = is_kind(error, TaskflowError)
    links = [Link(error)] if is_own else chain(error, CAUSES + 1)  # a cause of ours is no cause of the task's
    told = [texts.message(link.error) for link in links]
    causes = [_cause(link, text) for link, text in zip(links[1:], told[1:], strict=True)]
    if all(link.is_next and is_plain(link.error) for link in links):
        summary = traceback.TracebackException.from_exception(error, lookup_lines=False)
        if is_own:
            summary.__cause__ = summary.__context__ = None
    else:
        copied = Copies(texts).copy_chain(links, told)
        summary = traceback.TracebackException.from_exception(copied, lookup_lines=False)
    if texts.are_handy and not is_own:
        texts.try_out(error)
    is_short = _trim_frames(summary)
    text = _text(summary)
    shown = RunError(type_name(error), told[0], cut(text, TRACEBACK_CHARS), tuple(causes))
    return Description(shown, texts.are_handy and is_short and len(text) <= TRACEBACK_CHARS)


def _cause(link: Link, message: str) -> ErrorCause:
    before = "" if link.is_next else f"... [{link.skipped:,} causes before this one were cut] ... "
    return ErrorCause(type_name(link.error), f"{before}{cut(message, CAUSE_CHARS)}")


def _text(summary: traceback.TracebackException) -> str:
    lines = (line[:LINE_CHARS] for line in "".join(summary.format()).splitlines())
    return storable("\n".join(lines))


def _trim_frames(summary: traceback.TracebackException | None) -> bool:
    """Drop the frames of taskflow, and those in the middle of many. Return whether all of them have short names."""
    if summary is None:
        return True
    frames = [frame for frame in summary.stack if not frame.filename.startswith(_OWN_CODE)]
    if len(frames) > FRAMES:
        frames = [*frames[:_FIRST_FRAMES], _Gap(len(frames) - FRAMES), *frames[_FIRST_FRAMES - FRAMES :]]
    is_short = all(len(frame.filename) + len(frame.name) <= _NAME_CHARS for frame in frames)
    summary.stack = _Stack(map(_short, frames))
    others = [_trim_frames(other) for other in (summary.__cause__, summary.__context__, *(summary.exceptions or ()))]
    return is_short and all(others)


def _short(frame: traceback.FrameSummary) -> traceback.FrameSummary:
    if isinstance(frame, _Gap) or max(len(frame.filename), len(frame.name), len(frame.line or "")) <= _NAME_CHARS:
        return frame
    names = cut(frame.filename, _NAME_CHARS), cut(frame.name, _NAME_CHARS)
    line = cut(frame.line or "", LINE_CHARS)
    return traceback.FrameSummary(names[0], frame.lineno, names[1], lookup_line=False, line=line)


class _Gap(traceback.FrameSummary):
    """The place of the frames that were cut."""

    def __init__(self, number: int) -> None:
        super().__init__("", 0, "", lookup_line=False, line="")
        self.number = number


class _Stack(traceback.StackSummary):
    def format_frame_summary(self, frame_summary: traceback.FrameSummary, **options: bool) -> str:
        if isinstance(frame_summary, _Gap):
            return f"  ... [{frame_summary.number:,} frames were cut] ...\n"
        return super().format_frame_summary(frame_summary, **options)
