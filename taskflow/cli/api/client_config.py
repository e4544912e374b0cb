"""The configuration that makes an MCP client start or call ``taskflow mcp``, in the form that most clients take."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

_SECRETS: Final = ("KEY", "SECRET", "PASSWORD", "TOKEN")


def stdio_config(folder: Path, app: str | None, *, may_write: bool) -> dict[str, Any]:
    """Return the entry of a client that starts the command. Its variables are those of this process, without secrets.

    A client starts it in a folder and with variables of its own, so that both are part of the entry.
    """
    words = ["-m", "taskflow", "mcp", "--folder", str(folder), *(["-A", app] if app else [])]
    entry: dict[str, Any] = {"command": sys.executable, "args": [*words, *(["--write"] if may_write else [])]}
    variables = _variables(os.environ)
    return {"mcpServers": {"taskflow": entry | ({"env": variables} if variables else {})}}


def http_config(name: str, port: int) -> dict[str, Any]:
    """Return the entry of a client that calls a server over HTTP."""
    headers = {"Authorization": "Bearer <a key of: taskflow keys create assistant --read-only>"}
    is_loopback = name in ("127.0.0.1", "localhost", "[::1]")
    url = f"http://{name}:{port}/mcp" if is_loopback else f"https://{name}/mcp"
    return {"mcpServers": {"taskflow": {"type": "http", "url": url, "headers": headers}}}


def _variables(environment: Mapping[str, str]) -> dict[str, str]:
    names = [name for name in sorted(environment) if name.startswith("TASKFLOW_")]
    return {name: f"<{name}>" if _is_secret(name, environment[name]) else environment[name] for name in names}


def _is_secret(name: str, value: str) -> bool:
    """Whether a variable holds a key or a password, for example in an address."""
    return any(word in name for word in _SECRETS) or "@" in value
