"""The connection to the history's database: its address, its opening, and the detection of its loss."""

import fcntl
import logging
import os
import sqlite3
import tempfile
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, SQLAlchemyError

from taskflow.errors import HistoryUnavailableError, SettingsError
from taskflow.project import make_private
from taskflow.settings import Settings

log = logging.getLogger("taskflow.history")
BUSY_MS: Final = 10_000
_POSTGRESQL: Final[dict[str, Any]] = {
    "connect_timeout": 5,
    "client_encoding": "utf8",  # whatever PGCLIENTENCODING says
    "keepalives_idle": 10,
    "tcp_user_timeout": 20_000,  # a frozen server is given up after 20 s
}
_REFUSED: Final = ("22", "23", "54")
"""Classes of SQLSTATE that are about the values: data, constraints, and limits such as the size of an index's row."""
_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def database_url(settings: Settings) -> URL | None:
    """Return the address of the history, None when there is none.

    Raises:
        SettingsError: The address can't be read.
    """
    written = settings.database_url
    if written == "none":
        return None
    if written is None:
        return URL.create("sqlite", database=str((settings.home / "history.db").absolute()))
    try:
        url = make_url(written)
    except (ArgumentError, ValueError):
        raise SettingsError(
            "TASKFLOW_DATABASE_URL can't be read as an address. Write postgresql://user:password@host:5432/database "
            "with special characters of the password %-encoded, sqlite:////absolute/path.db, or none."
        ) from None
    if url.get_backend_name() == "sqlite":
        return url.set(drivername="sqlite", database=os.path.abspath(url.database or ""))
    return url.set(drivername="postgresql+psycopg")


