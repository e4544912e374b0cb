"""``python -m taskflow`` in processes of their own: forks that have imported the command, which takes a second each."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from tests.support.fork_server import ROOT, ForkServer
from tests.support.processes import Process, kill_group, spawn

COMMANDS = ForkServer("taskflow.cli.main", "taskflow.server.app", "taskflow.server.serving")


def start_command(
    *words: str,
    env: Mapping[str, str],
    cwd: Path = ROOT,
    output: "IO[bytes]",
    errors: "IO[bytes] | None" = None,
    forks: bool = True,
) -> Process:
    """Start ``python -m taskflow WORDS...`` as leader of its own group.

    Args:
        errors: The file for stderr, ``output`` when None.
        forks: Whether it may be a fork. Tests of a start, of signals and of ``ps`` want an interpreter.
    """
    if forks and COMMANDS.can_fork(env):
        return COMMANDS.fork(["-m", "taskflow", *words], env=env, cwd=cwd, output=output, errors=errors)
    return spawn([sys.executable, "-m", "taskflow", *words], env=env, cwd=cwd, output=output, errors=errors)


def plain_environment(**more: str) -> dict[str, str]:
    """Return the variables that every command needs, and more, without those of this process."""
    return {"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": str(ROOT), **more}


def run_command(
    *words: str, env: Mapping[str, str], cwd: Path = ROOT, timeout: float = 30
) -> "subprocess.CompletedProcess[str]":
    """Run ``python -m taskflow WORDS...`` and return its exit code, output and errors.

    Raises:
        subprocess.TimeoutExpired: It was still running after ``timeout`` seconds. It is killed.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = start_command(*words, env=env, cwd=cwd, output=output, errors=errors)
        try:
            code = process.wait(timeout)
        finally:
            kill_group(process)
        texts = [file.read().decode() for file in (output, errors) if not file.seek(0)]
    return subprocess.CompletedProcess(words, code, *texts)
