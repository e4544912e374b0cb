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
_TEXTS: Final = ("queue", "machine", "version", "batch", "schedule", "parent", "root", "idempotency_key", "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """A filter of runs. Every given condition must hold. One with several values holds when any of them does.

    Raises ``RunFilterError`` for a condition that is not possible.

    Attributes:
        status: Statuses, or their names.
        tag: Any of these tags.
        parent: The id of the run that triggered them.
        root: The id of the run at the top of their family; that run itself is not among them.
        created_from: Earliest instant of creation.
        created_to: Runs made before this instant.
        error: Part of the error's type or message (its first 500 characters), in upper or lower case.
    """

    status: RunStatus | str | Sequence[RunStatus | str] = ()
    task: str | Sequence[str] = ()
    tag: str | Sequence[str] = ()
    queue: str | None = None
    machine: str | None = None
    version: str | None = None
    batch: str | None = None
    schedule: str | None = None
    parent: str | None = None
    root: str | None = None
    idempotency_key: str | None = None
    is_test: bool | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    error: str | None = None

    def __post_init__(self) -> None:
        for option in ("status", "task", "tag"):
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
        if not isinstance(self.is_test, bool | None):  # pyright: ignore[reportUnnecessaryIsInstance] - see above
            raise RunFilterError("is_test", self.is_test, "Use True or False.")
        _ = self.statuses

    @property
    def statuses(self) -> tuple[RunStatus, ...]:
        """The statuses, empty for any."""
        try:
            return tuple(RunStatus(status) for status in _several(self.status))
        except ValueError:
            raise RunFilterError("status", self.status, f"It is one of {', '.join(RunStatus)}.") from None

    @property
    def tasks(self) -> tuple[str, ...]:
        """The ids of tasks, empty for any."""
        return _several(self.task)

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags, empty for any."""
        return _several(self.tag)


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
