"""Further columns of the table of runs: chosen by the address, ``cols=queue&cols=machine``, and kept in a cookie."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from taskflow.models import Run, RunStatus
from taskflow.server.dashboard.view.durations import DASH, duration
from taskflow.server.dashboard.view.instants import running_time
from taskflow.server.dashboard.view.links import url
from taskflow.server.dashboard.view.statuses import short_id

COOKIE: Final = "columns"
_SEPARATOR: Final = "."
_NOT_STARTED: Final = (RunStatus.PENDING_VERSION, RunStatus.DELAYED, RunStatus.QUEUED)


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its title, and what its cell shows of a run."""

    name: str
    title: str
    cell: Callable[[Run], Markup | str]
    is_right: bool = False


def columns_of(given: Sequence[str] | None, kept: str) -> tuple[Column, ...]:
    """Return the chosen columns, in their own order. Unknown names are ignored.

    Args:
        given: The values of the address, None if it has none.
        kept: The cookie, which counts for an address without any.
    """
    names = kept.split(_SEPARATOR) if given is None else given
    return tuple(column for name, column in COLUMNS.items() if name in names)


def cookie_of(columns: Sequence[Column]) -> str:
    """Return the value of the cookie."""
    return _SEPARATOR.join(column.name for column in columns)


def _linked(parameter: str, value: str | None, *, is_id: bool = False) -> Markup | str:
    """Return a value that leads to the runs that share it."""
    if not value:
        return DASH
    link = Markup('<a class="mono clip" href="{}" title="{}" tabindex="-1">{}</a>')
    return link.format(url("runs", **{parameter: value}), value, short_id(value) if is_id else value)


def _waited(run: Run) -> Markup | str:
    """Return the time from the trigger to the first start."""
    if run.started_at is not None:
        return duration(run.started_at - run.created_at)
    return running_time(run.created_at) if run.status in _NOT_STARTED else DASH


COLUMNS: Final[Mapping[str, Column]] = {
    column.name: column
    for column in (
        Column("queue", "Queue", lambda run: _linked("queue", run.queue)),
        Column("machine", "Machine", lambda run: _linked("machine", run.machine)),
        Column("version", "Version", lambda run: _linked("version", run.version)),
        Column("waited", "Waited", _waited, is_right=True),
        Column("batch", "Batch", lambda run: _linked("batch", run.batch_id, is_id=True)),
        Column("schedule", "Schedule", lambda run: _linked("schedule", run.schedule_id, is_id=True)),
        Column("key", "Key", lambda run: _linked("key", run.idempotency_key)),
    )
}
"""The columns by their names in the address."""
