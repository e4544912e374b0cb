"""Read runs from the history. Blocking: coroutines call it in a thread."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from sqlalchemy import Connection, inspect, select

from taskflow.definition.calls.run_filter import RunField, RunFilter, RunPage, RunPosition
from taskflow.errors import RunFilterError
from taskflow.history import query
from taskflow.history.database import Database
from taskflow.history.rows import attempt_of, clean, run_of
from taskflow.history.schema import QueueSampleRow
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
        kind: "status" (``value`` is the status), or "log", "span", "trace", "hook", "metadata", "tags" (``value`` is
            JSON).
    """

    position: int
    at_ms: int
    kind: str
    value: str


class Reader:
    """Reads one environment's runs. Every method raises ``HistoryUnavailableError`` without an answer.

    Attributes:
        environment: Its name.
    """

    def __init__(self, database: Database, environment: str) -> None:
        self._database = database
        self.environment = environment
        self._is_prepared = False

    def address(self) -> str:
        """Return the address of the history without its password, once it has answered."""
        self._database.check()
        self.is_ready()
        return self._database.address

    def is_ready(self) -> bool:
        """Whether a worker has filled this database from the store."""
        return self.read(lambda _: True, False)

    def retrieve(self, run_id: str) -> Run | None:
        """Return a run with payload, output and attempts; None when the history has none of this id."""

        def look(connection: Connection) -> Run | None:
            wanted = select(RUNS).where(RUNS.c.id == clean(run_id), RUNS.c.environment == self.environment)
            row = connection.execute(wanted).mappings().one_or_none()
            if row is None:
                return None
            tries = select(ATTEMPTS).where(ATTEMPTS.c.run_id == clean(run_id)).order_by(ATTEMPTS.c.number)
            return run_of(row, tuple(attempt_of(each) for each in connection.execute(tries).mappings()))

        return self.read(look, None)

    def documents(self, run_id: str) -> dict[str, bytes]:
        """Return payload, output and metadata of a run as they are stored, without those it does not have."""
        columns = (RUNS.c.payload, RUNS.c.output, RUNS.c.metadata)
        wanted = select(*columns).where(RUNS.c.id == clean(run_id), RUNS.c.environment == self.environment)

        def look(connection: Connection) -> dict[str, bytes]:
            row = connection.execute(wanted).mappings().one_or_none()
            texts = {} if row is None else {str(name): row[name] for name in row}
            return {name: str(text).encode() for name, text in texts.items() if text is not None}

        return self.read(look, {})

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
            statement = query.listing(self.environment, wanted, limit + 1, after, is_error_rare=is_rare)
            rows = connection.execute(statement).mappings().all()
            last = rows[limit - 1] if len(rows) > limit else None
            following = query.Cursor(last["created"], last["id"]).text() if last is not None else None
            return RunPage(tuple(run_of(row) for row in rows[:limit]), following)

        return self.read(look, RunPage(()))

    def window(self, wanted: RunFilter, limit: int, at: RunPosition | None) -> list[Run]:
        """Return up to ``limit`` runs on one side of a position, those next to it, newest first. See ``list_runs``.

        They have their outputs, except long ones.
        """
        after = query.Cursor(at.created_ms, clean(at.run_id), at.is_before) if at is not None else None

        def look(connection: Connection) -> list[Run]:
            is_rare = query.is_rare(connection, wanted.error)
            statement = query.listing(self.environment, wanted, limit, after, is_error_rare=is_rare)
            runs = [run_of(row) for row in connection.execute(statement.add_columns(query.SHORT_OUTPUT)).mappings()]
            return runs[::-1] if after is not None and after.is_before else runs

        return self.read(look, [])

    def count(self, by: Sequence[RunField], wanted: RunFilter) -> dict[tuple[str, ...], int]:
        """Return how many runs that match a filter have each combination of the values of some fields."""

        def look(connection: Connection) -> dict[tuple[str, ...], int]:
            rows = connection.execute(query.counting(self.environment, wanted, by))
            return {tuple(value or "" for value in values): count for *values, count in rows}

        return self.read(look, {})

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

        return self.read(look, [])

    def position(self, shard: int) -> int:
        """Return the position up to which the history has a shard's events, 0 when it does not have them all."""
        wanted = select(FEEDS.c.position).where(
            FEEDS.c.environment == self.environment, FEEDS.c.shard == shard, FEEDS.c.is_complete
        )
        return self.read(lambda connection: connection.execute(wanted).scalar_one_or_none() or 0, 0)

    def read(self, look: Callable[[Connection], T], otherwise: T) -> T:
        """Return what a function reads, or ``otherwise`` while no worker has made the tables and filled them."""
        return self._read(look, otherwise, FEEDS.name)

    def read_counts(self, look: Callable[[Connection], T], otherwise: T) -> T:
        """Return what a function reads of counts and groups, which a worker of an earlier release has not made."""
        return self._read(look, otherwise, QueueSampleRow.__tablename__)

    def _read(self, look: Callable[[Connection], T], otherwise: T, table: str) -> T:
        if self._database.is_sqlite and not self._database.path.exists():
            return otherwise
        with self._database.reading() as connection:
            if not inspect(connection).has_table(table):
                return otherwise
            feeds = select(FEEDS.c.shard).where(FEEDS.c.environment == self.environment).limit(1)
            return look(connection) if connection.execute(feeds).first() else otherwise

    def read_saved(self, look: Callable[[Connection], T], otherwise: T) -> T:
        """Return what a function reads of what people saved, which may be before any worker has filled the history."""
        if self._database.is_sqlite and not self._database.path.exists():
            return otherwise
        with self._database.reading() as connection:
            return look(connection) if inspect(connection).has_table(QueueSampleRow.__tablename__) else otherwise

    def change(self, act: Callable[[Connection], T]) -> T:
        """Return what a function writes in one transaction. Tables that no worker has made yet are made."""
        if not self._is_prepared:
            self._database.prepare()
            self._is_prepared = True
        with self._database.writing() as connection:
            return act(connection)
