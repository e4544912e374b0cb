"""``taskflow server`` as a process of its own, with the tests' webhook tasks."""

import urllib.error
import urllib.request
from pathlib import Path

from tests.support.commands import start_command
from tests.support.fleet import Fleet
from tests.support.processes import Process, kill_group, stop_group, tail
from tests.support.servers import HOST, free_port
from tests.support.waiting import wait_until

TASKS = "tests.projects.webhook_tasks"
SECRETS = {"GITHUB_SECRET": "It's a Secret to Everybody", "STRIPE_SECRET": "whsec_test_secret"}


class ServerProcess:
    """One server of an environment. It keeps its address over a restart."""

    def __init__(self, fleet: Fleet, tasks: str = TASKS) -> None:
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        self._fleet, self._tasks = fleet, tasks
        self.process: Process | None = None

    def env(self) -> dict[str, str]:
        """Return the environment variables of the server and of commands."""
        return {**self._fleet.env(TASKFLOW_TASKS=self._tasks, **SECRETS)}

    @property
    def log(self) -> Path:
        """The server's log."""
        return self._fleet.folder / f"server-{self.port}.log"

    def start(self, *, wait: bool = True) -> None:
        """Start the server, and wait until it answers."""
        with self.log.open("ab") as output:
            self.process = start_command("server", "--port", str(self.port), env=self.env(), output=output)
        if wait:
            wait_until(self.is_up, f"the server to answer; its log: {self.log}", timeout=30)

    def is_up(self) -> bool:
        """Whether the server answers."""
        assert self.process is not None
        assert self.process.poll() is None, f"the server ended:\n{tail(self.log)}"
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=2) as answer:
                return int(answer.status) == 200
        except (urllib.error.URLError, OSError):
            return False

    def kill(self) -> None:
        """``kill -9`` the server."""
        if self.process is not None:
            kill_group(self.process)
            self.process = None

    def stop(self) -> int:
        """Send SIGTERM and return the exit code."""
        assert self.process is not None
        code = stop_group(self.process, 30)
        self.process = None
        return code
