"""Turn the Lua files into the code that the server loads: names become positions, calls decide which parts are joined.

The names that a part of ``lib/`` defines at its top are its own: code that uses one of them is joined to the part.
"""

import re
from collections.abc import Mapping
from functools import cache
from itertools import takewhile

_TEXT = r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'"
_COMMENT_OR_TEXT = re.compile(rf"--[^\n]*|({_TEXT})")
_DEFINITION = re.compile(r"^local (?:function )?(\w+(?:, \w+)*)", re.MULTILINE)
_NAME = re.compile(rf"{_TEXT}|(?<![\w.:])([A-Za-z_]\w*)(?!\w|\s*=[^=])")
_ARGUMENT = re.compile(r"\[(\d+)(\.\.\.)?\] (\w+)")
_FIELDS = re.compile(r"^( *)local (\w+) = fields\(\s*([^\n]+?),\s*(\"\w+\"(?:,\s*\"\w+\")*)\s*\)", re.MULTILINE)


def operation(text: str) -> str:
    """Return a script as the function ``operation``, whose first locals are the arguments that the header names.

    ``-- ARGV[7] id of the run  [8...] names`` declares ``id``, and ``names`` as the list of all arguments from 8 on.
    """
    single, lists = arguments(text)
    lines = (
        [f"local {', '.join(single)} = {', '.join(f'ARGV[{place}]' for place in single.values())}"] if single else []
    )
    lines += [f"local {name} = arguments_from({place})" for name, place in lists.items()]
    return "\n".join(["local function operation()", *lines, code(text), "end"])


def arguments(text: str) -> tuple[dict[str, int], dict[str, int]]:
    """Return the arguments that a script's header names with their places in ARGV: single ones, and lists."""
    header = "\n".join(takewhile(lambda line: line.startswith("--"), text.splitlines()))
    single: dict[str, int] = {}
    lists: dict[str, int] = {}
    for place, dots, name in _ARGUMENT.findall(header):
        (lists if dots else single)[name] = int(place)
    return single, lists


def code(text: str) -> str:
    """Return a file's code without comments and empty lines. It reads the fields of hashes by position."""
    bare = _COMMENT_OR_TEXT.sub(lambda match: match[1] or "", text)
    text = "\n".join(line.rstrip() for line in bare.splitlines() if line.strip())
    while read := _FIELDS.search(text):
        text = text[: read.start()] + _positional(read, text)
    return text


def _positional(read: re.Match[str], text: str) -> str:
    """Return the text from ``local run = fields(key, "status", ...)`` on, with ``run[1]`` for ``run.status``.

    So names cost nothing at run time. Where the reply is handed on or changed, it becomes a table with names instead.

    Raises:
        ValueError: The text uses a field that it has not read.
    """
    indent, local, key, listed = read.groups()
    names = re.findall(r"\w+", listed)
    end = re.compile(rf"^ {{0,{len(indent) - 1}}}\S", re.MULTILINE).search(text, read.end()) if indent else None
    until = end.start() if end else len(text)
    block = text[read.end() : until]
    use = re.compile(rf"{_TEXT}|(?<![\w.:])({local})\b(?:\.(\w+)(\s*=[^=])?)?")
    uses = [match for match in use.finditer(block) if match[1]]
    if unread := {match[2] for match in uses if match[2]} - set(names):
        raise ValueError(f"Code uses {local}.{unread.pop()}, which is not among the fields that it reads: {listed}.")
    call = f'{indent}local {local} = redis.call("HMGET", {key}, {" ".join(listed.split())})'
    if any(match[3] or not match[2] for match in uses):
        members = ", ".join(f"{name} = {local}[{place}]" for place, name in enumerate(names, 1))
        return f"{call}\n{indent}{local} = {{ {members} }}{text[read.end() :]}"
    block = use.sub(lambda match: f"{local}[{names.index(match[2]) + 1}]" if match[1] else match[0], block)
    return call + block + text[until:]


@cache
def defined(part: str) -> tuple[str, ...]:
    """Return the functions and constants that a part defines."""
    return tuple(name for names in _DEFINITION.findall(part) for name in names.split(", "))


@cache
def used(text: str) -> frozenset[str]:
    """Return the names that code reads, without those of fields."""
    return frozenset(filter(None, _NAME.findall(text)))


def joined(text: str, parts: Mapping[str, str]) -> list[str]:
    """Return the parts that code calls, and those that these call, each behind the parts that it calls itself.

    Raises:
        ValueError: Parts call each other in a circle, or two parts define one name.
    """
    definers: dict[str, str] = {}
    for part, part_text in parts.items():
        for name in defined(part_text):
            if definers.setdefault(name, part) != part:
                raise ValueError(f"lib/{definers[name]}.lua and lib/{part}.lua both define {name}. Rename one of them.")
    ordered: list[str] = []

    def add_called(caller: str, path: tuple[str, ...]) -> None:
        for part in sorted({definers[name] for name in used(caller) & definers.keys()} - set(path[-1:])):
            if part in path:
                raise ValueError(f"Parts of lib/ call each other in a circle: {' -> '.join((*path, part))}. Split one.")
            if part not in ordered:
                add_called(parts[part], (*path, part))
                ordered.append(part)

    add_called(text, ())
    return ordered
