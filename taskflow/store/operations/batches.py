"""The operations on many runs: batches, statuses, searches."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from taskflow.definition.calls.run_filter import RunFilter
from taskflow.errors import BatchNotFoundError, RunNotFoundError
from taskflow.models import BatchError, Run, RunStatus
from taskflow.store.operations import records
from taskflow.store.operations.encoding import first_millisecond, instant, pairs
from taskflow.store.operations.making import NewRun, trigger_run
from taskflow.store.operations.operation import Operation

RUNS_A_SCRIPT: Final = 50
"""The most runs that one script makes: it holds the store for some 2 ms."""
STATUSES_A_SCRIPT: Final = 500
_NO_RUN: Final = "-"


def trigger_runs(news: Sequence[NewRun]) -> Operation[list[tuple[str, bool]]]:
    """Make up to ``RUNS_A_SCRIPT`` runs of one shard. Reads as each one's (run id, whether this call made it)."""
    arguments = [trigger_run(new).args for new in news]

    def read(_: int, value: Any) -> list[tuple[str, bool]]:
        return [(run_id.decode(), code == 1) for code, run_id in value]

    flat = (len(arguments[0]), *(argument for each in arguments for argument in each))
    return Operation("trigger_runs", flat, read, news[0].id, needs_replicas=True)


def write_batch(
    batch_id: str,
    index: int,
    run_ids: Sequence[str | None],
    errors: Sequence[BatchError] = (),
    *,
    count: int | None = None,
    key: str = "",
) -> Operation[bool]:
    """Write the runs of the items from ``index`` on; None for an item without run. ``count`` closes the batch."""
    ids = " ".join(run_id or _NO_RUN for run_id in run_ids)
    failures = [[error.index, error.task_id, error.type, error.message] for error in errors]
    document = json.dumps(failures) if failures else ""
    args = (batch_id, index, ids, document, "" if count is None else count, key)
    return Operation("write_batch", args, lambda code, _: code == 1, needs_replicas=True)


def open_batch(batch_id: str, expected: int, key: str = "", key_text: str = "") -> Operation[tuple[int, bool]]:
    """Make the record of a batch whose items come later. Reads as how many it is to have, and whether all are there.

    Args:
        key: The idempotency key as people see it.
        key_text: The text from which the idempotency keys of its items follow.
    """
    args = (batch_id, expected, key, key_text)
    return Operation("open_batch", args, lambda code, value: (int(value), code == 2), needs_replicas=True)


@dataclass(frozen=True, slots=True)
class StoredBatch:
    """A batch's record.

    Attributes:
        run_ids: By item; None for one without run.
        count: The number of its items, None while it is being written.
        expected: The number of items that are announced; None for a batch that was not announced.
        key_text: The text from which the idempotency keys of its items follow.
        now: The store's time. ``now - written_at`` is the age of the last part.
    """

    created_at: datetime
    written_at: datetime
    now: datetime
    run_ids: tuple[str | None, ...]
    errors: tuple[BatchError, ...]
    count: int | None
    key: str | None
    expected: int | None = None
    key_text: str | None = None


def read_batch(batch_id: str) -> Operation[StoredBatch]:
    """Read a batch's record.

    Raises (when read):
        BatchNotFoundError: No such batch.
    """

    def read(code: int, value: Any) -> StoredBatch:
        if code == 0:
            raise BatchNotFoundError(batch_id)
        return _stored_batch(value[0], pairs(value[1:]))

    return Operation("read_batch", (batch_id,), read)


def _stored_batch(now: bytes, fields: Mapping[str, bytes]) -> StoredBatch:
    count = int(fields["count"]) if "count" in fields else None
    run_ids: dict[int, str | None] = {}
    for index, value in _parts("runs:", fields):
        ids = value.decode().split(" ")
        run_ids |= {index + offset: None if each == _NO_RUN else each for offset, each in enumerate(ids)}
    errors = [BatchError(*error) for _, value in _parts("errors:", fields) for error in json.loads(value)]
    length = max(run_ids, default=-1) + 1 if count is None else count
    return StoredBatch(
        created_at=instant(fields["created"]),
        written_at=instant(fields["written"]),
        now=instant(now),
        run_ids=tuple(run_ids.get(index) for index in range(length)),
        errors=tuple(error for error in errors if error.index < length),
        count=count,
        key=fields["key"].decode() if "key" in fields else None,
        expected=int(fields["expected"]) if "expected" in fields else None,
        key_text=fields["key_text"].decode() if "key_text" in fields else None,
    )


def _parts(prefix: str, fields: Mapping[str, bytes]) -> list[tuple[int, bytes]]:
    return sorted((int(name.removeprefix(prefix)), fields[name]) for name in fields if name.startswith(prefix))


def read_statuses(run_ids: Sequence[str]) -> Operation[list[RunStatus | None]]:
    """Read the statuses of up to ``STATUSES_A_SCRIPT`` runs of one shard; None for a run that is unknown."""

    def read(_: int, value: Any) -> list[RunStatus | None]:
        return [RunStatus(status.decode()) if status else None for status in value]

    return Operation("read_statuses", tuple(run_ids), read)


def watch_run(run_id: str) -> Operation[tuple[str, Run]]:
    """Read a run's record and the id of the newest event that it shows.

    Raises (when read):
        RunNotFoundError: No such run.
    """

    def read(code: int, value: Any) -> tuple[str, Run]:
        if code == 0:
            raise RunNotFoundError(run_id)
        return value[0].decode(), records.run(run_id, pairs(value[1:]))

    return Operation("watch_run", (run_id,), read)


def find_runs(index: str, cursor: str, count: int, where: RunFilter) -> Operation[tuple[str, list[Run]]]:
    """Look at about ``count`` runs of ":live" or ":finished". Reads as the next cursor ("0": the end) and candidates.

    The script checks the conditions that exclude most runs. The caller checks the others.
    """
    since = where.created_from
    wanted = {
        "statuses": [status.value for status in where.statuses],
        "tasks": where.tasks,
        "tags": where.tags,
        "queue": where.queue,
        "id_end": where.id_end,
        "since": None if since is None else first_millisecond(since),
    }

    def read(_: int, value: Any) -> tuple[str, list[Run]]:
        candidates = [records.run(fields[0].decode(), pairs(fields[1:])) for fields in value[1]]
        return value[0].decode(), candidates

    args = (index, cursor, count, json.dumps({name: value for name, value in wanted.items() if value}))
    return Operation("find_runs", args, read)
