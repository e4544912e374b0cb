"""The filter of a list of runs, and a page of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, cast, get_args, overload

from taskflow.errors import RunFilterError
from taskflow.models import Run, RunStatus
from taskflow.texts import is_encodable, text_fault

RunField = Literal["status", "task", "queue", "machine", "executor", "version"]
"""A field by which runs are counted."""
RUN_FIELDS: Final[tuple[RunField, ...]] = get_args(RunField)
_LONGEST_PAGE: Final = 1000
ID_END: Final = 8
"""The number of characters of an id that lists show."""
_TEXTS: Final = (
    "queue",
    "machine",
    "version",
    "batch",
    "schedule",
    "parent",
    "root",
    "idempotency_key",
    "error",
    "fingerprint",
    "id_end",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """A filter of runs. Every given condition must hold. One with several values holds when any of them does.

    Raises ``RunFilterError`` for a condition that is not possible.

    Attributes:
        status: Statuses, or their names.
        tag: Any of these tags.
        not_status, not_task: None of these.
        parent: The id of the run that triggered them.
        root: The id of the run at the top of their family; that run itself is not among them.
        is_root: Whether it was triggered by no other run.
        id_end: The last 8 characters of its id, as pages show it.
        created_from: Earliest instant of creation.
        created_to: Runs made before this instant.
        error: Part of the error's type or message (its first 500 characters), in upper or lower case.
        fingerprint: The id of the group of the error that ended it.
    """

    status: RunStatus | str | Sequence[RunStatus | str] = ()
    task: str | Sequence[str] = ()
    tag: str | Sequence[str] = ()
    not_status: RunStatus | str | Sequence[RunStatus | str] = ()
    not_task: str | Sequence[str] = ()
    queue: str | None = None
    machine: str | None = None
    version: str | None = None
    batch: str | None = None
    schedule: str | None = None
    parent: str | None = None
    root: str | None = None
    idempotency_key: str | None = None
    is_test: bool | None = None
    is_root: bool | None = None
    id_end: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    error: str | None = None
    fingerprint: str | None = None

    def __post_init__(self) -> None:
        for option in ("status", "task", "tag", "not_status", "not_task"):
            value: object = getattr(self, option)
            if not _is_texts(value):
                raise RunFilterError(option, value, "Use text, or a list of texts.")
            _check_texts(option, _several(cast("str | Sequence[str]", value)))
        for option in _TEXTS:
            if not isinstance(value := getattr(self, option), str | None):
                raise RunFilterError(option, value, "Use text.")
            _check_texts(option, (value,) if value else ())
        for option in ("created_from", "created_to"):
            value = getattr(self, option)
            if value is not None and (not isinstance(value, datetime) or value.utcoffset() is None):
                raise RunFilterError(option, value, "Give an aware datetime, e.g. datetime.now(UTC).")
        for option in ("is_test", "is_root"):
            if not isinstance(value := getattr(self, option), bool | None):
                raise RunFilterError(option, value, "Use True or False.")
        if self.id_end is not None and len(self.id_end) != ID_END:
            raise RunFilterError("id_end", self.id_end, f"Give the last {ID_END} characters of the run's id.")
        _ = self.statuses

    @property
    def statuses(self) -> tuple[RunStatus, ...]:
        """The statuses, empty for any. With ``not_status`` they are those that are left."""
        given, excluded = _statuses("status", self.status), _statuses("not_status", self.not_status)
        if not excluded:
            return given
        left = tuple(status for status in given or RunStatus if status not in excluded)
        if not left:
            raise RunFilterError("not_status", self.not_status, "It excludes every status that is asked for.")
        return left

    @property
    def tasks(self) -> tuple[str, ...]:
        """The ids of tasks, empty for any."""
        return _several(self.task)

    @property
    def not_tasks(self) -> tuple[str, ...]:
        """The ids of the tasks that are excluded."""
        return _several(self.not_task)

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags, empty for any."""
        return _several(self.tag)


@dataclass(frozen=True, slots=True)
class RunPosition:
    """A position in the list of all runs, newest first: that of a run, by its creation in Unix milliseconds and its id.

    ``is_before``: The runs just before it are wanted, which are newer; else those behind it.
    """

    created_ms: int
    run_id: str
    is_before: bool = False

    @classmethod
    def of(cls, run: Run, *, is_before: bool = False) -> "RunPosition":
        """Return the position of a run."""
        return cls(round(run.created_at.timestamp() * 1000), run.id, is_before)

    def has(self, run: Run) -> bool:
        """Whether a run is on the wanted side."""
        own, other = (self.created_ms, self.run_id), (round(run.created_at.timestamp() * 1000), run.id)
        return other > own if self.is_before else other < own


@dataclass(frozen=True, slots=True)
class RunPage(Sequence[Run]):
    """A page of runs, newest first, without payload, output and attempts.

    Attributes:
        cursor: Gives the following page when passed to ``runs.list``; None on the last page. Runs made meanwhile
            move nothing between pages.
    """

    runs: tuple[Run, ...]
    cursor: str | None = None

    @overload
    def __getitem__(self, index: int) -> Run: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Run, ...]: ...

    def __getitem__(self, index: int | slice) -> Run | tuple[Run, ...]:
        return self.runs[index]

    def __len__(self) -> int:
        return len(self.runs)

    def __iter__(self) -> Iterator[Run]:
        return iter(self.runs)


def check_filter(where: object) -> RunFilter:
    """Return a value that is a filter.

    Raises:
        RunFilterError: The value is something else.
    """
    if isinstance(where, RunFilter):
        return where
    raise RunFilterError("where", where, 'Use RunFilter(status="FAILED", task="hello-world", ...).')


def check_fields(by: object) -> tuple[RunField, ...]:
    """Return the fields by which runs are counted.

    Raises:
        RunFilterError: None, or one by which runs can't be counted.
    """
    fields = tuple(dict.fromkeys(cast("Sequence[RunField]", (by,) if isinstance(by, str) else by)))
    if not fields or not all(field in RUN_FIELDS for field in fields):
        raise RunFilterError("by", by, f"Count by one or several of {', '.join(RUN_FIELDS)}.")
    return fields


def check_page_size(limit: object) -> int:
    """Return the size of a page.

    Raises:
        RunFilterError: Not a whole number from 1 to 1,000.
    """
    if isinstance(limit, int) and not isinstance(limit, bool) and 1 <= limit <= _LONGEST_PAGE:
        return limit
    raise RunFilterError("limit", limit, f"Use a whole number from 1 to {_LONGEST_PAGE:,}; further pages by cursor.")


def _statuses(option: str, value: RunStatus | str | Sequence[RunStatus | str]) -> tuple[RunStatus, ...]:
    try:
        return tuple(RunStatus(status) for status in _several(value))
    except ValueError:
        raise RunFilterError(option, value, f"It is one of {', '.join(RunStatus)}.") from None


def _several(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(dict.fromkeys(value))


def _check_texts(option: str, texts: Sequence[str]) -> None:
    for text in texts:
        if not is_encodable(text):
            raise RunFilterError(option, text, f"No run has such a value: {text_fault(text)}.")


def _is_texts(value: object) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list | tuple | set | frozenset) and all(isinstance(each, str) for each in value)  # pyright: ignore[reportUnknownVariableType] - any
    )


ALL_RUNS: Final = RunFilter()
