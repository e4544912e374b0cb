"""Errors of the embedded server: each has the end of the server's log and a remedy."""

import re
from pathlib import Path
from shlex import quote as quote_word

from taskflow.embedded.home import DATA, file_of, read_state, size_of
from taskflow.errors import EmbeddedStoreError


def _log_end(home: Path, start: int = 0, lines: int = 10) -> str:
    log = file_of(home, "log")
    try:
        with log.open("rb") as file:
            file.seek(max(start, size_of(log) - 8192))
            end = file.read().decode(errors="replace").splitlines()[-lines:]
    except OSError:
        end = []
    return "\n".join(f"    {line}" for line in end) or "    (its log is empty)"


def disk_full(home: Path) -> EmbeddedStoreError:
    return EmbeddedStoreError(
        f"The embedded store of {home} runs but cannot write its file, so it refuses every change; the disk is "
        f"probably full.\n{_log_end(home)}\nFree some space: it goes on by itself."
    )


def failed(home: Path, binary: Path, log_from: int) -> EmbeddedStoreError:
    log = _log_end(home, log_from)
    remedy = f"The whole log is {file_of(home, 'log')}."
    if "append only file" in log or "AOF" in log:
        remedy = (
            f"Its data in {home / DATA} is damaged. {_repair(home, binary, log)}To start empty, remove that folder."
        )
    return EmbeddedStoreError(f"The embedded store of {home} ({binary}) ended at its start:\n{log}\n{remedy}")


def _repair(home: Path, binary: Path, log: str) -> str:
    """Return the command that cuts a file off where the damage begins.

    The command runs the server's own binary under the name ``valkey-check-aof``, which makes it the checker.
    """
    named = re.search(r"append only file (\S+\.incr\.aof)", log)
    if named is None:
        return ""
    # The log suggests the manifest instead, but Valkey 9.1's checker rejects the base file that 9.1 writes.
    damaged = home / DATA / "appendonlydir" / named[1]
    command = f"exec -a valkey-check-aof {quote_word(str(binary))} --fix {quote_word(str(damaged))}"
    return f"To repair it (what follows the damage is lost): `bash -c {quote_word(command)}`. "


def silent(home: Path) -> EmbeddedStoreError:
    state = read_state(home)
    who = "of unknown process" if state is None else f"(process {state.pid})"
    return EmbeddedStoreError(
        f"The embedded store of {home} {who} holds {file_of(home, 'lock')} but does not answer; it may be stopped or "
        f"overloaded. The end of its log:\n{_log_end(home)}\nEnd that process, or wait, and try again."
    )
