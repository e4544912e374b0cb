"""The name of who calls a verb, for people who later ask who it was."""

import getpass
import platform
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Final

from taskflow.definition.context import current_context

_named: Final[ContextVar[str]] = ContextVar("taskflow-caller", default="")
_origin: Final[ContextVar[str]] = ContextVar("taskflow-origin", default="")


def name_caller(name: str, origin: str = "") -> None:
    """Name the caller on whose behalf the rest of this context calls verbs: the key of an HTTP request.

    Args:
        origin: The same for the records of the runs that it triggers, see ``Run.triggered_by``.
    """
    _named.set(name)
    _origin.set(origin)


@contextmanager
def from_command_line() -> Generator[None]:
    """Note in the records of runs that are triggered meanwhile that a person did so, by a command."""
    before = _origin.set(f"cli {caller()}")
    try:
        yield
    finally:
        _origin.reset(before)


def origin() -> str:
    """Return the origin that ``name_caller`` was given, "" for a trigger of plain code."""
    return _origin.get()


def caller() -> str:
    """Return the caller of a verb.

    Returns:
        ``run <id>`` when a run's code calls, the name that ``name_caller`` was given, or else the user and the host of
        this process, ``user@host``.
    """
    context = current_context()
    return f"run {context.run.id}" if context else _named.get() or _of_process()


@cache
def _of_process() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container whose user has no name
        user = "unknown"
    return f"{user}@{platform.node()}".encode(errors="replace").decode()
