"""A queue at one moment, as a value."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class QueueState:
    """A queue's limits and load at one moment.

    Attributes:
        running: Runs that execute.
        queued: Runs that may start and wait for a slot or a worker.
        delayed: Delayed and retrying runs.
        pending_version: Runs whose task or queue no worker has registered yet.
        concurrency_limit: The effective limit: the override, else the declared one.
        declared_limit: The limit that the code declares.
        rate_limit: Starts per period, for example ``"10/60s"``.
        paused_at: The time of the pause, None when it is not paused.
        paused_by: The user and host, or the run, that paused it.
        paused_note: The reason that was given for the pause.
        overridden_by: The user and host, or the run, that replaced the limit.
        burst_factor: Of the environment: how many times its limit its queues may execute together.
    """

    name: str
    running: int = 0
    queued: int = 0
    delayed: int = 0
    pending_version: int = 0
    concurrency_limit: int | None = None
    declared_limit: int | None = None
    per_key_limit: int | None = None
    total_limit: int | None = None
    rate_limit: str | None = None
    overridden_at: datetime | None = None
    paused_at: datetime | None = None
    paused_by: str | None = None
    paused_note: str | None = None
    overridden_by: str | None = None
    burst_factor: float | None = None

    @property
    def is_paused(self) -> bool:
        """Whether it is paused, so that its runs do not start."""
        return self.paused_at is not None
