"""A real ``taskflow server`` in a process of its own, for the tests that talk HTTP to it."""

import os
import socket
from collections.abc import Mapping
from pathlib import Path

from tests.support.commands import start_command
from tests.support.fleet import Fleet
from tests.support.processes import Process, kill_group, stop_group, tail
from tests.support.servers import HOST, free_port
from tests.support.waiting import wait_until


class ApiServer:
    """The server of a fleet's environment."""

    def __init__(self, fleet: Fleet, *, port: int | None = None, **env: str) -> None:
        self.fleet, self.port, self.log = fleet, port or free_port(), fleet.folder / "server.log"
        self._env: Mapping[str, str] = env
        self.process: Process | None = None

    @property
    def url(self) -> str:
        """The address, without a path."""
        return f"http://{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        """The process id."""
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        """Start the process and wait until it takes connections."""
        env = self.fleet.env(**self._env)
        with self.log.open("ab") as output:
            self.process = start_command(
                "server", "--port", str(self.port), env=env, output=output, forks=self.fleet.forks
            )
        wait_until(self._is_up, f"the server to listen; its log: {self.log}", timeout=30)

    def stop(self) -> int:
        """Send SIGTERM. Returns the exit code."""
        assert self.process is not None
        process, self.process = self.process, None
        return stop_group(process)

    def close(self) -> None:
        """Kill the process."""
        if self.process is not None:
            kill_group(self.process)
            self.process = None

    def new_key(self, name: str = "test", *, is_read_only: bool = False) -> str:
        """Return a new API key of the environment."""
        return self.fleet.flow.engine.api_keys.create(name, is_read_only=is_read_only)[1]

    def _is_up(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the server ended at its start:\n{tail(self.log)}"
        with socket.socket() as probe:
            return probe.connect_ex((HOST, self.port)) == 0


def modules_env(*modules: str) -> dict[str, str]:
    """Return the variable that names the modules of tasks."""
    return {"TASKFLOW_TASKS": ",".join(modules)}


def has_program(name: str) -> bool:
    """Whether a program is on PATH."""
    return any((Path(folder) / name).exists() for folder in os.environ.get("PATH", os.defpath).split(os.pathsep))
