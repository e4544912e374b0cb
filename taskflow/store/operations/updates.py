"""The operations by which a run changes its metadata, tags and log lines."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from taskflow.definition.calls.trigger_options import LARGEST_METADATA, MOST_TAGS
from taskflow.errors import RunNotFoundError, RunUpdateError, StaleClaimError
from taskflow.store.operations.operation import Operation

MetadataChange = tuple[str, Sequence[str], str]
"""Kind, path of names, value as JSON text. Kinds: set, delete, append, remove, increment, replace (with no path)."""


@dataclass(frozen=True, slots=True)
class StoredMetadata:
    """The metadata of a run after an update. ``misfits``: ignored changes, for example an increment of a text."""

    document: bytes
    misfits: int = 0


def update_metadata(
    run_id: str, claim: int | None, changes: Sequence[MetadataChange], *, writer: str, number: int
) -> Operation[StoredMetadata | None]:
    """Change a run's metadata; changes of many writers compose. Reads as None if another run wrote to an ended one.

    Args:
        claim: The run's own claim, None when another run writes.
        writer: The id of the writing process. A repeated ``number`` of a writer changes nothing for an hour.

    Raises (when read):
        RunNotFoundError: No such run.
        StaleClaimError: The run's own claim has ended.
        RunUpdateError: It would be larger than 256 KB; nothing was changed.
    """

    def read(code: int, value: Any) -> StoredMetadata | None:
        if code == 1:
            return StoredMetadata(value[0], int(value[1]))
        if code == 2:
            raise RunUpdateError.too_large(run_id, int(value), LARGEST_METADATA)
        if value == b"MISSING":
            raise RunNotFoundError(run_id)
        if claim is None:
            return None
        raise StaleClaimError(run_id, claim, value.decode())

    args = (run_id, claim or "", json.dumps(changes), LARGEST_METADATA, writer, number)
    return Operation("update_metadata", args, read)


def add_tags(run_id: str, claim: int | None, tags: Sequence[str]) -> Operation[int]:
    """Add tags, up to 10 in all. Reads as how many were ignored.

    Raises (when read):
        RunNotFoundError: No such run.
        StaleClaimError: The claim has ended.
    """

    def read(code: int, value: Any) -> int:
        if code == 1:
            return int(value)
        if value == b"MISSING":
            raise RunNotFoundError(run_id)
        raise StaleClaimError(run_id, claim or 0, value.decode())

    return Operation("add_tags", (run_id, claim or "", json.dumps(list(tags)), MOST_TAGS), read)


def append_logs(
    run_id: str, claim: int, lines: Sequence[bytes], *, most: int = 10_000, largest: int = 1_000_000
) -> Operation[int]:
    """Add log lines, each a JSON object without a newline. Reads as how many: 0 under a claim that never was.

    Args:
        most: How many lines of a run are kept, of all its attempts together. One more marks that others were dropped.
        largest: How many bytes of them.

    Raises (when read):
        RunNotFoundError: No such run.
    """

    def read(code: int, value: Any) -> int:
        if value == b"MISSING":
            raise RunNotFoundError(run_id)
        return int(value) if code else 0

    args = (run_id, claim, b"\n".join(lines), most, largest, _truncated(claim, most, largest))
    return Operation("append_logs", args, read)


def _truncated(claim: int, most: int, largest: int) -> str:
    """Return the line that ends a log that is too long. Its number is 0, which no line of an attempt has."""
    kept = f"a run's first {most:,} lines and {largest:,} bytes are kept"
    message = f"Truncated: {kept}. Raise TASKFLOW_LOG_LINES or TASKFLOW_LOG_BYTES."
    line = {"attempt": 0, "claim": claim, "seq": 0, "time": time.time_ns() // 1_000_000}
    return json.dumps(line | {"level": "WARNING", "logger": "taskflow.run", "message": message, "fields": {}})
