"""The server of a session, with a program that only reports: which one serves after code that can't be loaded."""

import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.text import Text

from taskflow.dev.process import ProcessEvent
from taskflow.dev.server import DevServer
from taskflow.dev.terminal import Terminal
from taskflow.worker.launch.signal_queue import SignalQueue
from tests.support.fork_server import ROOT


def test_a_server_that_ends_at_its_start_says_whether_another_one_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code may be edited between the start of its workers and that of its server."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    lines: list[str] = []
    events: SignalQueue[ProcessEvent] = SignalQueue()

    def write(line: Text) -> None:
        lines.append(line.plain)

    def note_link(_: str) -> None:
        lines.append("link")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        terminal = Terminal(write)
        server = DevServer("tests.projects.reporting_server", None, listener, events.put, terminal, note_link)

        def until(condition: Callable[[], object]) -> None:
            deadline = time.monotonic() + 25
            while not condition():
                assert time.monotonic() < deadline, lines
                event = events.get(0.1)
                if event is not None and not isinstance(event, signal.Signals):
                    server.handle(event)

        Path("CODE").write_text("refused")
        server.renew()
        until(lambda: "code 1. The next edit that can be served starts it again." in "".join(lines))
        Path("CODE").write_text("good")
        server.renew()
        until(lambda: "link" in lines)
        Path("CODE").write_text("refused")
        server.renew()
        until(lambda: "code 1. The one with the code before this edit keeps serving." in "".join(lines))
        (serving,) = server.processes
        assert serving.exitcode is None
        server.stop(signal.SIGTERM)
        until(lambda: not server.processes)
