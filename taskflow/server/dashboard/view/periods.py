"""The periods that pages with counts offer, as they stand in addresses."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from taskflow.server.dashboard.view.durations import NO_BREAK

_LENGTHS: Final[Mapping[str, timedelta]] = {
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}


@dataclass(frozen=True, slots=True)
class Period:
    """A period that ends now. ``name`` is that in the address, ``words`` that on the page."""

    name: str
    since: datetime
    until: datetime

    @classmethod
    def of(cls, name: str) -> "Period":
        """Return a period by its name; a day for an unknown one."""
        known = name if name in _LENGTHS else "24h"
        now = datetime.now(UTC)
        return cls(known, now - _LENGTHS[known], now)

    @property
    def words(self) -> str:
        """The length of it: ``24 h``."""
        return period_words(self.name)


def period_words(name: str) -> str:
    """Return the words of a period's name."""
    return f"{name[:-1]}{NO_BREAK}{name[-1]}"
