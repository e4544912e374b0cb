"""The application whose engine the verbs of this process use. Each process has one holder of it."""

import threading
from collections.abc import Callable
from contextlib import nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:  # see ``verbs/current.py``
    from taskflow.seams.engine import Application


class Block(Protocol):
    """A block of code."""

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

    async def __aenter__(self) -> None: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


class CurrentApplication:
    """Holds the current application.

    Attributes:
        application: None until a verb needs one, or a caller sets one.
        lock: Held by whoever makes the first one.
        start_later: Makes a block, ``with`` or ``async with``, whose triggers start no run before its end. It does
            nothing outside of tests whose runs execute in place: nowhere else does a trigger start runs.
    """

    def __init__(self) -> None:
        self.application: Application | None = None
        self.lock: Final = threading.RLock()
        self.start_later: Callable[[], Block] = nullcontext


CURRENT: Final = CurrentApplication()
