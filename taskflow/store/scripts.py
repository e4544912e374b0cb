"""Load the Lua files, join what they include, and name them by their SHA-1. No I/O but reading package files."""

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_INCLUDE = re.compile(r"^-- include: (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Script:
    """One operation's script as the server runs it."""

    name: str
    text: str
    sha: str


@cache
def script(name: str) -> Script:
    """Return the script of an operation, joined with ``lib/base.lua`` and what its header includes."""
    body = source(name)
    parts = [source("lib/base")]
    found = _INCLUDE.search(body)
    included = found.group(1).split() if found else []
    parts += [source(f"lib/{part}") for part in _in_order(included)]
    text = "\n".join([*parts, body])
    return Script(name, text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


def source(name: str) -> str:
    """Return the text of one Lua file."""
    return (files("taskflow.store") / "lua" / f"{name}.lua").read_text("utf-8")


def names() -> list[str]:
    """Return every operation that has a script."""
    folder = files("taskflow.store") / "lua"
    return sorted(entry.name.removesuffix(".lua") for entry in folder.iterdir() if entry.name.endswith(".lua"))


_ORDER = [
    "event", "push", "reserve", "timers", "limits", "slots", "pending", "dispatch", "enqueue", "delay", "debounce",
    "admit", "finish", "hooks", "attempt", "cancel", "nodes",
]  # fmt: skip


def _in_order(included: list[str]) -> list[str]:
    return sorted(included, key=_ORDER.index)
