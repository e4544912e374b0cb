"""The table of an outbox in transactions of SQLAlchemy's sessions. No store is needed to see that."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, MetaData, create_engine, event, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from taskflow.contrib.sqlalchemy import follow, outbox_table
from taskflow.contrib.sqlalchemy.sessions import is_default, outbox_of_process
from taskflow.errors import StoreUnavailableError
from taskflow.seams.transactions import TRANSACTIONS
from taskflow.verbs.at_commit import open_transaction
from taskflow.verbs.left_triggers import MOST_ATTEMPTS

TABLE = outbox_table(MetaData())
MakeSessions = Callable[[Engine], Any]


@pytest.fixture(autouse=True)
def _nothing_is_followed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Begin and end each test in a process that follows no sessions."""
    monkeypatch.setattr(TRANSACTIONS, "source", None)
    monkeypatch.setattr(TRANSACTIONS, "sweep", None)
    monkeypatch.setattr(outbox_of_process, "table", None)
    monkeypatch.delenv("TASKFLOW_ON_COMMIT", raising=False)
    yield
    is_default.cache_clear()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A database of which a process has one connection, so that two at a time would wait for each other."""
    made = create_engine(f"sqlite:///{tmp_path}/data.sqlite3", pool_size=1, max_overflow=0, pool_timeout=1)

    @event.listens_for(made, "connect")
    def leave_transactions_to_us(connection: Any, _: object) -> None:  # else a savepoint would begin none
        connection.isolation_level = None

    @event.listens_for(made, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    TABLE.metadata.create_all(made)
    yield made
    made.dispose()


def trigger(planned_id: str, document: bytes = b"{}", forgets: bool = True) -> None:
    """Trigger as a verb does: record, and at the commit delete the entry."""
    transaction = open_transaction(True)
    assert transaction is not None
    forget = transaction.record(planned_id, lambda: document)
    assert forget is not None
    transaction.on_commit(forget if forgets else lambda: None)


def ids(engine: Engine) -> list[str]:
    """Return the ids of the entries."""
    with engine.begin() as connection:
        return list(connection.scalars(select(TABLE.c.id).order_by(TABLE.c.id)))


def scoped(engine: Engine) -> scoped_session[Session]:
    """Make what Flask-SQLAlchemy has as db.session."""
    return scoped_session(sessionmaker(engine))


def grow_old(engine: Engine) -> None:
    """Have the entries be older than the time in which their own process would make them."""
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE taskflow_outbox SET created = '2020-01-01 00:00:00.000000'")


@pytest.mark.parametrize("make", [sessionmaker, scoped, Session])
def test_an_entry_is_a_part_of_the_transaction_and_deleted_after_it(engine: Engine, make: MakeSessions) -> None:
    """Factories, scoped sessions and single ones, with one connection in all."""
    sessions = make(engine)
    follow(sessions, outbox=TABLE)
    session: Session = sessions if isinstance(sessions, Session) else sessions()
    with session.begin():
        trigger("run_kept", forgets=False)
        trigger("run_made")
        savepoint = session.begin_nested()
        trigger("run_undone", forgets=False)
        savepoint.rollback()
    assert ids(engine) == ["run_kept"]
    with session.begin():
        trigger("run_rolled_back", forgets=False)
        session.rollback()
    assert ids(engine) == ["run_kept"]
    assert TRANSACTIONS.sweep is not None
    assert TRANSACTIONS.sweep(lambda _: None) == 0, "its process may still be making it"
    grow_old(engine)
    made: list[bytes] = []
    assert TRANSACTIONS.sweep(made.append) == 1
    assert (made, ids(engine)) == ([b"{}"], [])
    session.close()


def test_an_entry_that_can_not_be_made_holds_up_no_other_and_is_set_aside(engine: Engine) -> None:
    """A store that does not answer is no failure of the entry."""
    sessions = sessionmaker(engine)
    follow(sessions, outbox=TABLE)
    with sessions.begin():
        trigger("run_broken", b"broken", forgets=False)
        trigger("run_good", b"good", forgets=False)
    grow_old(engine)

    def make(document: bytes) -> None:
        if document == b"broken":
            raise ValueError("no plan")

    def away(_: bytes) -> None:
        raise StoreUnavailableError("refused")

    assert TRANSACTIONS.sweep is not None
    with pytest.raises(StoreUnavailableError):
        TRANSACTIONS.sweep(away)
    assert TRANSACTIONS.sweep(make) == 1
    for _ in range(MOST_ATTEMPTS + 3):
        TRANSACTIONS.sweep(make)
    with engine.begin() as connection:
        (left,) = connection.execute(select(TABLE.c.id, TABLE.c.attempts, TABLE.c.error)).all()
    assert tuple(left) == ("run_broken", MOST_ATTEMPTS, "no plan")


def test_a_missing_table_fails_the_transaction_with_a_note(engine: Engine) -> None:
    """Nothing else would be safe."""
    TABLE.drop(engine)
    sessions = sessionmaker(engine)
    follow(sessions, outbox=TABLE)
    with pytest.raises(SQLAlchemyError) as missing, sessions.begin():
        trigger("run_1")
    assert any("taskflow_outbox" in note for note in missing.value.__notes__)


def test_a_session_within_a_transaction_of_a_test_uses_its_connection(engine: Engine) -> None:
    """The whole test is rolled back in the end, as SQLAlchemy's documentation has it."""
    with engine.connect() as connection:
        around = connection.begin()
        session = Session(connection, join_transaction_mode="create_savepoint")
        follow(session, outbox=TABLE)
        with session.begin():
            trigger("run_made")
            trigger("run_kept", forgets=False)
        assert list(connection.scalars(select(TABLE.c.id))) == ["run_kept"]
        session.close()
        around.rollback()
    assert ids(engine) == []


def test_the_table_has_a_name_and_a_schema_of_ones_own() -> None:
    """It stands in the program's metadata, so that migrations see it."""
    metadata = MetaData()
    table = outbox_table(metadata, name="planned", schema="shop")
    assert list(metadata.tables) == ["shop.planned"]
    assert [column.name for column in table.columns] == ["id", "document", "created", "attempts", "error"]
