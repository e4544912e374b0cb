"""The answer of a ``catch_error`` hook: whether and when the run is tried again, and with which error. A value."""

from dataclasses import dataclass
from datetime import datetime

from taskflow.definition.retry import Retry
from taskflow.durations import Duration, parse_duration
from taskflow.errors import DefinitionError


@dataclass(frozen=True, slots=True)
class Caught:
    """A ``catch_error`` hook's decision. What it leaves out is decided as without the hook.

    No decision gives a run more attempts than its ``max_attempts``: on the last one only ``error`` has an effect.

    Attributes:
        skip_retry: End the run now.
        retry_at: When the next attempt starts, aware.
        retry_delay: How long until the next attempt.
        retry: Compute the delay by this policy instead of the task's; its ``max_attempts`` may end the run earlier.
        error: Store this error instead; the original is kept as its cause. It is judged as if the function had raised
            it: ``AbortRun`` ends the run.
    """

    skip_retry: bool = False
    retry_at: datetime | None = None
    retry_delay: Duration | None = None
    retry: Retry | None = None
    error: Exception | None = None

    def __post_init__(self) -> None:
        given = [
            name
            for name in ("skip_retry", "retry_at", "retry_delay", "retry")
            if getattr(self, name) not in (None, False)
        ]
        if len(given) > 1:
            remedy = f"Give one of {', '.join(given)}."
            raise DefinitionError("Caught() decides the retry twice", option=given[0], value=self, remedy=remedy)
        if self.retry_delay is not None:
            parse_duration(self.retry_delay, option="retry_delay")
