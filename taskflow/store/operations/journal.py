"""The operations of durable runs: their journal, and unloading their code from its node."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import to_json

from taskflow.errors import NotResumableError, RunNotFoundError, StaleClaimError
from taskflow.models import RunError, RunStatus
from taskflow.store.operations.encoding import error_json
from taskflow.store.operations.operation import Operation
from taskflow.store.operations.version_names import version_name


@dataclass(frozen=True, slots=True)
class StoredJournal:
    """The journal of a run: entries by key, and the JSON items of the waits that are done."""

    entries: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    values: Mapping[str, Sequence[bytes]] = field(default_factory=dict[str, Sequence[bytes]])


def entries_json(entries: Mapping[str, bytes]) -> bytes | str:
    """Return journal entries as scripts take them."""
    return to_json({key: entry.decode() for key, entry in entries.items()}) if entries else ""


def write_journal(run_id: str, claim: int, entries: Mapping[str, bytes]) -> Operation[int]:
    """Write entries of a run's journal.

    Raises (when read):
        StaleClaimError: The claim has ended.
    """

    def read(code: int, value: Any) -> int:
        if code == 0:
            raise StaleClaimError(run_id, claim, value.decode())
        return int(value)

    return Operation("write_journal", (run_id, claim, entries_json(entries)), read)


def read_journal(run_id: str) -> Operation[StoredJournal]:
    """Read the whole journal of a run."""

    def read(_: int, value: Any) -> StoredJournal:
        flat, done = value
        entries = {flat[index].decode(): flat[index + 1] for index in range(0, len(flat), 2)}
        return StoredJournal(entries, {name.decode(): tuple(values) for name, values in done})

    return Operation("read_journal", (run_id,), read)


def plant_journal(run_id: str, journal: StoredJournal) -> Operation[int]:
    """Give a run that is about to be made a journal. It expires after 10 minutes unless the run is made."""
    done = to_json({name: [value.decode() for value in values] for name, values in journal.values.items()})
    args = (run_id, entries_json(journal.entries) or "{}", done)
    return Operation("plant_journal", args, lambda _, value: int(value))


def cut_journal(run_id: str, dropped: Sequence[str]) -> Operation[RunStatus]:
    """Let a run that waits for other code go on without some of its calls.

    Raises (when read):
        RunNotFoundError: No such run.
        NotResumableError: It does not wait for other code.
    """

    def read(code: int, value: bytes) -> RunStatus:
        if value == b"MISSING":
            raise RunNotFoundError(run_id)
        if code == 0:
            raise NotResumableError(run_id, value.decode())
        return RunStatus(value.decode())

    return Operation("cut_journal", (run_id, os.urandom(8).hex(), *dropped), read)


def suspend_run(run_id: str, claim: int) -> Operation[bool]:
    """Begin to unload a run whose code can only wait. Reads as whether the node is to drop the code now."""
    return Operation("suspend_run", (run_id, claim), lambda code, _: code == 1)


def await_code(
    run_id: str, claim: int, *, misfit: str, made_by: str, refused_by: str, version: str, error: RunError
) -> Operation[RunStatus]:
    """End an attempt whose code does not fit the run's journal: the run waits for a node that has other code.

    Args:
        misfit: The facts for people, JSON.
        made_by: The code that made the journal.
        refused_by: The code of this attempt. The run is not given to it again.
        version: The version of ``made_by``, "" for none, or when the refusing code has the same.

    Raises (when read):
        StaleClaimError: The run has ended meanwhile, or the claim has ended.
    """

    def read(code: int, value: bytes) -> RunStatus:
        if code == 0:
            raise StaleClaimError(run_id, claim, value.decode())
        return RunStatus(value.decode())

    prefers = version_name(version) if version else ""
    return Operation("await_code", (run_id, claim, misfit, made_by, refused_by, prefers, error_json(error)), read)


def unload_run(run_id: str, claim: int) -> Operation[RunStatus]:
    """Record that a run's code was unloaded: the run waits without a process.

    Raises (when read):
        StaleClaimError: The run has ended meanwhile, or the claim has ended.
    """

    def read(code: int, value: bytes) -> RunStatus:
        if code == 0:
            raise StaleClaimError(run_id, claim, value.decode())
        return RunStatus(value.decode())

    return Operation("unload_run", (run_id, claim), read)
