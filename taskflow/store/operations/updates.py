"""The operations by which a run changes its metadata, tags and log lines."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from taskflow.definition.calls.trigger_options import LARGEST_METADATA, MOST_TAGS
from taskflow.errors import MetadataTooLargeError, RunNotFoundError, RunUpdateError, StaleClaimError
from taskflow.errors.base import shown
from taskflow.store.operations.operation import Operation

MetadataChange = tuple[str, Sequence[str], str]
"""Kind, path of names, value as JSON text. Kinds: set, delete, append, remove, increment, replace (with no path)."""


@dataclass(frozen=True, slots=True)
class StoredMetadata:
    """The metadata of a run after an update. ``misfits``: ignored changes, for example an increment of a text."""

    document: bytes
    misfits: int = 0


def update_metadata(
    run_id: str,
    claim: int | None,
    changes: Sequence[MetadataChange],
    *,
    writer: str,
    number: int,
    is_strict: bool = False,
) -> Operation[StoredMetadata | None]:
    """Change a run's metadata; changes of many writers compose. Reads as None if another run wrote to an ended one.

    Args:
        claim: The run's own claim, None when another run writes.
        writer: The id of the writing process. A repeated ``number`` of a writer changes nothing for an hour.
        is_strict: Change nothing when one of the changes does not fit.

    Raises (when read):
        RunNotFoundError: No such run.
        StaleClaimError: The run's own claim has ended.
        MetadataTooLargeError: It would be larger than 256 KB; nothing was changed.
        RunUpdateError: With ``is_strict``: a change does not fit.
    """

    def read(code: int, value: Any) -> StoredMetadata | None:
        if code == 1:
            return StoredMetadata(value[0], int(value[1]))
        if code == 2:
            raise MetadataTooLargeError(int(value), LARGEST_METADATA, run_id)
        if code == 3:
            raise _misfit(run_id, changes[int(value)])
        if value == b"MISSING":
            raise RunNotFoundError(run_id)
        if claim is None:
            return None
        raise StaleClaimError(run_id, claim, value.decode())

    args = (run_id, claim or "", json.dumps(changes), LARGEST_METADATA, writer, number, "1" if is_strict else "")
    return Operation("update_metadata", args, read)


def _misfit(run_id: str, change: MetadataChange) -> RunUpdateError:
    kind, path, _ = change
    what = f"The metadata of run {run_id} take no {kind} of {shown('.'.join(path))}"
    return RunUpdateError(
        what,
        "What is there is no number, no list, or no object on the path's way, or the sum is no number. Set it first.",
    )


def add_tags(run_id: str, claim: int | None, tags: Sequence[str], *, is_all: bool = False) -> Operation[int]:
    """Add tags, up to 10 in all. Reads as how many were ignored.

    Args:
        is_all: Add none if there would be more than 10. Reads as how many are new.

    Raises (when read):
        RunNotFoundError: No such run.
        StaleClaimError: The claim has ended.
        RunUpdateError: With ``is_all``: there would be more than 10.
    """

    def read(code: int, value: Any) -> int:
        if code == 1:
            return int(value)
        if code == 2:
            raise RunUpdateError(
                f"Run {run_id} would have {MOST_TAGS + int(value)} tags, and a run has at most {MOST_TAGS}",
                "Add fewer; none was added.",
            )
        if value == b"MISSING":
            raise RunNotFoundError(run_id)
        raise StaleClaimError(run_id, claim or 0, value.decode())

    return Operation("add_tags", (run_id, claim or "", json.dumps(list(tags)), MOST_TAGS, "1" if is_all else ""), read)


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
