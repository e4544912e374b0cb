"""The facts that ``explain_run`` reads, and instants and durations as text for people."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from taskflow.store.operations.encoding import instant


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of ``explain_run``: texts by name."""

    texts: Mapping[str, str]

    def number(self, name: str) -> int | None:
        """Return a fact that is a number."""
        return int(float(self.texts[name])) if name in self.texts else None

    def instant(self, name: str) -> datetime | None:
        """Return a fact that is an instant, None when it is missing or 0."""
        stored = self.number(name)
        return instant(stored) if stored else None

    def words(self, name: str) -> list[str]:
        """Return a fact that is a list."""
        return self.texts[name].split("\n") if self.texts.get(name) else []

    @property
    def now(self) -> datetime | None:
        """The instant of the read, by the store's clock."""
        return self.instant("now")

    def ahead(self, due: datetime | None) -> str:
        """Return how far an instant lies ahead, as the end of a phrase."""
        return f" (in {span(due - self.now)})" if due and self.now and due > self.now else ""


def clock(moment: datetime | None) -> str:
    """Return an instant as text for people."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if moment else "an unknown instant"


def span(duration: timedelta) -> str:
    """Return a duration as text, in two units at most."""
    seconds = max(0, round(duration.total_seconds()))
    if seconds < 60:
        return f"{seconds} s" if seconds else f"{duration / timedelta(milliseconds=1):.0f} ms"
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"
