"""The tutorial as a reader types it: its files in one folder, its commands in their order, with what they print."""

import doctest
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.commands import start_command
from tests.support.fork_server import ROOT
from tests.support.processes import Process, kill_group
from tests.support.servers import free_port
from tests.support.waiting import wait_until

DOCS: Final = ROOT / "docs"
BLOCK: Final = re.compile(r"^([^\n]*)\n```(python|toml|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND: Final = re.compile(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
NOT_RUN: Final = "<!-- not run:"
MADE: Final = re.compile(r"<!-- made: (\S+) -->")
TABLE: Final = re.compile(r"^\[tool\.taskflow\]\n(?:[^\[].*\n)*", re.MULTILINE)
S: Final = 60


def pages() -> list[Path]:
    """Return the pages in the order of the navigation."""
    names = re.findall(r"- (tutorial/\S+)", (ROOT / "mkdocs.yml").read_text())
    return [DOCS / name for name in names]


class Reader:
    """A person with a folder and two terminals."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT)}
        self.dev: Process | None = None

    def type(self, command: str, expected: str) -> None:
        """Execute a command in the folder and compare what it prints."""
        words = shlex.split(command)
        if words == ["taskflow", "dev"]:
            self._start_dev()
        elif "list" in words:  # a reader looks again
            wait_until(lambda: fits(expected, self._output(words)), command, timeout=S, interval=0.5)
        else:
            printed = self._output(words)
            assert fits(expected, printed), f"$ {command}\n{printed}"

    def write(self, text: str) -> None:
        """Write a file, whose name is its first line; of pyproject.toml the table that the page shows."""
        name = re.match(r"# (\S+)\n", text)
        assert name, f"a file begins with its name:\n{text}"
        file = self.folder / name[1]
        if file.suffix == ".toml":
            text = TABLE.sub(text.removeprefix(name[0]), file.read_text())
        file.write_text(text)

    def leave(self) -> None:
        """End everything, the store too."""
        self._end_dev()
        self._output(["taskflow", "store", "stop"])

    def _start_dev(self) -> None:
        """Start what runs until Ctrl-C, and wait until it takes runs. The one before it ends first."""
        self._end_dev()
        log = self.folder / "dev.log"
        with log.open("wb") as output:
            words = ("dev", "--port", str(free_port()))
            self.dev = start_command(*words, env=self.env, cwd=self.folder, output=output, forks=False)
        wait_until(lambda: "Ready" in log.read_text(), f"Ready in {log}", timeout=2 * S)

    def _end_dev(self) -> None:
        """Type Ctrl-C, and wait."""
        if self.dev is not None:
            self.dev.send_signal(signal.SIGINT)
            code = self.dev.wait(2 * S)
            kill_group(self.dev)
            self.dev = None
            assert code == 0, (self.folder / "dev.log").read_text()

    def _output(self, words: list[str]) -> str:
        if words[0] == "taskflow":
            log = self.folder / "command.log"
            with log.open("wb") as output:
                process = start_command(*words[1:], env=self.env, cwd=self.folder, output=output)
            process.wait(2 * S)
            return log.read_text()
        plugins = ["-p", "no:cacheprovider", "-p", "pytest_taskflow"]
        argv = ["-m", "pytest", *plugins, *words[1:]] if words[0] == "pytest" else words[1:]
        env = {**self.env, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        done = subprocess.run(
            [sys.executable, *argv],
            cwd=self.folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=2 * S,
            check=False,
        )
        return done.stdout + done.stderr


def fits(expected: str, printed: str) -> bool:
    """Tell whether a command has printed what the page shows; ``...`` stands for anything."""
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    return not expected or doctest.OutputChecker().check_output(expected, printed, flags)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """A reader in an empty folder."""
    made = Reader(tmp_path)
    yield made
    made.leave()


@pytest.mark.slow
@pytest.mark.timeout(480)
def test_a_reader_gets_from_the_first_page_to_the_last(reader: Reader) -> None:
    """Every block: files are written, commands are executed, and print what the page shows."""
    assert len(pages()) == len([*(DOCS / "tutorial").iterdir()])
    typed = 0
    for page in pages():
        for before, language, text in BLOCK.findall(page.read_text()):
            if before.startswith(NOT_RUN):
                continue
            if language == "console":
                for command, expected in COMMAND.findall(text):
                    reader.type(command, expected)
                    typed += 1
            elif made := MADE.match(before):
                assert text in (reader.folder / made[1]).read_text()
            else:
                reader.write(text)
    assert typed > 15
