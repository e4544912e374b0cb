"""Uses of Celery in the source of the tasks' modules: canvas, sends, and what a bound task calls."""

import ast
from pathlib import Path
from typing import Any, Final

_NAMES: Final = frozenset({"chain", "group", "chord", "chunks", "xmap", "xstarmap"})
_METHODS: Final = frozenset(
    {
        "s",
        "si",
        "signature",
        "subtask",
        "delay",
        "apply_async",
        "send_task",
        "starmap",
        "chunks",
        "update_state",
        "retry",
    }
)
_RAISED: Final = frozenset({"Ignore", "Reject"})
_ATTRIBUTES: Final = frozenset({"request"})
_RECEIVERS: Final = frozenset({"self", "task", "current_task"})


def uses_of(file: str) -> list[dict[str, Any]]:
    """Return the uses in a file, each with its line. A file that cannot be read has none."""
    try:
        tree = ast.parse(Path(file).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return []
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.expr | ast.Raise)]
    found = [(use, node.lineno) for node in nodes if (use := _use(node))]
    return [{"use": use, "file": file, "line": line} for use, line in sorted(set(found), key=lambda each: each[1])]


def _use(node: ast.AST) -> str:
    if isinstance(node, ast.Raise) and node.exc is not None:
        raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        name = raised.attr if isinstance(raised, ast.Attribute) else _receiver(raised)
        return name if name in _RAISED else ""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _NAMES:
        return node.func.id
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        name = node.func.attr
        if name in ("retry", "update_state"):
            return f"self.{name}" if _receiver(node.func.value) in _RECEIVERS else ""
        return f".{name}" if name in _METHODS else ""
    if isinstance(node, ast.Attribute) and node.attr in _ATTRIBUTES and _receiver(node.value) in _RECEIVERS:
        return "self.request"
    return ""


def _receiver(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""
