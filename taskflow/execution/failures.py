"""Describe what user code raised: type, message and a traceback without taskflow's own frames."""

import traceback
from pathlib import Path
from typing import Final

from taskflow.models import RunError

MESSAGE_CHARS: Final = 1000
FRAMES: Final = 50
LINE_CHARS: Final = 1024
"""The bounds of Trigger.dev's ``CORE/errors.ts``."""
_OWN_CODE = str(Path(__file__).parents[1])


def describe(error: BaseException) -> RunError:
    """Return the stored form of an exception, with its causes in the traceback, cut to size."""
    message = str(error)[:MESSAGE_CHARS].replace("\0", "")
    return RunError(type(error).__qualname__, message, _trimmed(error))


def _trimmed(error: BaseException) -> str:
    told = traceback.TracebackException.from_exception(error, limit=-FRAMES, compact=True)
    stack = told.stack
    first_user_frame = next((n for n, frame in enumerate(stack) if not frame.filename.startswith(_OWN_CODE)), 0)
    told.stack = traceback.StackSummary.from_list(stack[first_user_frame:])
    lines = (line[:LINE_CHARS] for line in "".join(told.format()).splitlines())
    return "\n".join(lines).replace("\0", "")
