"""Threads that a framework reserves for blocking code which coroutines call, because its connections belong to them."""

from collections.abc import Awaitable, Callable
from typing import Final


class _Holder:
    """Holds the framework's way to call.

    Attributes:
        call: Calls a blocking function for a coroutine. None in a program without such a framework.
    """

    def __init__(self) -> None:
        self.call: Callable[[Callable[[], object]], Awaitable[object]] | None = None


BLOCKING_CALLS: Final = _Holder()
