"""Which runs a bulk action or a list is about, by what they have in common."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from taskflow.definition.durations import Duration, parse_duration
from taskflow.errors import DefinitionError, TriggerOptionError
from taskflow.models import RunStatus


@dataclass(frozen=True, slots=True)
class RunSelection:
    """What the selected runs have in common; None for what does not matter. Made by ``checked``."""

    statuses: tuple[RunStatus, ...] = ()
    task: str | None = None
    tag: str | None = None
    queue: str | None = None
    since: datetime | None = None

    @classmethod
    def checked(
        cls,
        *,
        status: RunStatus | str | Iterable[RunStatus | str] | None = None,
        task: str | None = None,
        tag: str | None = None,
        queue: str | None = None,
        since: Duration | datetime | None = None,
    ) -> "RunSelection":
        """Return a selection as given to a verb.

        Raises:
            TriggerOptionError: No such status, or ``since`` is neither a duration nor an aware instant.
        """
        given = [status] if isinstance(status, str) else list(status or ())
        return RunSelection(tuple(map(_status, given)), task, tag, queue, None if since is None else _instant(since))

    @property
    def is_all(self) -> bool:
        """Whether it selects every run."""
        return self == RunSelection()

    def wanted(self) -> dict[str, object]:
        """Return it as JSON values for the store."""
        found = {
            "statuses": [status.value for status in self.statuses] or None,
            "task": self.task,
            "tag": self.tag,
            "queue": self.queue,
            "since": None if self.since is None else round(self.since.timestamp() * 1000),
        }
        return {name: value for name, value in found.items() if value is not None}


def _status(name: str) -> RunStatus:
    try:
        return RunStatus(name.upper())
    except ValueError:
        raise TriggerOptionError("status", name, f"It is one of {', '.join(RunStatus)}.") from None


def _instant(since: Duration | datetime) -> datetime:
    if isinstance(since, datetime):
        if since.utcoffset() is None:
            raise TriggerOptionError("since", since, "Give an aware datetime, e.g. datetime.now(UTC).")
        return since
    try:
        return datetime.now(UTC) - parse_duration(since, option="since")
    except DefinitionError as error:
        raise TriggerOptionError("since", since, f"{error.what}. {error.remedy} Or give an aware datetime.") from None
