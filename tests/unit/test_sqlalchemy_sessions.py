"""Triggers that wait for a session of SQLAlchemy, and those that do not. No store is needed to see that."""

import logging
import threading
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import StaticPool, create_engine, insert, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, scoped_session, sessionmaker

from taskflow import TriggerOptionError
from taskflow.contrib.sqlalchemy import at_commit, follow
from taskflow.contrib.sqlalchemy.sessions import is_default
from taskflow.errors import SettingsError
from taskflow.seams.transactions import TRANSACTIONS
from taskflow.verbs.at_commit import open_transaction


class Base(DeclarativeBase):
    """The base of the tables."""


class Row(Base):
    """A row."""

    __tablename__ = "rows"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Triggers:
    """The triggers of a test: those that made their run, in order."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def __call__(self, name: str, on_commit: object = None) -> None:
        """Trigger."""
        transaction = open_transaction(on_commit)
        if transaction is None:
            self.made.append(f"{name} at once")
        else:
            transaction.on_commit(lambda: self.made.append(name))


@pytest.fixture
def trigger() -> Triggers:
    """Trigger a run of some name."""
    return Triggers()


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> Iterator[sessionmaker[Session]]:
    """A followed factory."""
    monkeypatch.setattr(TRANSACTIONS, "source", None)
    monkeypatch.delenv("TASKFLOW_ON_COMMIT", raising=False)
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    Base.metadata.create_all(engine)
    made = sessionmaker(engine)
    follow(made)
    yield made
    is_default.cache_clear()
    engine.dispose()


def _flush(session: Session) -> None:
    session.add(Row(name="a"))
    session.flush()


WRITES: dict[str, Callable[[Session], object]] = {
    "a new object": lambda session: session.add(Row(name="a")),
    "a flush": _flush,
    "a statement": lambda session: session.execute(insert(Row).values(name="a")),
    "text": lambda session: session.execute(text("UPDATE rows SET name = 'b'")),
    "text behind WITH": lambda session: session.execute(
        text("WITH x AS (SELECT 'q' AS n) INSERT INTO rows (name) SELECT n FROM x")
    ),
    "objects in bulk": lambda session: session.bulk_save_objects([Row(name="a")]),
    "mappings in bulk": lambda session: session.bulk_insert_mappings(Row.__mapper__, [{"name": "a"}]),
    "its connection": lambda session: session.connection().execute(insert(Row).values(name="a")),
    "a savepoint": lambda session: session.begin_nested(),
    "a block": lambda session: session.begin(),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_trigger_waits_for_a_session_that_writes(
    sessions: sessionmaker[Session], trigger: Triggers, write: Callable[[Session], object]
) -> None:
    """In each of the ways to write. The next transaction of the session begins anew."""
    with sessions() as session:
        write(session)
        trigger("first")
        assert trigger.made == []
        session.commit()
        while session.in_transaction():  # a savepoint's commit was the first one
            session.commit()
        assert trigger.made == ["first"]
        trigger("second")
        assert trigger.made == ["first", "second at once"]


def test_a_session_that_has_only_read_makes_no_trigger_wait(sessions: sessionmaker[Session], trigger: Triggers) -> None:
    """It may never be committed. With on_commit=True it does."""
    with sessions() as session:
        trigger("before", on_commit=True)
        session.execute(text(" select 1"))
        trigger("read")
        trigger("told", on_commit=True)
        assert trigger.made == ["before at once", "read at once"]
        session.commit()
    assert trigger.made[2:] == ["told"]


READS: dict[str, Callable[[Session], object]] = {
    "an object": lambda session: session.get(Row, 1),
    "a statement": lambda session: session.scalars(select(Row)).all(),
    "an expression": lambda session: session.execute(select(select(Row.id).cte("x"))).all(),
    "text behind WITH": lambda session: session.execute(text("WITH x AS (SELECT 1) SELECT * FROM x")).all(),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_no_way_to_read_makes_a_trigger_wait(
    sessions: sessionmaker[Session], trigger: Triggers, read: Callable[[Session], object]
) -> None:
    """Statements are told apart by their first words."""
    with sessions() as session:
        read(session)
        trigger("read")
        assert trigger.made == ["read at once"]


def test_a_rollback_of_a_savepoint_drops_its_triggers_only(sessions: sessionmaker[Session], trigger: Triggers) -> None:
    """Those of a released one wait for the outermost commit."""
    with sessions.begin() as session:
        trigger("outer")
        with session.begin_nested():
            trigger("kept")
            dropped = session.begin_nested()
            trigger("dropped")
            dropped.rollback()
            trigger("after")
        assert trigger.made == []
    assert trigger.made == ["outer", "kept", "after"]


@pytest.mark.parametrize("ends_by", ["rollback", "close"])
def test_a_session_without_a_commit_makes_no_run(
    sessions: sessionmaker[Session], trigger: Triggers, caplog: pytest.LogCaptureFixture, ends_by: str
) -> None:
    """A rollback is on purpose; a session that is only closed is probably not, so it is logged."""
    session = sessions()
    session.add(Row(name="a"))
    trigger("never")
    with caplog.at_level(logging.WARNING, "taskflow.trigger"):
        getattr(session, ends_by)()
    assert ("trigger.dropped" in caplog.text) is (ends_by == "close")
    session.add(Row(name="b"))
    trigger("later")
    session.commit()
    session.close()
    assert trigger.made == ["later"]


def test_a_failed_flush_drops_what_its_transaction_triggered(
    sessions: sessionmaker[Session], trigger: Triggers
) -> None:
    """The session can be used again after its rollback."""
    with sessions() as session:
        session.add(Row(id=1, name="a"))
        session.commit()
        session.add(Row(id=1, name="again"))
        trigger("never")
        with pytest.raises(Exception, match="UNIQUE"):
            session.commit()
        session.rollback()
        session.add(Row(id=2, name="b"))
        trigger("made")
        session.commit()
    assert trigger.made == ["made"]


def test_several_open_sessions_are_told_apart(sessions: sessionmaker[Session], trigger: Triggers) -> None:
    """A guess would make a run whose row is missing. So does a session of another thread unless it is named."""
    with sessions() as one, sessions() as other:
        one.add(Row(name="a"))
        other.add(Row(name="b"))
        with pytest.raises(TriggerOptionError, match="2 sessions have open transactions"):
            trigger("which")
        with at_commit(other):
            trigger("of the other")
        one.rollback()
        assert trigger.made == []
        other.commit()
    assert trigger.made == ["of the other"]
    session = sessions()

    def write() -> None:
        session.add(Row(name="c"))
        session.flush()

    thread = threading.Thread(target=write)
    thread.start()
    thread.join()
    trigger("unknown")
    with at_commit(session):
        trigger("named")
    assert trigger.made[1:] == ["unknown at once"]
    session.commit()
    session.close()
    assert trigger.made[1:] == ["unknown at once", "named"]


def test_a_setting_makes_triggers_not_wait(
    sessions: sessionmaker[Session], trigger: Triggers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """on_commit=True and at_commit go before it, and on_commit=False before all."""
    monkeypatch.setenv("TASKFLOW_ON_COMMIT", "false")
    is_default.cache_clear()
    with sessions() as session:
        session.add(Row(name="a"))
        trigger("default")
        trigger("told", on_commit=True)
        with at_commit(session):
            trigger("named")
            trigger("now", on_commit=False)
        session.commit()
    assert trigger.made == ["default at once", "now at once", "told", "named"]


def test_what_can_not_be_followed_is_refused(sessions: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is triggered."""
    follow(scoped_session(sessions))
    with pytest.raises(TypeError, match="Engine can't be followed"):
        follow(create_engine("sqlite://"))  # type: ignore[arg-type]
    with pytest.raises(TriggerOptionError, match="Sessions have no names"):
        open_transaction("other")
    monkeypatch.setattr(TRANSACTIONS, "source", object())
    with pytest.raises(SettingsError, match="Django"):
        follow(sessions)
