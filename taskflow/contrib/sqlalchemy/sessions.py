"""SQLAlchemy's transactions: a trigger in one makes its run when the outermost transaction is committed.

A session begins a transaction with its first query. One that has only read makes no trigger wait, because most such
transactions are never committed.
"""

import logging
import re
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, partial
from typing import Any, Final
from weakref import ReferenceType, WeakKeyDictionary, ref

from sqlalchemy import Connection, Table, event
from sqlalchemy.orm import Session, SessionTransaction, SessionTransactionOrigin
from sqlalchemy.orm import scoped_session as ScopedSession  # noqa: N812 - a class
from sqlalchemy.orm import sessionmaker as SessionMaker  # noqa: N812

from taskflow import Settings, TriggerOptionError
from taskflow.contrib.sqlalchemy.engines import look_after
from taskflow.contrib.sqlalchemy.outbox import record, sweep
from taskflow.errors import SettingsError
from taskflow.seams.transactions import TRANSACTIONS, Transaction

log = logging.getLogger("taskflow.trigger")

Followed = type[Session] | Session | SessionMaker[Any] | ScopedSession[Any]
"""The sessions to follow: Flask-SQLAlchemy's ``db.session``, a factory, a class, or one session."""
_READS: Final = re.compile(
    r"[\s(]*(select|show|explain|pragma|values|set|savepoint|release|rollback|with(?!.*\b(insert|update|delete|merge)\b))\b",
    re.IGNORECASE | re.DOTALL,
)
"""The statements that write nothing: with those that a savepoint consists of."""
_chosen: ContextVar[Session | None] = ContextVar("taskflow_session", default=None)


def follow(sessions: Followed, *, outbox: Table | None = None) -> None:
    """Have triggers in transactions of these sessions wait for the commit, from now on.

    Args:
        outbox: The table from ``outbox_table``. Each trigger is written into it, as a part of its transaction, so that
            no killed process loses it. Call ``follow`` where workers do so, too: they make what is left there.

    Raises:
        SettingsError: Another framework's transactions are followed already.
        TypeError: They are no sessions, or those of an event loop.
    """
    if TRANSACTIONS.source not in (None, _SESSIONS):
        raise SettingsError(
            "The transactions of Django are followed in this process: use those, or leave follow() out."
        )
    if not isinstance(sessions, Session | SessionMaker | ScopedSession) and not _is_class(sessions):
        raise TypeError(
            f"{type(sessions).__name__} can't be followed. Use a Session, a sessionmaker or a scoped_session, for "
            "example db.session of Flask-SQLAlchemy. Sessions of an event loop are not followed: trigger after their "
            "commit."
        )
    _listen(sessions)
    TRANSACTIONS.source = _SESSIONS
    if outbox is not None:
        outbox_of_process.table = outbox
        TRANSACTIONS.sweep = partial(sweep, _maker(sessions), outbox)
    is_default.cache_clear()
    look_after()


@contextmanager
def at_commit(session: Session) -> Generator[None]:
    """Have the triggers inside wait for the commit of this session, also if it has only read or is not followed yet.

    For sessions that begin in another thread, and where several are open.
    """
    if TRANSACTIONS.source is not _SESSIONS:
        follow(session)
    _listen(session)
    token = _chosen.set(session)
    try:
        yield
    finally:
        _chosen.reset(token)


class _Waiting:
    """The triggers that wait for a session, by the transaction in which they stand, and what the session has done."""

    def __init__(self) -> None:
        self.by_transaction: dict[SessionTransaction, list[Callable[[], None]]] = {}
        self.committed: set[SessionTransaction] = set()
        self.has_written = False
        self.was_rolled_back = False


_waiting: Final[WeakKeyDictionary[Session, _Waiting]] = WeakKeyDictionary()
_threads: Final[WeakKeyDictionary[Session, int]] = WeakKeyDictionary()
"""The sessions with a transaction, with the thread that has begun it."""
_of_connections: Final[WeakKeyDictionary[Connection, ReferenceType[Session]]] = WeakKeyDictionary()
_lock: Final = threading.Lock()


class _OutboxOfProcess:
    """The table of this process's outbox."""

    table: Table | None = None


outbox_of_process: Final = _OutboxOfProcess()


