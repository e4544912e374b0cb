"""Read runs from the history. Blocking: coroutines call it in a thread."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from sqlalchemy import Connection, inspect, select

from taskflow.definition.calls.run_filter import RunField, RunFilter, RunPage
from taskflow.errors import RunFilterError
from taskflow.history import query
from taskflow.history.database import Database
from taskflow.history.rows import attempt_of, clean, run_of
from taskflow.history.writer import ATTEMPTS, EVENTS, FEEDS, RUNS
from taskflow.models import Run

T = TypeVar("T")
LONGEST: Final = 1000
"""The most runs of a page, and events of a call times ten."""


@dataclass(frozen=True, slots=True)
class HistoryEvent:
    """One event of a run. Events are in the order of ``position``.

    Attributes:
        at_ms: When, by the store's clock.
        kind: "status" (``value`` is the status), or "log", "span", "hook", "metadata", "tags" (``value`` is JSON).
    """

    position: int
    at_ms: int
    kind: str
    value: str


class Reader:
    """Reads one environment's runs. Every method raises ``HistoryUnavailableError`` without an answer."""

    def __init__(self, database: Database, environment: str) -> None:
        self._database = database
        self._environment = environment

    def address(self) -> str:
        """Return the address of the history without its password, once it has answered."""
        self._database.check()
        self.is_ready()
        return self._database.address

    def is_ready(self) -> bool:
        """Whether a worker has filled this database from the store."""
        return self._read(lambda _: True, False)

    def retrieve(self, run_id: str) -> Run | None:
        """Return a run with payload, output and attempts; None when the history has none of this id."""

        def look(connection: Connection) -> Run | None:
            wanted = select(RUNS).where(RUNS.c.id == clean(run_id), RUNS.c.environment == self._environment)
            row = connection.execute(wanted).mappings().one_or_none()
            if row is None:
                return None
            tries = select(ATTEMPTS).where(ATTEMPTS.c.run_id == clean(run_id)).order_by(ATTEMPTS.c.number)
            return run_of(row, tuple(attempt_of(each) for each in connection.execute(tries).mappings()))

        return self._read(look, None)

    def list_runs(self, wanted: RunFilter, limit: int = 50, cursor: str | None = None) -> RunPage:
        """Return up to ``limit`` runs behind the cursor, newest first, without payload, output and attempts.

        Raises:
            RunFilterError: The cursor or a condition is not possible.
        """
        if not 1 <= limit <= LONGEST:
            raise RunFilterError("limit", limit, f"Ask for 1 to {LONGEST} runs, and for more with the cursor.")
        after = query.Cursor.read(cursor) if cursor is not None else None

        def look(connection: Connection) -> RunPage:
            is_rare = query.is_rare(connection, wanted.error)
            statement = query.listing(self._environment, wanted, limit + 1, after, is_error_rare=is_rare)
            rows = connection.execute(statement).mappings().all()
            last = rows[limit - 1] if len(rows) > limit else None
            following = query.Cursor(last["created"], last["id"]).text() if last is not None else None
            return RunPage(tuple(run_of(row) for row in rows[:limit]), following)

        return self._read(look, RunPage(()))

    def count(self, by: Sequence[RunField], wanted: RunFilter) -> dict[tuple[str, ...], int]:
        """Return how many runs that match a filter have each combination of the values of some fields."""

        def look(connection: Connection) -> dict[tuple[str, ...], int]:
            rows = connection.execute(query.counting(self._environment, wanted, by))
            return {tuple(value or "" for value in values): count for *values, count in rows}

        return self._read(look, {})

    def events(self, run_id: str, after: int | None = None, limit: int = 1000) -> list[HistoryEvent]:
        """Return the events of a run, oldest first.

        Args:
            after: The ``position`` of the newest known event.
        """
        statement = (
            select(EVENTS)
            .where(EVENTS.c.run_id == clean(run_id), EVENTS.c.position > (after or 0))
            .order_by(EVENTS.c.position)
            .limit(min(limit, 10 * LONGEST))
        )

        def look(connection: Connection) -> list[HistoryEvent]:
            return [
                HistoryEvent(row.position, row.position >> 20, row.kind, row.value)
                for row in connection.execute(statement)
            ]

        return self._read(look, [])

    def _read(self, look: Callable[[Connection], T], otherwise: T) -> T:
        """Read, or return ``otherwise`` while no worker has made the tables and filled them."""
        if self._database.is_sqlite and not self._database.path.exists():
            return otherwise
        with self._database.reading() as connection:
            if not inspect(connection).has_table(FEEDS.name):
                return otherwise
            feeds = select(FEEDS.c.shard).where(FEEDS.c.environment == self._environment).limit(1)
            return look(connection) if connection.execute(feeds).first() else otherwise
