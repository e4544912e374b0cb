"""The parameters of the page of runs: a filter, a period, a position and a page size, and the chips that show them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from starlette.datastructures import QueryParams

from taskflow.definition.calls.run_filter import RunFilter, RunPosition
from taskflow.errors import RunFilterError
from taskflow.models import RunStatus
from taskflow.server.dashboard.pages.runs.columns import COLUMNS, COOKIE, Column, columns_of
from taskflow.server.dashboard.pages.runs.contradictions import contradiction
from taskflow.server.dashboard.view.instants import full_instant
from taskflow.server.dashboard.view.links import url
from taskflow.server.dashboard.view.statuses import WORDS

PERIODS: Final[Mapping[str, tuple[str, timedelta | None]]] = {
    "1h": ("Last hour", timedelta(hours=1)),
    "24h": ("Last 24 h", timedelta(hours=24)),
    "7d": ("Last 7 days", timedelta(days=7)),
    "30d": ("Last 30 days", timedelta(days=30)),
    "all": ("All time", None),
}
"""The periods by their names in the address."""
DEFAULT_PERIOD: Final = "24h"
LIMITS: Final = (25, 50, 100)
_SEVERAL: Final = ("status", "task", "tag")
_TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    "queue": ("queue", "Queue is"),
    "machine": ("machine", "Machine is"),
    "version": ("version", "Version is"),
    "batch": ("batch", "Batch is"),
    "schedule": ("schedule", "Schedule is"),
    "parent": ("parent", "Parent is"),
    "root": ("root", "Root is"),
    "key": ("idempotency_key", "Idempotency key is"),
    "error": ("error", "Error has"),
    "id": ("id_end", "Id ends with"),
}
"""The option of the filter, and the words of the chip, of each parameter that is one text."""
NO_COOKIES: Final[Mapping[str, str]] = {}
_CURSOR: Final = re.compile(r"([ab])(\d{1,15})\.(run_[0-9a-f]{1,64})")
_NOT: Final = "!"
"""Before a status or task: not this one."""
TEXT_LABELS: Final[Mapping[str, str]] = {
    name: label.rsplit(" ", 1)[0] for name, (_, label) in _TEXTS.items() if name != "id"
}
"""The names of the fields of the filter form."""


@dataclass(frozen=True, slots=True)
class Chip:
    """A condition as people read it, and the address without it."""

    name: str
    value: str
    without: str


@dataclass(frozen=True, slots=True)
class RunQuery:
    """The list of runs that an address asks for.

    Attributes:
        params: The known parameters that were given, by name.
        problem: Why the conditions are not possible; "" when they are.
        columns: The further columns of the table.
        chosen: Their names in the address, None if it names none.
    """

    params: Mapping[str, Sequence[str]]
    where: RunFilter
    period: str
    limit: int
    position: RunPosition | None = None
    problem: str = ""
    columns: tuple[Column, ...] = ()
    chosen: tuple[str, ...] | None = None

    @classmethod
    def of(cls, query: QueryParams, cookies: Mapping[str, str] = NO_COOKIES) -> "RunQuery":
        """Return what the parameters ask for. Unknown ones are ignored.

        Args:
            cookies: They have the page size and the columns, for an address without.
        """
        names = (*_SEVERAL, *_TEXTS, "test", "roots", "from", "to")
        params = {name: [each for each in query.getlist(name) if each] for name in names}
        params = {name: values for name, values in params.items() if values}
        period = query.get("period", "")
        period = period if period in PERIODS else DEFAULT_PERIOD
        limit = next((each for each in LIMITS if str(each) in (query.get("limit") or cookies.get("limit"),)), 50)
        if period != DEFAULT_PERIOD:
            params["period"] = [period]
        try:
            where = _filter(params, period)
            problem = contradiction(params, where)
        except RunFilterError as error:
            where, problem = RunFilter(), str(error)
        chosen = tuple(name for name in query.getlist("cols") if name in COLUMNS) if "cols" in query else None
        columns = columns_of(chosen, cookies.get(COOKIE, ""))
        return cls(params, where, period, limit, _position(query.get("cursor", "")), problem, columns, chosen)

    def address(self, **changes: str | Sequence[str] | None) -> str:
        """Return the address with some parameters changed or, with None, left out. It has no cursor."""
        cols = None if self.chosen is None else self.chosen or ("",)
        params: dict[str, str | Sequence[str] | None] = {**self.params, "cols": cols, **changes}
        return url("runs", **params)

    def chips(self) -> list[Chip]:
        """Return the conditions but the period."""
        found = [*self._several("status", "Status"), *self._several("task", "Task"), *self._several("tag", "Tag")]
        for name, (_, label) in _TEXTS.items():
            if given := self.params.get(name):
                found.append(Chip(label, given[0], self.address(**{name: None})))
        if "test" in self.params:
            is_test = self.params["test"][0] == "1"
            found.append(Chip("Only" if is_test else "Without", "tests", self.address(test=None)))
        if "roots" in self.params:
            found.append(Chip("Without", "a parent", self.address(roots=None)))
        for name, label in (("from", "From"), ("to", "Until")):
            if given := self.params.get(name):
                found.append(Chip(label, _shown_instant(given[0]), self.address(**{name: None})))
        return found

    def _several(self, name: str, label: str) -> list[Chip]:
        """Return the chips of a parameter that may be there several times: what it is, and what it is not."""
        values = self.params.get(name, ())
        wanted, others = _parted(values) if name != "tag" else (list(values), [])
        found: list[Chip] = []
        if wanted:
            left = [f"{_NOT}{each}" for each in others]
            found.append(Chip(f"{label} is", _words(name, wanted), self.address(**{name: left or None})))
        if others:
            found.append(Chip(f"{label} is not", _words(name, others), self.address(**{name: wanted or None})))
        return found

    @property
    def is_filtered(self) -> bool:
        """Whether it has a condition beside the period."""
        return bool(self.params.keys() - {"period"})

    @property
    def period_words(self) -> str:
        """The period as people read it."""
        return "Chosen time" if self.params.keys() & {"from", "to"} else PERIODS[self.period][0]

    @property
    def longer(self) -> list[tuple[str, str]]:
        """The next longer period and the longest one: name and words."""
        if self.params.keys() & {"from", "to"}:
            return [("all", PERIODS["all"][0])]
        names = list(PERIODS)[list(PERIODS).index(self.period) + 1 :]
        return [(name, PERIODS[name][0]) for name in dict.fromkeys((*names[:1], *names[-1:]))]

    def in_words(self) -> str:
        """Return the conditions as a sentence for people."""
        parts = [f"{chip.name} {chip.value}" for chip in self.chips()]
        if self.params.keys() & {"from", "to"}:
            return ", ".join(parts)
        return ", ".join([*parts, self.period_words.lower() if parts else self.period_words])


def _parted(values: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the values that are wanted, and those that are excluded."""
    others = [each.removeprefix(_NOT) for each in values if each.startswith(_NOT)]
    return [each for each in values if not each.startswith(_NOT)], others


