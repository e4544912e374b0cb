"""Join the Lua files to functions that the server keeps, named by their SHA-1. Reads package files, no other I/O."""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from redis.exceptions import OutOfMemoryError, ResponseError

from taskflow.store.connections import lua_code

_REGISTER = """local function callback(keys, args)
  begin(keys, args)
  return operation()
end
redis.register_function({ function_name = "%s", callback = callback, flags = { %s } })"""
_EXISTS = "already exists"
_BRING_DATA = {  # refused, whole, by a store that is full; what reads, ends runs and tidies up goes on
    "trigger_run", "trigger_runs", "open_batch", "begin_bulk_action", "plan_bulk_action", "write_batch", "keep_value",
    "append_logs", "update_metadata", "add_tags", "reschedule_run", "put_schedule", "fire_schedule", "accept_delivery",
    "keep_delivery", "replay_delivery", "write_user", "open_session",
}  # fmt: skip


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

    def again(self, command: tuple[Any, ...], loaded: object) -> tuple[Any, ...]:
        """Return the command to send after ``load``, whose reply is ``loaded``.

        A full server takes no function that it does not have yet. It evaluates the script instead, because runs must
        be able to end there.

        Raises:
            ResponseError: The server did not load it, for example for want of a right, or as a replica.
        """
        if not isinstance(loaded, ResponseError) or _EXISTS in str(loaded):  # another client was first
            return command
        if isinstance(loaded, OutOfMemoryError):
            return ("EVAL", _evaluated(self.name), *command[2:])
        raise loaded


@cache
def script(name: str) -> Script:
    """Return the script of an operation: the parts of ``lib/`` that it calls, and itself.

    The server makes its closures once, when the library is loaded (EVALSHA would make them at every call: 16 us for
    all of them on Valkey 9.1). A change to the code is another library: versions of taskflow share a server.
    """
    text = _joined(name)
    function = f"taskflow_{name}_{hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()}"
    register = _REGISTER % (function, "" if name in _BRING_DATA else '"allow-oom"')
    return Script(name, f"#!lua name={function}\n{text}\n{register}", function)


def _evaluated(name: str) -> str:
    """Return the script for EVAL. Its parts have a name ARGV of their own."""
    flags = "" if name in _BRING_DATA else " flags=allow-oom"
    return f"#!lua{flags}\nlocal given = ARGV\n{_joined(name)}\nbegin(KEYS, given)\nreturn operation()"


def _joined(name: str) -> str:
    """Return the parts of ``lib/`` that a script calls, and itself."""
    library = parts()
    operation = lua_code.operation(source(name))
    return "\n".join([*(library[part] for part in lua_code.joined(operation, library)), operation])


def is_unknown(reply: object) -> bool:
    """Whether a reply is the error of a server that does not have a script's function (any more)."""
    return isinstance(reply, ResponseError) and str(reply) == "Function not found"


@cache
def parts() -> dict[str, str]:
    """Return the code of every part of ``lib/`` by its name."""
    return {name: lua_code.code(source(f"lib/{name}")) for name in names("lib")}


def source(name: str) -> str:
    """Return the text of one Lua file."""
    return (files("taskflow.store") / "lua" / f"{name}.lua").read_text("utf-8")


def names(folder: str = "") -> list[str]:
    """Return every operation that has a script, or every part when ``folder`` is "lib"."""
    entries = (files("taskflow.store") / "lua" / folder).iterdir()
    return sorted(entry.name.removesuffix(".lua") for entry in entries if entry.name.endswith(".lua"))
