"""The operation that reads a run together with the facts about why it does not start or go on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from taskflow.errors import RunNotFoundError
from taskflow.models import Run, RunStatus, RunStep, RunWait
from taskflow.seams.journal_entries import JournalEntry
from taskflow.store.operations import records
from taskflow.store.operations.encoding import instant, pairs
from taskflow.store.operations.operation import Operation


@dataclass(frozen=True, slots=True)
class Explained:
    """A run with its steps, waits and live children, the fields of its hash, and facts of other keys."""

    run: Run
    fields: Mapping[str, bytes]
    facts: Mapping[str, str]


def explain_run(run_id: str) -> Operation[Explained]:
    """Read a run's record, steps, waits and live children, and facts about why it does not start or go on.

    Raises (when read):
        RunNotFoundError: No such run.
    """

    def read(code: int, value: Any) -> Explained:
        if code == 0:
            raise RunNotFoundError(run_id)
        record, facts, journal, waits, children = value
        fields = pairs(record)
        run = replace(
            records.run(run_id, fields),
            steps=_steps(pairs(journal)),
            waits=_waits(run_id, pairs(waits), children),
            children={child.decode(): RunStatus(status.decode()) for child, status, _ in sorted(children) if status},
        )
        return Explained(run, fields, {name: text.decode(errors="replace") for name, text in pairs(facts).items()})

    return Operation("explain_run", (run_id,), read)


def explain_runs(run_ids: Sequence[str]) -> Operation[list[Explained]]:
    """Read what keeps runs of a list from starting or going on. Those that have ended are left out.

    The runs have neither payload, output, steps, children nor earlier attempts.
    """
    return Operation("explain_runs", tuple(run_ids), lambda _, value: [read_standing(*row) for row in value])


def read_standing(run_id: bytes, record: Any, facts: Any, waits: Any) -> Explained:
    """Return a run and its facts from a row of ``explain_runs``."""
    fields = pairs(record)
    run = records.run(run_id.decode(), fields)
    if waits:
        run = replace(run, waits=_waits(run.id, pairs(waits), ()))
    return Explained(run, fields, {name: text.decode(errors="replace") for name, text in pairs(facts).items()})


def _steps(entries: Mapping[str, bytes]) -> tuple[RunStep, ...]:
    calls = [item for item in entries.items() if not item[0].startswith("@")]
    return tuple(JournalEntry.read(entry).shown(key) for key, entry in sorted(calls, key=_by_start))


def _by_start(item: tuple[str, bytes]) -> tuple[int, tuple[int, ...]]:
    key, entry = item
    return JournalEntry.read(entry).began or 0, tuple(int(part) for part in key.replace("/", ".").split("."))


def _waits(run_id: str, fields: Mapping[str, bytes], children: Sequence[Sequence[bytes]]) -> tuple[RunWait, ...]:
    """Return the waits that are open, those of the code before those of hooks, by the instant at which they began."""
    names = [name.removesuffix(":left") for name in fields if name.endswith(":left") and int(fields[name]) > 0]
    waits = [_wait(name, fields, _waited_for(f"{run_id}\n{name}\n", children)) for name in names]
    return tuple(sorted(waits, key=lambda wait: wait.since.timestamp() if wait.since else 0))


def _waited_for(waiter: str, children: Sequence[Sequence[bytes]]) -> tuple[str, ...]:
    return tuple(sorted(child.decode() for child, _, own in children if own.decode().startswith(waiter)))


def _wait(name: str, fields: Mapping[str, bytes], run_ids: tuple[str, ...]) -> RunWait:
    items, left = int(fields.get(f"{name}:items", b"1")), int(fields[f"{name}:left"])
    kind, _, what = fields.get(f"{name}:what", b"duration").decode().partition(" ")
    return RunWait(
        kind,
        what,
        items,
        items - left,
        since=instant(fields[f"{name}:since"]) if f"{name}:since" in fields else None,
        until=instant(fields[f"{name}:due"]) if f"{name}:due" in fields else None,
        run_ids=run_ids,
    )
