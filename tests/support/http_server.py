"""A real server process for the tests: ``taskflow server`` on a free port, and keys of its environment."""

from collections.abc import Mapping
from pathlib import Path

import httpx

from tests.support.commands import start_command
from tests.support.processes import Process, kill_group, stop_group, tail
from tests.support.servers import free_port
from tests.support.waiting import wait_until


class HttpServer:
    """One ``taskflow server``. Its address stays the same over a restart."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"server-{self.port}.log"
        self._env = env
        self._process: Process | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        with self.log.open("ab") as output:
            self._process = start_command("server", "--port", str(self.port), env=self._env, output=output)
        wait_until(self._answers, f"the server to answer; its log:\n{tail(self.log)}", timeout=30)

    def stop(self) -> None:
        """Send SIGTERM and wait."""
        if self._process is not None:
            stop_group(self._process)
            self._process = None

    def kill(self) -> None:
        """``kill -9``."""
        if self._process is not None:
            kill_group(self._process)
            self._process = None

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"the server ended at its start:\n{tail(self.log)}"
        try:
            return httpx.get(f"{self.url}/healthz", timeout=1).status_code == 200
        except httpx.HTTPError:
            return False