class SessionsTransaction:
    """The open transaction of a session, or its innermost savepoint."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def on_commit(self, publish: Callable[[], None]) -> None:
        """Have a function called after the commit. The rollback of the savepoint that registered it drops it."""
        session = self._session
        innermost = session.get_nested_transaction() or session.get_transaction() or session.begin()
        _waiting_of(session).by_transaction.setdefault(innermost, []).append(publish)

    def record(self, planned_id: str, document: Callable[[], bytes]) -> Callable[[], None] | None:
        """Write an entry of the outbox, if the program has one."""
        table = outbox_of_process.table
        return None if table is None else record(self._session, table, planned_id, document())


class SessionTransactions:
    """The transactions of followed sessions that this thread has begun."""

    def open(self, using: str | None) -> Transaction | None:
        """Return the transaction that has written or was begun on purpose, if settings have triggers wait."""
        if using is not None:
            remedy = "Sessions have no names: use True, or `with at_commit(session):` of taskflow.contrib.sqlalchemy."
            raise TriggerOptionError("on_commit", using, remedy)
        if (chosen := _chosen.get()) is not None:
            return SessionsTransaction(chosen)
        writing = [session for session in _begun_here() if _is_to_be_committed(session)]
        return _only(writing) if writing and is_default() else None

    def open_anywhere(self) -> Transaction | None:
        """Return the open transaction, also of a session that has only read."""
        if (chosen := _chosen.get()) is not None:
            return SessionsTransaction(chosen)
        begun = _begun_here()
        return _only([session for session in begun if _is_to_be_committed(session)] or begun)


def _only(sessions: list[Session]) -> Transaction | None:
    if len(sessions) > 1:
        remedy = (
            f"{len(sessions)} sessions have open transactions: trigger in `with at_commit(session):` of "
            "taskflow.contrib.sqlalchemy, or use on_commit=False."
        )
        raise TriggerOptionError("on_commit", None, remedy)
    return SessionsTransaction(sessions[0]) if sessions else None


def _begun_here() -> list[Session]:
    mine = threading.get_ident()
    with _lock:
        return [session for session, thread in _threads.items() if thread == mine]


def _is_to_be_committed(session: Session) -> bool:
    """Whether the transaction has written, or is in a block that commits it."""
    root = session.get_transaction()
    if root is None:
        return False
    is_begun = root.origin is not SessionTransactionOrigin.AUTOBEGIN or session.in_nested_transaction()
    return is_begun or _waiting_of(session).has_written or bool(session.new or session.dirty or session.deleted)


def _waiting_of(session: Session) -> _Waiting:
    with _lock:
        return _waiting.setdefault(session, _Waiting())


def _began(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        with _lock:
            _threads[session] = threading.get_ident()


def _connected(session: Session, _: SessionTransaction, connection: Connection) -> None:
    """Look at the statements of the session's connection: the session itself does not see all of them."""
    with _lock:
        _of_connections[connection] = ref(session)
    if not event.contains(connection, "before_cursor_execute", _executes):
        event.listen(connection, "before_cursor_execute", _executes)


def _executes(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
    with _lock:
        found = _of_connections.get(connection)
    session = found() if found else None
    if session is not None and not _READS.match(statement):
        _waiting_of(session).has_written = True


def _committed(session: Session) -> None:
    """Note the commit of the transaction, or the release of the savepoint, that ends next."""
    innermost = session.get_nested_transaction() or session.get_transaction()
    if innermost is not None:
        _waiting_of(session).committed.add(innermost)


def _rolled_back(session: Session) -> None:
    """Note that the transaction which ends next was rolled back on purpose."""
    _waiting_of(session).was_rolled_back = True


def _ended(session: Session, transaction: SessionTransaction) -> None:
    """Make the runs of a committed transaction, or hand those of a savepoint to the one around it."""
    waiting = _waiting_of(session)
    publishes = waiting.by_transaction.pop(transaction, [])
    is_committed = transaction in waiting.committed
    waiting.committed.discard(transaction)
    was_rolled_back, waiting.was_rolled_back = waiting.was_rolled_back, False
    around = transaction.parent
    while around is not None and not around.nested and around.parent is not None:
        around = around.parent
    if around is None:
        waiting.has_written = False
        with _lock:
            _threads.pop(session, None)
    if not is_committed and publishes and not was_rolled_back:
        log.warning(
            "trigger.dropped: a session was closed without a commit: %d runs that waited for it are not made",
            len(publishes),
        )
    elif is_committed and around is not None:
        waiting.by_transaction.setdefault(around, []).extend(publishes)
    elif is_committed:
        for publish in publishes:
            publish()


@cache
def is_default() -> bool:
    """Whether triggers in a transaction wait for it. Read once, as all settings are."""
    return Settings.read().on_commit


def _listen(sessions: Followed) -> None:
    """Register the listeners. The same one twice has no other effect than once."""
    for name, listener in _LISTENERS.items():
        event.listen(sessions, name, listener)


def _maker(sessions: Followed) -> Callable[[], Session]:
    """Return what makes a session with the binds of these."""
    if isinstance(sessions, Session):
        return partial(Session, sessions.get_bind())
    return sessions.session_factory if isinstance(sessions, ScopedSession) else sessions


def _is_class(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Session)


_SESSIONS: Final = SessionTransactions()
_LISTENERS: Final[dict[str, Callable[..., None]]] = {
    "after_transaction_create": _began,
    "after_begin": _connected,
    "after_commit": _committed,
    "after_rollback": _rolled_back,
    "after_transaction_end": _ended,
}
