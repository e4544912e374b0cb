"""The tests' Django site with databases of its own, its commands and its workers, in processes of their own."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from uuid import uuid4

from taskflow import Settings, TaskFlow
from tests.support.fleet import ROOT
from tests.support.processes import spawn, stop_group, tail
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until

SITE = ROOT / "tests" / "projects" / "django_site"


class DjangoSite:
    """A site in a folder. ``flow`` reads its environment.

    Args:
        python: The interpreter, for another version of Django.
        variables: More environment variables.
    """

    def __init__(
        self, folder: Path, valkey: RedisServer, *, python: str = sys.executable, site: Path = SITE, **variables: str
    ) -> None:
        self.folder, self.port, self.python, self.site = folder, valkey.port, python, site
        self.environment = f"t{uuid4().hex[:8]}"
        self.variables = {
            "PATH": f"{Path(python).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT),
            "SITE_FOLDER": str(folder),
            "TASKFLOW_REDIS_URL": valkey.url,
            "TASKFLOW_ENVIRONMENT": self.environment,
            "TASKFLOW_HOME": str(folder / "home"),
            "TASKFLOW_DATABASE_URL": "none",
            "SITE_DEBUG": "0",
            **variables,
        }
        self.flow = TaskFlow(
            Settings.read(
                redis_url=valkey.url, environment=self.environment, home=folder / "home", database_url="none", tasks=()
            )
        )
        self._processes: list[subprocess.Popen[bytes]] = []

    def call(
        self, *words: str, timeout: float = 60, check: bool = True, env: Mapping[str, str] = MappingProxyType({})
    ) -> str:
        """Run a Python program of the site to its end and return what it printed."""
        done = subprocess.run(
            [self.python, *words],
            cwd=self.site,
            env={**self.variables, **env},
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert done.returncode == 0 or not check, f"{words} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout if check else f"{done.returncode}\n{done.stdout}\n{done.stderr}"

    def migrate(self) -> None:
        """Make the tables."""
        self.call("manage.py", "migrate", "--run-syncdb", "-v", "0")

    def start(self, name: str, *words: str, **variables: str) -> "subprocess.Popen[bytes]":
        """Start a Python program of the site."""
        with self.log(name).open("wb") as log:
            process = spawn([self.python, *words], cwd=self.site, env={**self.variables, **variables}, output=log)
        self._processes.append(process)
        return process

    def log(self, name: str) -> Path:
        """Return the file with the output of a program."""
        return self.folder / f"{name}.log"

    def start_worker(self, *words: str, nodes: int = 2, **variables: str) -> "subprocess.Popen[bytes]":
        """Run ``taskflow worker`` in the site's folder, and wait until its nodes hold their leases."""
        words = words or ("-m", "taskflow", "worker", "--concurrency", "2")
        worker = self.start("worker", *words, **variables)

        def is_up() -> bool:
            assert worker.poll() is None, f"the worker ended at its start:\n{tail(self.log('worker'))}"
            return len(list(self.flow.engine.nodes.list())) >= nodes

        wait_until(is_up, f"the worker's nodes to be up; its log:\n{tail(self.log('worker'))}", timeout=30)
        return worker

    def rows(self, query: str, database: str = "site.sqlite3") -> list[tuple[object, ...]]:
        """Return the rows of a query of the site's SQLite database."""
        with sqlite3.connect(self.folder / database, timeout=20) as connection:
            found = connection.execute(query).fetchall()
        connection.close()
        return found

    def close(self) -> None:
        """Stop what was started."""
        for process in self._processes:
            stop_group(process)
        self.flow.close()


def report(text: str) -> Mapping[str, object]:
    """Return the JSON that is the last line of a program's output."""
    parsed: Mapping[str, object] = json.loads(text.strip().splitlines()[-1])
    return parsed
