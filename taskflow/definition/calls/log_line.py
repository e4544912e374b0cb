"""A line of a run's log as a value. No I/O."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line that a run has logged, or a span that has ended: its level is SPAN, its message has the time and error.

    Attributes:
        attempt: The number of the attempt that logged it.
        sequence: (claim, number of the line under it). A line that is in the stream twice is shown once.
        fields: Values that were logged in addition to the text.
    """

    at: datetime
    level: str
    logger: str
    message: str
    attempt: int
    sequence: tuple[int, int]
    fields: dict[str, object]
