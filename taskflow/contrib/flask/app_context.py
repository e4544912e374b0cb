"""The app of this process, and its context around each attempt with all hooks."""

from collections.abc import Generator
from typing import Final

from flask import Flask, current_app, has_app_context

EXTENSION: Final = "taskflow"
"""The key of ``app.extensions``."""
HOOK: Final = "flask app context"


class _App:
    """Holds the app of this process.

    Attributes:
        app: The one that called ``init_app`` last.
    """

    def __init__(self) -> None:
        self.app: Flask | None = None


APP: Final = _App()


def this_app() -> Flask | None:
    """Return the app of the current context if it has the extension, else the one of this process."""
    if has_app_context() and EXTENSION in current_app.extensions:
        return current_app._get_current_object()  # type: ignore[attr-defined,no-any-return]  # documented by Werkzeug
    return APP.app


def around_attempt() -> Generator[None]:
    """Execute an attempt in the app's context. Its teardown functions get what the attempt raised."""
    app = this_app()
    assert app is not None, "the extension registers this function"
    with app.app_context():
        yield
