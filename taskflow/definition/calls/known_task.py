"""Tasks as an overview shows them: those that workers have registered, and those of this process. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

NO_PAYLOAD: Final[Mapping[str, Any]] = {"type": "null"}
"""The JSON Schema of the payload of a task that takes none."""


@dataclass(frozen=True, slots=True)
class KnownTask:
    """A task.

    Attributes:
        version: The version of the code that registered it last.
        cron, every, timezone: Of a declared schedule; ``every`` in seconds.
        is_registered: Whether a worker has registered it. Runs of other tasks wait until one has.
        schema: The JSON Schema of its payload; None when it is not known, so that any JSON may do.
    """

    id: str
    kind: Literal["task", "schedule", "webhook"]
    description: str
    queue: str
    class_name: str
    max_attempts: int
    version: str | None = None
    cron: str | None = None
    every: float | None = None
    timezone: str | None = None
    is_registered: bool = True
    schema: Mapping[str, Any] | None = None
