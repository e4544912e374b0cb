"""The list of batches, for people."""

from typing import Any

from taskflow.store.operations.operation import Operation


def list_batches(most: int, before_ms: int | None = None) -> Operation[list[tuple[int, str]]]:
    """List up to ``most`` batches of a shard made at an instant or before, newest first, as (instant in ms, id)."""

    def read(_: int, value: Any) -> list[tuple[int, str]]:
        return [(int(made), batch_id.decode()) for batch_id, made in value]

    return Operation("list_batches", (most, "+inf" if before_ms is None else before_ms), read)
