"""The name of who calls a verb, for people who later ask who it was."""

import getpass
import platform
from functools import cache

from taskflow.definition.context import current_context


def caller() -> str:
    """Return the run whose code calls, ``run <id>``, or else the user and the host of this process, ``user@host``."""
    context = current_context()
    return f"run {context.run.id}" if context else _of_process()


@cache
def _of_process() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container whose user has no name
        user = "unknown"
    return f"{user}@{platform.node()}".encode(errors="replace").decode()
