"""Look runs up. The store has live and recent runs; the history has every run that has reached it."""

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from pydantic_core import to_json

from taskflow.definition.calls.run_filter import ID_END, RunField, RunFilter, RunPage, RunPosition
from taskflow.errors import RunFilterError, RunNotFoundError
from taskflow.models import Run, RunError, RunStatus
from taskflow.objects.address import Address
from taskflow.settings import Settings
from taskflow.texts import is_possible_id

if TYPE_CHECKING:  # a process that only triggers never imports SQLAlchemy
    from taskflow.history.reader import HistoryEvent, Reader

A_PAGE: Final = 1000


class Lookup:
    """The history, as verbs use it. It opens at the first use and blocks.

    Attributes:
        settings: Those that name it.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._opened: tuple[int, Reader | None] | None = None

    def is_ready(self) -> bool:
        """Whether there is a history.

        Raises:
            HistoryUnavailableError: The history's database did not answer.
        """
        reader = self._reader()
        return reader is not None and reader.is_ready()

    def reader(self) -> "Reader | None":
        """Return the reader of the history, None when there is to be none."""
        return self._reader()

    def retrieve(self, run_id: str) -> Run:
        """Return a run that is not in the store any more.

        Raises:
            RunNotFoundError: The run is not in the history either.
            HistoryUnavailableError: The history's database did not answer.
        """
        reader = self._reader() if is_possible_id(run_id) else None
        run = reader.retrieve(run_id) if reader else None
        if run is None:
            raise RunNotFoundError(run_id)
        return run

    def documents(self, run_id: str) -> Mapping[str, bytes]:
        """Return payload, output and metadata of a run as JSON texts, as far as the history has them.

        Raises:
            HistoryUnavailableError: The history's database did not answer.
        """
        reader = self._reader() if is_possible_id(run_id) else None
        return reader.documents(run_id) if reader else {}

    def end(self, run_id: str) -> tuple[RunStatus, bytes, RunError | None]:
        """Return the end of a run that is not in the store any more: status, output as stored, error.

        Raises:
            RunNotFoundError: The history has no such run, or not its end.
            HistoryUnavailableError: The history's database did not answer.
        """
        run = self.retrieve(run_id)
        if not run.is_finished:
            raise RunNotFoundError(run_id)
        output = run.output
        return run.status, output.stored if isinstance(output, Address) else to_json(output), run.error

    def events(self, run_id: str) -> "Iterator[HistoryEvent]":
        """Yield the history's events of a run, oldest first; none without a history.

        Raises:
            HistoryUnavailableError: The history's database did not answer.
        """
        reader = self._reader() if is_possible_id(run_id) else None
        after: int | None = None
        while reader is not None and (events := reader.events(run_id, after, A_PAGE)):
            yield from events
            after = events[-1].position

    def feed_ms(self, shard: int) -> int:
        """Return the store's time up to which the history has a shard's events, 0 without a complete history.

        Raises:
            HistoryUnavailableError: The history's database did not answer.
        """
        reader = self._reader()
        return reader.position(shard) >> 20 if reader is not None else 0

    def page(self, recent: Sequence[Run], wanted: RunFilter, limit: int, cursor: str | None) -> RunPage:
        """Return a page of runs.

        Args:
            recent: The store's newest runs. They complete the first page, because they may not have reached the history
                yet. Without a history the page consists of them.

        Raises:
            RunFilterError: The cursor or a condition is not possible, or it needs a history and there is none.
            HistoryUnavailableError: The history's database did not answer.
        """
        reader = self._reader()
        if reader is not None and reader.is_ready():
            page = reader.list_runs(wanted, limit, cursor)
            return page if cursor is not None or only_in_history(wanted) else merged(page, recent, wanted, limit)
        if cursor is not None or only_in_history(wanted):
            raise RunFilterError(
                "cursor" if cursor is not None else "error/fingerprint/version",
                cursor or wanted.error or wanted.fingerprint or wanted.version,
                "This needs the history: start a worker, which makes it, and don't set TASKFLOW_DATABASE_URL to none.",
            )
        return merged(RunPage(()), recent, wanted, limit)

    def window(self, wanted: RunFilter, limit: int, at: RunPosition | None) -> list[Run]:
        """Return up to ``limit`` runs of the history on one side of a position, those next to it, newest first.

        Raises:
            RunFilterError: A condition is not possible.
            HistoryUnavailableError: The history's database did not answer.
        """
        reader = self._reader()
        return reader.window(wanted, limit, at) if reader else []

    def all(self, wanted: RunFilter) -> list[Run]:
        """Return all runs of the history that match a filter; none without a history.

        Raises:
            RunFilterError: A condition is not possible, or it needs a history and there is none.
            HistoryUnavailableError: The history's database did not answer.
        """
        page = self.page((), wanted, A_PAGE, None)
        runs = [*page]
        while page.cursor is not None:
            page = self.page((), wanted, A_PAGE, page.cursor)
            runs += page
        return runs

    def count(self, by: Sequence[RunField], wanted: RunFilter) -> dict[tuple[str, ...], int] | None:
        """Count the runs of the history that match a filter, by fields; None without a history.

        Raises:
            RunFilterError: A condition is not possible, or it needs a history and there is none.
            HistoryUnavailableError: The history's database did not answer.
        """
        reader = self._reader()
        if reader is not None and reader.is_ready():
            return reader.count(by, wanted)
        self.page((), wanted, 1, None)  # refuses what needs the history
        return None

    def address(self) -> str:
        """Return the history's address, without a password.

        Raises:
            HistoryUnavailableError: The history's database did not answer.
        """
        reader = self._reader()
        return reader.address() if reader else "none"

    def _reader(self) -> "Reader | None":
        with self._lock:
            if self._opened is None or self._opened[0] != os.getpid():
                self._opened = (os.getpid(), self._open())
            return self._opened[1]

    def _open(self) -> "Reader | None":
        if self.settings.database_url == "none":
            return None
        from taskflow.history.database import Database, database_url
        from taskflow.history.reader import Reader

        url = database_url(self.settings)
        return Reader(Database(url), self.settings.environment) if url is not None else None


def merged(page: RunPage, recent: Sequence[Run], wanted: RunFilter, limit: int) -> RunPage:
    """Return the first page. The store's record of a run replaces that of the history, which may be older."""
    known = {run.id for run in recent}
    runs = [run for run in page if run.id not in known] + [run for run in recent if matches(run, wanted)]
    if page.cursor is not None:  # runs older than the last of the page are for the next page
        end = _place(page[-1])
        runs = [run for run in runs if _place(run) >= end]
    runs.sort(key=_place, reverse=True)
    if len(runs) <= limit or not page:
        return RunPage(tuple(runs[:limit]), page.cursor)
    from taskflow.history.query import Cursor

    last = runs[limit - 1]
    return RunPage(tuple(runs[:limit]), Cursor(round(last.created_at.timestamp() * 1000), last.id).text())


