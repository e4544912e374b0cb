"""The tests' Django site with databases of its own, its commands and its workers, in processes of their own."""

import functools
import json
import os
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import IO, ClassVar, Final
from uuid import uuid4

from taskflow import Settings, TaskFlow
from tests.support.fleet import ASYNC_POOL, ROOT, node_arguments
from tests.support.fork_server import ForkServer
from tests.support.processes import Process, kill_group, spawn, stop_group, tail
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until

SITE = ROOT / "tests" / "projects" / "django_site"


_MODULES: Final = (
    "celery.__main__",
    "celery.bin.celery",
    "celery.apps.worker",
    "celery.concurrency.prefork",
    "celery.events.state",
    "taskflow.app",
    "taskflow.cli.main",
    "taskflow.server.app",
    "taskflow.server.serving",
)
"""Modules that processes of sites import without their settings."""
_POOL: Final = {"CELERY_CUSTOM_WORKER_POOL": ASYNC_POOL}


_DJANGO: Final = (
    "django.contrib.admin.sites",
    "django.core.handlers.asgi",
    "django.core.management.commands.migrate",
    "django.db.backends.sqlite3.base",
    "django.template.backends.django",
    "taskflow.contrib.django.transactions",
    "uvicorn.main",
)
_OTHERS: Final = ("fastapi", "flask.cli", "flask_sqlalchemy", "taskflow.contrib.flask.site", "sqlalchemy.orm")
"""Modules of packages that are installed beside the tests only."""


@functools.cache
def _fork_server(python: str) -> ForkServer:
    return ForkServer(*_MODULES, *_DJANGO, *(_OTHERS if python == sys.executable else ()), python=python, **_POOL)


class DjangoSite:
    """A site in a folder. ``flow`` reads its environment.

    Args:
        python: The interpreter, for another version of Django.
        forks: Whether its processes may be forks (``tests.support.fork_server``).
        variables: More environment variables.
    """

    FLEET: ClassVar[str] = "taskflow.contrib.django.fleet"

    def __init__(
        self,
        folder: Path,
        valkey: RedisServer,
        *,
        python: str = sys.executable,
        site: Path = SITE,
        forks: bool = True,
        **variables: str,
    ) -> None:
        self.folder, self.port, self.python, self.site, self.forks = folder, valkey.port, python, site, forks
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
        self._processes: list[Process] = []

    def call(
        self, *words: str, timeout: float = 60, check: bool = True, env: Mapping[str, str] = MappingProxyType({})
    ) -> str:
        """Run a Python program of the site to its end and return what it printed."""
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            process = self._begin(words, {**self.variables, **env}, output, errors)
            try:
                code = process.wait(timeout)
            finally:
                kill_group(process)
            printed, told = (file.read().decode() for file in (output, errors) if not file.seek(0))
        assert code == 0 or not check, f"{words} ended with {code}:\n{printed}\n{told}"
        return printed if check else f"{code}\n{printed}\n{told}"

    def migrate(self) -> Path:
        """Make the tables. Returns the file of the default database."""
        self.call("manage.py", "migrate", "--run-syncdb", "-v", "0")
        return self.folder / "site.sqlite3"

    def start(self, name: str, *words: str, **variables: str) -> Process:
        """Start a Python program of the site."""
        with self.log(name).open("wb") as log:
            process = self._begin(words, {**self.variables, **variables}, log)
        self._processes.append(process)
        return process

    def _begin(
        self, words: tuple[str, ...], env: Mapping[str, str], output: IO[bytes], errors: IO[bytes] | None = None
    ) -> Process:
        server = _fork_server(self.python)
        if self.forks and server.can_fork({**env, **_POOL}):
            return server.fork(words, env={**env, **_POOL}, cwd=self.site, output=output, errors=errors)
        return spawn([self.python, *words], cwd=self.site, env=env, output=output, errors=errors)

    def log(self, name: str) -> Path:
        """Return the file with the output of a program."""
        return self.folder / f"{name}.log"

    def start_node(self, executor: str = "process", *, concurrency: int = 2) -> Process:
        """Start one of the nodes that ``taskflow worker`` starts in the site's folder, and wait for its lease."""
        arguments = node_arguments(
            self.FLEET, executor, f"{self.environment}.small-1x.{executor}", executor, concurrency
        )
        node = self.start(executor, "-m", "taskflow.worker.launch.node_program", *arguments)
        self._wait_for(executor, node, lambda nodes: any(each.startswith(f"{executor}@") for each in nodes))
        return node

    def start_worker(self, *words: str, nodes: int = 2, **variables: str) -> Process:
        """Run ``taskflow worker`` in the site's folder, and wait until its nodes hold their leases."""
        words = words or ("-m", "taskflow", "worker", "--concurrency", "2")
        worker = self.start("worker", *words, **variables)
        self._wait_for("worker", worker, lambda found: len(found) >= nodes)
        return worker

    def _wait_for(self, name: str, process: Process, has: Callable[[Sequence[str]], bool]) -> None:
        def is_up() -> bool:
            assert process.poll() is None, f"{name} ended at its start:\n{tail(self.log(name))}"
            return has(list(self.flow.engine.nodes.list()))

        wait_until(is_up, f"the nodes of {name} to be up; its log: {self.log(name)}", timeout=30)

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
