"""Join the Lua files to functions that the server keeps, named by their SHA-1. No I/O but reading package files."""

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from redis.exceptions import ResponseError

_INCLUDE = re.compile(r"^-- include: (.+)$", re.MULTILINE)
_MORE = re.compile(r"^-- more: (.+)$", re.MULTILINE)
_LAST = re.compile(r"^-- last: (.+)$", re.MULTILINE)
_FUNCTION = re.compile(r"^local function (\w+)", re.MULTILINE)
_REGISTER = """local function callback(keys, args)
  begin(keys, args)
  return operation()
end
redis.register_function({ function_name = "%s", callback = callback, flags = { %s } })"""
_BRING_DATA = {  # refused, whole, by a store that is full; what reads, ends runs and tidies up goes on
    "trigger_run", "trigger_runs", "write_batch", "keep_value", "append_logs", "update_metadata", "add_tags",
    "reschedule_run",
}  # fmt: skip
_ORDER = [
    "event", "queue", "push", "reserve", "timers", "limits", "slots", "pending", "grant", "dispatch", "enqueue",
    "move", "waits", "tokens", "delay", "debounce", "versions", "make", "claimed", "admit", "executing", "close",
    "release", "hooks", "attempt", "cancel", "nodes", "json_text", "metadata", "append",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Script:
    """One operation's script as the server keeps it: a library with one function, which FCALL names."""

    name: str
    text: str
    function: str

    @property
    def load(self) -> tuple[str, ...]:
        """The command that has the server keep it. It fails when another client was first."""
        return ("FUNCTION", "LOAD", self.text)


@cache
def script(name: str) -> Script:
    """Return the script of an operation: ``lib/base.lua``, what its header includes, and itself.

    The server makes its closures once, when the library is loaded (EVALSHA would make them at every call: 16 us for
    all of them on Valkey 9.1). A change to the text is another library: versions of taskflow share a server.

    What the header names under ``more`` is made by calling ``more()``, which returns those functions by name. What it
    names under ``last`` may call ``more()`` itself.
    """
    body = source(name)
    parts = [source("lib/base"), *_parts(body, _INCLUDE)]
    rest = _parts(body, _MORE)
    if rest:
        functions = [found for part in rest for found in _FUNCTION.findall(part)]
        table = ", ".join(f"{function} = {function}" for function in functions)
        parts += ["more = function()", "if made then return made end", *rest]
        parts += [f"made = {{ {table} }}", "return made", "end"]
    text = "\n".join([*parts, *_parts(body, _LAST), "local function operation()", body, "end"])
    function = f"taskflow_{name}_{hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()}"
    register = _REGISTER % (function, "" if name in _BRING_DATA else '"allow-oom"')
    return Script(name, f"#!lua name={function}\n{text}\n{register}", function)


def is_unknown(reply: object) -> bool:
    """Whether a reply says that the server does not have a script's function (any more)."""
    return isinstance(reply, ResponseError) and str(reply) == "Function not found"


def _parts(body: str, header: re.Pattern[str]) -> list[str]:
    found = header.search(body)
    return [source(f"lib/{part}") for part in sorted(found.group(1).split() if found else [], key=_ORDER.index)]


def source(name: str) -> str:
    """Return the text of one Lua file."""
    return (files("taskflow.store") / "lua" / f"{name}.lua").read_text("utf-8")


def names() -> list[str]:
    """Return every operation that has a script."""
    folder = files("taskflow.store") / "lua"
    return sorted(entry.name.removesuffix(".lua") for entry in folder.iterdir() if entry.name.endswith(".lua"))
