"""A forked process is the process that an interpreter of its own would be, without the time of its imports."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.fork_server import ROOT, ForkedProcess, ForkServer
from tests.support.processes import group_is_alive, is_alive, kill_group, spawn, stop_group
from tests.support.waiting import wait_until

FACTS = """
import json, os, signal, sys, threading
print(json.dumps({
    "arguments": sys.argv[1:],
    "module": sys.modules["__main__"].__spec__.name,
    "path": sys.path,
    "environment": sorted(os.environ.items()),
    "folder": os.getcwd(),
    "leads its group and session": (os.getpgid(0), os.getsid(0)) == (os.getpid(), os.getpid()),
    "open files": {fd: os.readlink(f"/proc/self/fd/{fd}") for fd in sorted(os.listdir("/proc/self/fd"), key=int)[:-1]},
    "signals": {number.name: str(signal.getsignal(number)) for number in signal.valid_signals() if number < 32},
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    "threads": [thread.name for thread in threading.enumerate()],
    "streams": [(stream.encoding, stream.errors, stream.line_buffering) for stream in (sys.stdout, sys.stderr)],
}, default=str))
sys.stdout.flush()
"""
MAIN = """
import json, os, sys
import __main__
shown = {"arguments": sys.argv, "path": sys.path, "folder": os.getcwd(), "file": globals().get("__file__")}
print(json.dumps({**shown, "name": __name__, "is main": __main__.shown is shown, "words": sys.orig_argv[1:]}))
sys.exit(3)
"""
SERVER = ForkServer("json")
ENV = {"PATH": os.defpath, "PYTHONPATH": str(ROOT), "OWN": "value"}


def forked(code: str, log: Path) -> ForkedProcess:
    """Execute code in a fork: ``timeit`` is a module that does so."""
    with log.open("wb") as output:
        return SERVER.fork(["-m", "timeit", "-n1", "-r1", code], env=ENV, cwd=log.parent, output=output)


def test_a_fork_differs_from_a_start_by_its_time_only(tmp_path: Path) -> None:
    """Its arguments, environment, folder, files, signals and streams are those that the caller names."""
    log = tmp_path / "log"
    other = forked("import time; time.sleep(60)", tmp_path / "other")
    assert forked(FACTS, log).wait(20) == 0
    kill_group(other)
    fork = log.read_text().splitlines()[0]
    argv = [sys.executable, "-m", "timeit", "-n1", "-r1", FACTS]
    with log.open("wb") as output:
        assert spawn(argv, env=ENV, cwd=tmp_path, output=output).wait(20) == 0
    start = log.read_text().splitlines()[0]
    assert json.loads(fork) == json.loads(start)


@pytest.mark.parametrize("words", [("-c", MAIN), ("folder/program.py",)], ids=["code", "file"])
def test_a_fork_runs_code_and_files(tmp_path: Path, words: tuple[str, ...]) -> None:
    """As `python -c` and `python FILE` do, whose `__main__` is theirs alone."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "program.py").write_text(MAIN)
    words = (*words, "first", "second")
    with (tmp_path / "fork").open("wb") as output:
        assert SERVER.fork(words, env=ENV, cwd=tmp_path, output=output).wait(20) == 3
    with (tmp_path / "start").open("wb") as output:
        assert spawn([sys.executable, *words], env=ENV, cwd=tmp_path, output=output).wait(20) == 3
    assert json.loads((tmp_path / "fork").read_text()) == json.loads((tmp_path / "start").read_text())


@pytest.mark.parametrize(
    "code, exit_code",
    [
        ("pass", 0),
        ("import os; os._exit(4)", 4),
        ("raise ValueError", 1),
        ("import os; os.abort()", -6),
    ],
)
def test_the_exit_code_is_that_of_the_process(tmp_path: Path, code: str, exit_code: int) -> None:
    """A negative one is the signal that ended it, as with ``subprocess``."""
    process = forked(code, tmp_path / "log")
    assert process.wait(20) == process.poll() == process.returncode == exit_code
    wait_until(lambda: not is_alive(process.pid), "the process to be gone")


def test_errors_go_to_their_own_file_when_there_is_one(tmp_path: Path) -> None:
    """Otherwise they are in the output, as a node's are in its log."""
    code = "import sys; print('out'); print('error', file=sys.stderr)"
    with (tmp_path / "output").open("wb") as output, (tmp_path / "errors").open("wb") as errors:
        argv = ["-m", "timeit", "-n1", "-r1", code]
        assert SERVER.fork(argv, env=ENV, cwd=tmp_path, output=output, errors=errors).wait(20) == 0
    assert (tmp_path / "errors").read_text() == "error\n"
    assert "error" not in (tmp_path / "output").read_text()
    assert forked(code, tmp_path / "log").wait(20) == 0
    assert {"out", "error"} <= {*(tmp_path / "log").read_text().splitlines()}


def test_a_fork_runs_until_it_is_stopped(tmp_path: Path) -> None:
    """It answers signals as any process does, and its whole group can be killed."""
    process = forked("import time; print(flush=True); time.sleep(60)", tmp_path / "log")
    assert process.poll() is process.returncode is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    assert stop_group(process) == -signal.SIGTERM
    code = "import subprocess; subprocess.run(['sleep', '60'])"
    process = forked(code, tmp_path / "log")
    kill_group(process)
    wait_until(lambda: not group_is_alive(process.pid), "the group to be gone")
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    "env, can_fork",
    [
        (ENV, True),
        (ENV | {"PYTHONPATH": "/elsewhere"}, False),
        (ENV | {"PYTHONUNBUFFERED": "1"}, False),
        (ENV | {"LD_PRELOAD": "libfaketime.so.1"}, False),
        (ENV | {"TZ": "Asia/Tokyo"}, False),
        ({"PATH": os.defpath}, False),
    ],
    ids=str,
)
def test_what_an_interpreter_reads_at_its_start_needs_one(env: dict[str, str], can_fork: bool) -> None:
    """A fork would have the values of its server."""
    assert SERVER.can_fork(env) is can_fork


def test_forks_die_with_pytest_however_it_ends(tmp_path: Path) -> None:
    """The reaper kills them, and the server ends when nobody can ask it for a fork."""
    code = (
        "import os, pathlib, signal, sys; from tests.support.fork_server import ForkServer\n"
        "server = ForkServer('json'); log = open(os.devnull, 'wb')\n"
        "env = {'PYTHONPATH': os.environ['PYTHONPATH']}\n"
        "fork = server.fork(['-c', 'import time; time.sleep(60)'], env=env, cwd=pathlib.Path.cwd(), output=log)\n"
        "parent = pathlib.Path(f'/proc/{fork.pid}/stat').read_text().split()[3]\n"
        "print(fork.pid, parent, flush=True); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env=ENV, cwd=tmp_path, stdout=subprocess.PIPE, timeout=20)
    fork, server = map(int, done.stdout.split())
    wait_until(lambda: not is_alive(fork) and not is_alive(server), "the fork and its server to be gone")
