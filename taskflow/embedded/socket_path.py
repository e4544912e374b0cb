"""The unix socket of a folder's server, as a path and as a URL."""

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from taskflow.errors import EmbeddedStoreError

_SOCKET: Final = "store.sock"
_SOCKET_PATH_LIMIT: Final = 100  # bytes; sun_path holds 108 on Linux and 104 on macOS


def socket_path(home: Path, environ: Mapping[str, str]) -> Path:
    """Return the path of the server's socket: in the folder, or in a runtime or temporary folder when that is too long.

    Raises:
        EmbeddedStoreError: The path is too long, and no other folder can be made that belongs to this user alone.
    """
    path = home / _SOCKET
    if _fits(path):
        return path
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]  # differs by project, and is the same at every call
    for base in (environ.get("XDG_RUNTIME_DIR"), environ.get("TMPDIR"), tempfile.gettempdir(), "/tmp"):
        path = Path(base or "/tmp") / f"taskflow-{os.getuid()}" / f"{digest}.sock"
        if _fits(path) and _make_private(path.parent):
            return path
    raise EmbeddedStoreError(
        f"The path of {home} is too long for a unix socket, and neither XDG_RUNTIME_DIR, TMPDIR nor /tmp offers a "
        "folder of our own. Set TASKFLOW_HOME to a shorter path, or TASKFLOW_REDIS_URL to a Redis or Valkey of yours."
    )


def _fits(path: Path) -> bool:
    return len(os.fsencode(path)) <= _SOCKET_PATH_LIMIT


def _make_private(folder: Path) -> bool:
    """Make the folder. Returns False when it is not private: another user may have made it first in /tmp."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError:
        return False
    return folder.is_dir() and not folder.is_symlink() and status.st_uid == os.getuid() and not status.st_mode & 0o077


def url_of(socket: Path) -> str:
    return f"unix://{quote(str(socket))}?db=0"


def socket_of(url: str) -> Path:
    return Path(unquote(urlsplit(url).path))
