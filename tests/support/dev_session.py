"""A project in a folder and the ``taskflow dev`` in it, as a process of its own."""

import contextlib
import os
import re
import signal
from collections.abc import Generator
from pathlib import Path

import psutil

from taskflow import RunHandle, Settings, TaskFlow, tasks
from taskflow.embedded import stop_store
from tests.support.commands import start_command
from tests.support.fork_server import ROOT
from tests.support.processes import Process, kill_group
from tests.support.waiting import wait_until

TASKS = '''
import os
import time
from pathlib import Path

from taskflow import Context, task

CODE = "{code}"


def note(*words: object) -> None:
    """Append a line to the ledger, in one write."""
    with open(Path(__file__).with_name("ledger"), "ab", buffering=0) as ledger:
        ledger.write((" ".join(map(str, words)) + "\\n").encode())


@task(id="dev-work")
def work(seconds: float, ctx: Context) -> str:
    note("begin", ctx.run.id, ctx.attempt.number, os.getpid())
    print("works with", CODE)
    time.sleep(seconds)
    note("end", ctx.run.id, ctx.attempt.number, os.getpid())
    return CODE
{more}
'''
"""A module of tasks: ``TASKS.format(code=..., more=...)``."""


class DevProject:
    """A project with the module ``jobs`` and the embedded store. ``flow`` triggers its runs."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home, self.log = folder, folder / ".taskflow", folder / "dev.log"
        folder.mkdir(parents=True)
        (folder / "pyproject.toml").write_text('[tool.taskflow]\ntasks = ["jobs"]\n')
        self.edit("first")
        self._process: Process | None = None
        self._flow: TaskFlow | None = None

    @property
    def flow(self) -> TaskFlow:
        """An app without tasks, on the project's store."""
        if self._flow is None:
            self._flow = TaskFlow(Settings.read(home=self.home, tasks=(), environment="dev"))
        return self._flow

    def disconnect(self) -> None:
        """Close the app's connections, so that the store has no other users than the session."""
        if self._flow is not None:
            self._flow.close()
            self._flow = None

    def edit(self, code: str, more: str = "") -> None:
        """Write the module of tasks, whose runs return ``code`` then."""
        self.write("jobs.py", TASKS.format(code=code, more=more))

    def write(self, name: str, text: str, time_ns: int | None = None) -> None:
        """Write a file in one step, as editors do; it has the current time unless another is given."""
        unfinished = self.folder / f"{name}.unfinished"
        unfinished.write_text(text)
        if time_ns is not None:
            os.utime(unfinished, ns=(time_ns, time_ns))
        unfinished.replace(self.folder / name)

    def ledger(self) -> list[list[str]]:
        """Return the words of each line that the runs have noted."""
        file = self.folder / "ledger"
        return [line.split() for line in file.read_text().splitlines()] if file.exists() else []

    def work(self, seconds: float = 0.0) -> RunHandle[object]:
        """Trigger a run that takes so long. On the current app, which is to be ``flow``."""
        return tasks.trigger("dev-work", seconds)

    def start(self, *words: str, **env: str) -> None:
        """Start the session, and wait until it takes runs."""
        variables = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.folder),
            "PYTHONPATH": str(ROOT),
            **env,
        }
        with self.log.open("ab") as output:
            self._process = start_command(
                "dev", "--concurrency", "2", *words, env=variables, cwd=self.folder, output=output
            )
        self.wait_for("Ready: ")

    @property
    def process(self) -> Process:
        """The process of the terminal."""
        assert self._process is not None
        return self._process

    def text(self) -> str:
        """Return what the session has printed."""
        return self.log.read_text()

    def wait_for(self, text: str, times: int = 1) -> str:
        """Wait until the session has printed a text so many times, and return all of its output."""

        def printed() -> str:
            shown = self.text()
            return shown if shown.count(text) >= times else ""

        return wait_until(printed, f"{text!r} in {self.log}:\n{self.text()}", timeout=60)

    def link(self) -> str:
        """Return the newest link that signs in."""
        found: list[str] = re.findall(r"http://\S+/signin/link\?key=\S+", self.wait_for("/signin/link?key="))
        return found[-1]

    def processes(self) -> list[psutil.Process]:
        """Return all processes that the session has started, without the store's."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def interrupt(self) -> None:
        """Send what Ctrl-C sends."""
        self.process.send_signal(signal.SIGINT)

    def close(self) -> None:
        """End everything that is left."""
        if self._process is not None and self._process.poll() is None:
            left = self.processes()
            kill_group(self._process)
            for process in left:
                with contextlib.suppress(psutil.Error):
                    process.kill()
        self.disconnect()
        stop_store(self.home)


@contextlib.contextmanager
def dev_project(folder: Path) -> Generator[DevProject]:
    """Make a project, and end what it leaves."""
    project = DevProject(folder)
    try:
        yield project
    finally:
        project.close()
