"""What an executing run writes about itself: metadata, tags and log lines. Operations as in ``operations``."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from taskflow.definition.options import LARGEST_METADATA, MOST_TAGS
from taskflow.errors import RunNotFoundError, RunUpdateError, StaleClaimError
from taskflow.store.operations import Operation

MetadataChange = tuple[str, Sequence[str], str]
"""Kind, path of names, value as JSON text. Kinds: set, delete, append, remove, increment, replace (with no path)."""


@dataclass(frozen=True, slots=True)
class StoredMetadata:
    """What a run's metadata is after an update. ``misfits``: operations ignored, e.g. an increment of a text."""

    document: bytes
    misfits: int = 0


def update_metadata(
    run_id: str, claim: int | None, changes: Sequence[MetadataChange], *, writer: str, number: int
) -> Operation[StoredMetadata | None]:
    """Change a run's metadata; changes of many writers compose. Reads as None when another run wrote to an ended one.

    Args:
        claim: The run's own claim, None when another run writes.
        writer: Who writes. Repeating the call of a writer's ``number`` within an hour changes nothing.

    Raises (when read):
        RunNotFoundError: No such run.
        StaleClaimError: The run's own claim is over.
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
        StaleClaimError: The claim is over.
    """

    def read(code: int, value: Any) -> int:
        if code == 1:
            return int(value)
        if value == b"MISSING":
            raise RunNotFoundError(run_id)
        raise StaleClaimError(run_id, claim or 0, value.decode())

    return Operation("add_tags", (run_id, claim or "", json.dumps(list(tags)), MOST_TAGS), read)


def append_logs(run_id: str, claim: int, lines: Sequence[bytes]) -> Operation[int]:
    """Add log lines, each a JSON object without a newline. Reads as how many: 0 under a claim that never was.

    Raises (when read):
        RunNotFoundError: No such run.
    """

    def read(code: int, value: Any) -> int:
        if value == b"MISSING":
            raise RunNotFoundError(run_id)
        return int(value) if code else 0

    return Operation("append_logs", (run_id, claim, b"\n".join(lines)), read)
