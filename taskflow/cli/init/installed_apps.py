"""The entry in INSTALLED_APPS of an existing Django site, added only where the edit can be proved.

The edited text is parsed again, and taken only if its syntax tree is the old one with one more entry at the end of the
list. A list that is computed, assigned twice or written in an unusual form is left to its owner.
"""

import ast
import copy
import re
from pathlib import Path
from typing import Final

APP: Final = "taskflow.contrib.django"
_NAME: Final = "INSTALLED_APPS"
_IN_MANAGE: Final = re.compile(r"""["']DJANGO_SETTINGS_MODULE["']\s*,\s*["']([\w.]+)["']""")


def settings_file(folder: Path) -> Path | None:
    """Return the file with the settings that ``manage.py`` names, relative to the folder; None when it has none."""
    named = _IN_MANAGE.search((folder / "manage.py").read_text(encoding="utf-8", errors="replace"))
    if named is None:
        return None
    module = Path(*named[1].split("."))
    files = (module.with_suffix(".py"), module / "__init__.py")
    return next((file for file in files if (folder / file).is_file()), None)


def installed_apps(text: bytes) -> list[str]:
    """Return the entries of the settings' INSTALLED_APPS that are written as texts."""
    found = _list_in(_parsed(text))
    entries = [] if found is None else found.elts
    return [each.value for each in entries if isinstance(each, ast.Constant) and isinstance(each.value, str)]


def with_entry(text: bytes) -> bytes | None:
    """Return the settings with taskflow's app at the end of INSTALLED_APPS; None if that can't be proved."""
    tree = _parsed(text)
    found = _list_in(tree)
    if tree is None or found is None or not found.elts:
        return None
    wanted = copy.deepcopy(tree)
    longer = _list_in(wanted)
    assert longer is not None
    longer.elts.append(ast.Constant(APP))
    edited = _edited(text, found)
    again = _parsed(edited)
    return edited if again is not None and ast.dump(again) == ast.dump(wanted) else None


def _edited(text: bytes, found: ast.List) -> bytes:
    """Return the text with the entry on a line of its own, or at the end of the list's one line."""
    end = b"\r\n" if b"\r\n" in text else b"\n"
    lines = text.splitlines(keepends=True)
    last, first = found.end_lineno or 0, found.elts[0]
    bracket = (found.end_col_offset or 1) - 1
    closing = lines[last - 1]
    if not closing[:bracket].strip():
        indent = lines[first.lineno - 1][: first.col_offset] if first.lineno > found.lineno else b"    "
        lines.insert(last - 1, indent + f'"{APP}",'.encode() + end)
    else:
        lines[last - 1] = closing[:bracket] + f', "{APP}"'.encode() + closing[bracket:]
    return b"".join(lines)


def _parsed(text: bytes) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):
        return None


def _list_in(tree: ast.Module | None) -> ast.List | None:
    """Return the list that is assigned to INSTALLED_APPS, once, at the top of the module."""
    if tree is None:
        return None
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == _NAME]
    assigned = [node for node in names if isinstance(node.ctx, ast.Store)]
    for node in tree.body:
        if isinstance(node, ast.Assign) and node.targets == assigned and isinstance(node.value, ast.List):
            return node.value
        if isinstance(node, ast.AnnAssign) and [node.target] == assigned and isinstance(node.value, ast.List):
            return node.value
    return None