def matches(run: Run, wanted: RunFilter) -> bool:
    """Whether a run of the store's list matches a filter that is not ``only_in_history``."""
    same = (
        (wanted.queue, run.queue),
        (wanted.machine, run.machine),
        (wanted.batch, run.batch_id),
        (wanted.schedule, run.schedule_id),
        (wanted.parent, run.parent_id),
        (wanted.root, run.root_id),
        (wanted.idempotency_key, run.idempotency_key),
        (wanted.is_test, run.is_test),
    )
    return (
        all(value is None or value == actual for value, actual in same)
        and (not wanted.statuses or run.status in wanted.statuses)
        and (not wanted.tasks or run.task_id in wanted.tasks)
        and run.task_id not in wanted.not_tasks
        and (wanted.is_root is None or wanted.is_root == (run.parent_id is None))
        and (wanted.id_end is None or run.id[-ID_END:] == wanted.id_end)
        and (not wanted.tags or bool(set(wanted.tags) & set(run.tags)))
        and (wanted.created_from is None or run.created_at >= wanted.created_from)
        and (wanted.created_to is None or run.created_at < wanted.created_to)
    )


def only_in_history(wanted: RunFilter) -> bool:
    """Whether a filter has a condition on a field that the store's list does not have."""
    return (wanted.error, wanted.version, wanted.fingerprint) != (None, None, None)


def _place(run: Run) -> tuple[float, str]:
    return run.created_at.timestamp(), run.id