class Database:
    """One process's connection to the history. Survives forks, restarts of the server, and a deleted SQLite file.

    Attributes:
        losses: How often the SQLite file was found deleted or replaced.
    """

    def __init__(self, url: URL) -> None:
        self.url, self.losses = url, 0
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._file: tuple[int, int] | None = None
        self._pid = os.getpid()

    @property
    def address(self) -> str:
        """Its address without the password, for messages."""
        return self.path.as_posix() if self.is_sqlite else self.url.set(query={}).render_as_string(hide_password=True)

    @property
    def path(self) -> Path:
        """The SQLite file."""
        return Path(self.url.database or "")

    def prepare(self) -> None:
        """Make the database, where it is a file, and bring it to the newest schema.

        Raises:
            HistoryUnavailableError: It did not answer, its schema is one of a newer version, or its encoding does not
                hold every text.
        """
        from taskflow.history.migrate import migrate  # only writers need Alembic

        if not self.is_sqlite:
            with self.writing() as connection:
                self._refuse_other_encodings(connection)
                migrate(connection)
            return
        with self._creating(), self.writing() as connection:
            migrate(connection)

    def check(self) -> None:
        """Read from the database once, and look whether it can hold every text.

        Raises:
            HistoryUnavailableError: It did not answer, or can't.
        """
        if not self.is_sqlite:
            with self.reading() as connection:
                self._refuse_other_encodings(connection)

    def _refuse_other_encodings(self, connection: Connection) -> None:
        encoding = str(connection.exec_driver_sql("SHOW server_encoding").scalar_one())
        if encoding != "UTF8":
            raise HistoryUnavailableError(
                f"{self.address} has the encoding {encoding}, which does not hold every text. Make a database with "
                "CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0"
            )

    @contextmanager
    def writing(self) -> Generator[Connection]:
        """Lend a connection in a transaction, committed at the end.

        Raises:
            HistoryUnavailableError: The database did not answer, or its file was deleted; nothing was written.
            RefusedError: It does not take these values.
        """
        if self.is_lost():
            raise HistoryUnavailableError(f"{self.path} was deleted or replaced")
        with _our_errors(), self._current().connect() as connection:
            if self.is_sqlite:
                connection = connection.execution_options(taskflow_begin="BEGIN IMMEDIATE")
            else:
                _prepare_statements(connection, after=1)
            with connection.begin():
                yield connection

    @contextmanager
    def reading(self) -> Generator[Connection]:
        """Lend a connection for queries.

        Raises:
            HistoryUnavailableError: The database did not answer.
        """
        with _our_errors(), self._current().connect() as connection:
            if not self.is_sqlite:
                _prepare_statements(connection, after=None)
            yield connection

    def is_lost(self) -> bool:
        """Whether the SQLite file that was opened is no longer the one at its path."""
        return self._file is not None and self._identity() != self._file

    def abandon(self) -> None:
        """Close what is open, and put a damaged SQLite file aside."""
        with self._lock:
            self.losses += self.is_lost()
            if self._engine is not None:
                self._engine.dispose()
            self._engine, self._file = None, None
        if self.is_sqlite and self.path.exists() and self._is_damaged():
            self.path.replace(self.path.with_name(f"{self.path.name}.damaged"))

    def close(self) -> None:
        """Close every connection."""
        if self._engine is not None and self._pid == os.getpid():
            self._engine.dispose()

    def _current(self) -> Engine:
        with self._lock:
            if self._pid != os.getpid():
                _inherited.append(self._engine)  # never closed here: closing would touch the parent's file or socket
                self._engine, self._file, self._pid = None, None, os.getpid()
            if self._engine is not None and self.is_lost():
                self.losses += 1
                self._engine.dispose()
                self._engine, self._file = None, None
            if self._engine is None:
                self._engine = _engine(self.url)
                self._file = self._identity()
            return self._engine

    def _identity(self) -> tuple[int, int] | None:
        if not self.is_sqlite:
            return None
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return (0, 0) if self._file else None
        return status.st_dev, status.st_ino

    @contextmanager
    def _creating(self) -> Generator[None]:
        """Hold the lock under which a missing file is made. Remnants of a deleted one would damage the new one."""
        try:
            make_private(self.path.parent)
            with open(os.open(self.path.with_name(f"{self.path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)) as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not self.path.exists():
                    for suffix in ("-wal", "-shm"):
                        self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
                    _make_sqlite(self.path)
                yield
        except HistoryUnavailableError:
            raise
        except OSError as error:
            raise HistoryUnavailableError(f"{self.path} can't be made: {error}") from error

    def _is_damaged(self) -> bool:
        try:
            with sqlite3.connect(f"file:{self.path}?mode=ro", uri=True) as connection:
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            return False
        except sqlite3.DatabaseError as error:
            return error.sqlite_errorcode & 0xFF in _DAMAGED


class RefusedError(HistoryUnavailableError):
    """The database answers and does not take a value: trying again would not help."""


_inherited: list[Engine | None] = []


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        return create_engine(
            url, connect_args=_POSTGRESQL, pool_pre_ping=True, pool_size=2, max_overflow=8, hide_parameters=True
        )
    # mode=rw: a file that was deleted must not come back empty, without tables.
    file = url.set(database=f"file:{quote(url.database or '')}", query={"mode": "rw", "uri": "true"})
    engine = create_engine(file, connect_args={"timeout": BUSY_MS / 1000}, hide_parameters=True)
    event.listen(engine, "connect", _open_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_statements(connection: Connection, *, after: int | None) -> None:
    """Make psycopg prepare the statements that write, because those repeat, and not the filters.

    A prepared statement's general plan does not depend on how rare a filter's value is.
    """
    raw: Any = connection.connection.dbapi_connection
    raw.prepare_threshold = after


def _make_sqlite(path: Path) -> None:
    """Make an empty database that keeps a write-ahead log: in place at once, so that nobody opens half of it."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made = sqlite3.connect(Path(folder) / path.name)
        made.execute("PRAGMA journal_mode=WAL")
        made.execute("PRAGMA user_version=1")  # nothing is written before the first change
        made.close()
        (Path(folder) / path.name).chmod(0o600)
        (Path(folder) / path.name).replace(path)


def _open_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # SQLAlchemy begins transactions itself, see _begin_sqlite
    for pragma in ("synchronous=NORMAL", f"busy_timeout={BUSY_MS}", "cache_size=-16000"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("taskflow_begin", "BEGIN"))


@contextmanager
def _our_errors() -> Generator[None]:
    """Turn the driver's errors into ours, without statements and values."""
    try:
        yield
    except (DataError, IntegrityError) as error:
        raise RefusedError(_reason(error.orig)) from error
    except DBAPIError as error:
        if str(getattr(error.orig, "sqlstate", None))[:2] in _REFUSED:
            raise RefusedError(_reason(error.orig)) from error
        raise HistoryUnavailableError(_reason(error.orig)) from error
    except SQLAlchemyError as error:
        raise HistoryUnavailableError(type(error).__name__) from error


def _reason(error: BaseException | None) -> str:
    """Return the first line of a driver's error: PostgreSQL puts values into the further ones."""
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no message'}"
