"""One line of the report: a part of the Celery app, what it becomes, and what is left to do by hand."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["app", "task", "option", "parameter", "route", "queue", "schedule", "signal", "use", "setting"]
Facts = dict[str, object]


@dataclass(frozen=True, slots=True)
class Line:
    """A part of the app.

    Attributes:
        what: The part in Celery's words.
        becomes: Code to write, or a sentence; "" when nothing takes its place.
        to_do: Why it does not map as it is, and what to do; "" when it does.
    """

    kind: Kind
    name: str
    what: str
    becomes: str
    to_do: str = ""
    place: str = ""
