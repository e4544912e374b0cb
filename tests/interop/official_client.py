"""The unmodified ``@trigger.dev/sdk`` of npm, in one Node process, whose functions tests call by name."""

import fcntl
import hashlib
import json
import os
import queue
import shutil
import subprocess
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.support.fleet import ROOT
from tests.support.processes import kill_group, spawn_pipes, tail
from tests.support.servers import missing

_SOURCE: Final = Path(__file__).parent / "client"
_CACHE: Final = ROOT / ".venv" / ".cache" / "interop"
_SECONDS: Final = 25.0
UNDEFINED: Final = {"$undefined": True}


@dataclass
class ClientError(Exception):
    """An error of the client, with the fields that users see."""

    name: str = "?"
    message: str = "?"
    status: int | None = None
    code: str | None = None
    body: Any = None
    phase: str | None = None
    isRateLimited: bool | None = None  # noqa: N815 - as the client names it
    cause: Any = field(default=None)
    __hash__ = Exception.__hash__

    def __str__(self) -> str:
        return f"{self.name} {self.status} {self.code}: {self.message} {self.cause or ''}"


def installed() -> Path:
    """Return the folder with the client, installed from npm at the first use. Skips the test where that can't be."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        missing("node")
    lock = _SOURCE / "package-lock.json"
    folder = _CACHE / hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    _CACHE.mkdir(parents=True, exist_ok=True)
    with (_CACHE / "lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not (folder / "installed").exists():
            _install(folder)
        for file in ("driver.mjs", "package.json"):
            shutil.copy(_SOURCE / file, folder / file)
    return folder


def _install(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for file in ("package.json", "package-lock.json"):
        shutil.copy(_SOURCE / file, folder / file)
    command = ["npm", "ci", "--omit=dev", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund"]
    home = {"HOME": os.environ.get("HOME", str(folder))}
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **home}, capture_output=True, text=True, timeout=240, check=False
    )
    if done.returncode != 0:
        missing(f"@trigger.dev/sdk (npm: {done.stderr[-500:]})")
    (folder / "installed").touch()


class OfficialClient:
    """One Node process. Calls may overlap."""

    def __init__(self, url: str, key: str, log: Path) -> None:
        self.url, self.key = url, key
        self._log = log
        self._calls: dict[int, Future[Any]] = {}
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        folder = installed()
        env = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(folder),
            "TRIGGER_API_URL": url,
            "TRIGGER_SECRET_KEY": key,
        }
        with log.open("wb") as output:
            self._process = spawn_pipes(["node", "driver.mjs"], env=env, cwd=folder, output=output)
        threading.Thread(target=self._read, name="official-client", daemon=True).start()

    def begin(self, call: str, *args: Any, key: str | None = None, **how: Any) -> "Future[Any]":
        """Call a function of the client. Options of the driver: ``take``, ``until``, ``all``, ``pages``, ``member``."""
        number = len(self._calls)
        future: Future[Any] = Future()
        self._calls[number] = future
        request = {"id": number, "call": call, "args": args, "as": {"key": key or self.key, "url": self.url}, **how}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        return future

    def call(self, call: str, *args: Any, key: str | None = None, **how: Any) -> Any:
        """Return the result of a call.

        Raises:
            ClientError: The client threw.
        """
        try:
            return self.begin(call, *args, key=key, **how).result(_SECONDS)
        except TimeoutError:
            raise AssertionError(f"{call} has not ended; the client's log:\n{tail(self._log)}") from None

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        kill_group(self._process)
        self._process.stdin.close()
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = json.loads(line)
            future = self._calls[told["id"]]
            if "error" in told:
                future.set_exception(ClientError(**told["error"]))
            else:
                future.set_result(told["ok"])
