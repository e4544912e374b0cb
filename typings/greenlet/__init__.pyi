"""What taskflow uses of greenlet, whose own types are a package of their own."""

from collections.abc import Callable
from contextvars import Context
from typing import Any

class GreenletExit(BaseException): ...

class greenlet:
    dead: bool
    gr_context: Context | None
    parent: greenlet | None
    def __init__(self, run: Callable[..., Any] | None = ..., parent: greenlet | None = ...) -> None: ...
    def switch(self, *args: Any, **kwargs: Any) -> Any: ...
    def throw(self, *args: Any) -> Any: ...

def getcurrent() -> greenlet: ...
