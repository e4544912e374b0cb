"""The reader of the page that is rendered: its prefix, environment and time zone. Templates and rows read it."""

from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Final

from taskflow.definition.documents.hiding import NOTHING_HIDDEN, Hiding


@dataclass(frozen=True, slots=True)
class Reader:
    """The facts that a rendering depends on beside its values.

    Attributes:
        prefix: The path at which the dashboard is mounted, without a slash at its end: ``""`` or ``"/admin"``.
        zone: The time zone of clock times.
        csrf: The token that each form must send.
        theme: ``"light"`` or ``"dark"``; "" as the system is.
        density: ``"compact"`` for lower rows, else "".
        hiding: The values that no page shows.
    """

    prefix: str = ""
    environment: str = ""
    zone: tzinfo = UTC
    csrf: str = ""
    theme: str = ""
    density: str = ""
    hiding: Hiding = NOTHING_HIDDEN


READER: Final = ContextVar("taskflow_reader", default=Reader())  # noqa: B039 - it is frozen
"""Set for each request and each rendering of a live row."""
