"""The Valkey of a test session: its data is in memory, and it ends with the process that has started it."""

import os
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote

from taskflow.embedded.program import find_binary
from taskflow.embedded.socket_path import socket_path
from taskflow.errors import EmbeddedStoreError
from taskflow.worker.launch.node_process import die_with

_PATIENCE_S: Final = 20.0
_POLL_S: Final = 0.002


class TestServer:
    """A server of its own, on a unix socket in a folder.

    Raises:
        EmbeddedStoreError: No server program was found, or it did not start.
    """

    __test__ = False

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = socket_path(folder, os.environ)
        path.unlink(missing_ok=True)
        self._address = f"unix://{quote(str(path))}"
        self._path, self._log = path, folder / "store.log"
        options = {"port": "0", "unixsocket": str(path), "unixsocketperm": "700", "dir": str(folder), "save": ""}
        options |= {"appendonly": "no", "maxmemory-policy": "noeviction", "loglevel": "warning"}
        command = [
            str(find_binary(os.environ)),
            *(part for name, value in options.items() for part in (f"--{name}", value)),
        ]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the tests
                preexec_fn=die_with(os.getpid()) if sys.platform == "linux" else None,
            )
        self._await_answer()

    def url(self, database: int = 0) -> str:
        """Return the address of one of its databases. What is in them never meets."""
        return f"{self._address}?db={database}"

    def close(self) -> None:
        """Stop the server."""
        self._process.kill()
        self._process.wait()
        self._path.unlink(missing_ok=True)

    def _await_answer(self) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline and self._process.poll() is None:
            with suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
                connection.connect(str(self._path))
                return
            time.sleep(_POLL_S)
        self.close()
        said = self._log.read_text(errors="replace").strip()[-500:]
        raise EmbeddedStoreError(f"The store for the tests did not start. Its last lines: {said or '(none)'}")
