"""``taskflow flower`` of a fleet's environment, in a process of its own."""

import httpx

from tests.support.commands import start_command
from tests.support.fleet import Fleet
from tests.support.processes import Process, kill_group, stop_group, tail
from tests.support.servers import free_port
from tests.support.waiting import wait_until


class FlowerServer:
    """One Flower, and a client with its credentials.

    Args:
        words: Further words of the command.
        env: More variables of its environment.
    """

    def __init__(self, fleet: Fleet, *words: str, prefix: str = "", auth: tuple[str, str] | None = None, **env: str):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}{prefix}"
        self.log = fleet.folder / f"flower-{self.port}.log"
        with self.log.open("wb") as output:
            self.process: Process = start_command(
                "flower", "--port", str(self.port), *words, env=fleet.env(**env), output=output
            )
        try:
            wait_until(self._answers, f"Flower to answer; its log: {self.log}", timeout=30)
            password = fleet.folder / "flower.password"
            self.auth = auth or ("admin", password.read_text())
        except BaseException:
            kill_group(self.process)
            raise
        self.client = httpx.Client(base_url=self.url, auth=self.auth, timeout=20)

    def __enter__(self) -> "FlowerServer":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        kill_group(self.process)

    def page(self, path: str, expect: int = 200, **query: str) -> str:
        """Return the text of a page, with credentials."""
        answer = self.client.get(path, params=query or None)
        assert answer.status_code == expect, f"{path}: {answer.status_code}\n{answer.text[-2000:]}\n{tail(self.log)}"
        return answer.text

    def stop(self) -> int:
        """Send SIGTERM. Returns the exit code."""
        return stop_group(self.process)

    def output(self) -> str:
        """Return what the process has printed."""
        return self.log.read_text(errors="replace")

    def _answers(self) -> bool:
        assert self.process.poll() is None, f"Flower ended at its start:\n{tail(self.log)}"
        try:
            return httpx.get(f"{self.url}/healthcheck", timeout=2).status_code == 200
        except httpx.TransportError:
            return False