def _words(name: str, values: Sequence[str]) -> str:
    if name != "status":
        return " or ".join(values)
    return ", ".join(WORDS[RunStatus(each)] if each in RunStatus.__members__ else each for each in values)


def _shown_instant(text: str) -> str:
    """Return an instant of the address in the reader's zone, to the second."""
    try:
        return full_instant(_parsed_instant("from", text)).partition(".")[0]
    except RunFilterError:
        return text


def cursor_of(position: RunPosition) -> str:
    """Return the parameter of a position."""
    return f"{'b' if position.is_before else 'a'}{position.created_ms}.{position.run_id}"


def _position(cursor: str) -> RunPosition | None:
    found = _CURSOR.fullmatch(cursor)
    return RunPosition(int(found[2]), found[3], is_before=found[1] == "b") if found else None


def _filter(params: Mapping[str, Sequence[str]], period: str) -> RunFilter:
    length = PERIODS[period][1]
    since = datetime.now(UTC) - length if length is not None else None
    if "from" in params or "to" in params:
        since = _instant("from", params)
    test = params.get("test")
    statuses, not_statuses = _parted(params.get("status", ()))
    tasks, not_tasks = _parted(params.get("task", ()))
    texts = {option: params[name][0] for name, (option, _) in _TEXTS.items() if name in params}
    plain = RunFilter(
        status=tuple(statuses),
        task=tuple(tasks),
        not_status=tuple(not_statuses),
        not_task=tuple(not_tasks),
        tag=tuple(params.get("tag", ())),
        is_test=None if not test else test[0] == "1",
        is_root=True if "roots" in params else None,
        created_from=since,
        created_to=_instant("to", params),
    )
    return replace(plain, **texts)  # type: ignore[arg-type]  # the options of _TEXTS are texts


def _instant(name: str, params: Mapping[str, Sequence[str]]) -> datetime | None:
    """Return an instant of the address, None if it has none.

    Raises:
        RunFilterError: It is none.
    """
    return _parsed_instant(name, params[name][0]) if name in params else None


def _parsed_instant(name: str, text: str) -> datetime:
    """Return the instant that a text is. One without a zone is in UTC.

    Raises:
        RunFilterError: It is none.
    """
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):  # the year 1 or 9999 with a zone has no instant in UTC
        raise RunFilterError(name, text, "Write an instant like 2026-11-28T14:00:00Z.") from None
