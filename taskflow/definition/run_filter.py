"""Which runs to list, and a page of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, overload

from taskflow.models import Run, RunStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Every condition that is given must hold. One with several values holds when any of them does.

    Attributes:
        tag: Any of these tags.
        parent: The id of the run that triggered them.
        root: The id of the run at the top of their family; that run itself is not among them.
        created_from: Made at this instant or later.
        created_to: Made before this instant.
        error: Part of the error's type or message (its first 500 characters), in upper or lower case.
    """

    status: RunStatus | Sequence[RunStatus] = ()
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

    @property
    def statuses(self) -> tuple[RunStatus, ...]:
        """The statuses, none for any."""
        return (self.status,) if isinstance(self.status, RunStatus) else tuple(dict.fromkeys(self.status))

    @property
    def tasks(self) -> tuple[str, ...]:
        """The ids of tasks, none for any."""
        return _several(self.task)

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags, none for any."""
        return _several(self.tag)


@dataclass(frozen=True, slots=True)
class RunPage(Sequence[Run]):
    """Some runs, newest first, without payload, output and attempts.

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


ALL_RUNS: Final = RunFilter()


def _several(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(dict.fromkeys(value))
