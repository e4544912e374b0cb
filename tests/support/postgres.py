"""A real PostgreSQL server for the tests, like the servers of ``servers``."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import psycopg

from tests.support.processes import release, tail
from tests.support.servers import HOST, Server, free_port, missing


class PostgresServer(Server):
    """PostgreSQL on a loopback port, with a superuser ``taskflow`` who needs no password.

    PostgreSQL refuses to run as root. Under root it runs as Debian's user ``postgres``, or ``nobody``, in a folder that
    this user may enter, because pytest's own folders are closed to other users.
    """

    name = "PostgreSQL"

    def __init__(self, binaries: Path) -> None:
        super().__init__(Path(tempfile.mkdtemp(prefix="taskflow-postgres-")))
        self._binaries = binaries
        self._data = self.directory / "data"
        self.port = free_port()
        self.database = "postgres"

    @property
    def url(self) -> str:
        """The address of the current database."""
        return f"postgresql://taskflow@{HOST}:{self.port}/{self.database}"

    def fresh_database(self) -> str:
        """Make an empty database and return its ``url``."""
        name = f"t{uuid4().hex[:8]}"
        self.database = "postgres"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        self.database = name
        return self.url

    def flush(self) -> None:
        """Make a new, empty database; ``url`` changes."""
        self.fresh_database()

    def stop(self) -> None:
        """Send SIGINT, at which the server ends the sessions and writes all commits."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """``kill -9`` the server. Its children notice and end."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        """End the server and remove its data."""
        self._end(signal.SIGQUIT)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _end(self, number: signal.Signals) -> None:
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.send_signal(number)
            self.process.wait(30)
            release(self.process.pid)
            self.process = None

    def _prepare(self) -> None:
        if self._data.exists():
            return
        if os.getuid() == 0:
            os.chown(self.directory, self._user().pw_uid, self._user().pw_gid)
        options = [
            "-D",
            str(self._data),
            "-U",
            "taskflow",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]
        made = subprocess.run(
            [*self._as_user(), self._binaries / "initdb", *options],
            cwd=self.directory, env=self._env(), capture_output=True, text=True,
        )  # fmt: skip
        assert made.returncode == 0, made.stdout + made.stderr

    def _argv(self) -> list[str]:
        settings = {
            "port": self.port,
            "listen_addresses": HOST,
            "unix_socket_directories": "",
            "fsync": "off",
            "max_connections": 40,
            "log_min_messages": "fatal",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [*map(str, self._as_user()), str(self._binaries / "postgres"), "-D", str(self._data), *options]

    def _answers(self) -> bool:
        with suppress(psycopg.OperationalError), psycopg.connect(self.url, connect_timeout=5):
            return True
        assert self.is_running, tail(self.log)
        return False

    def _as_user(self) -> list[str]:
        if os.getuid() != 0:
            return []
        user = self._user()
        return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--"]

    def _user(self) -> pwd.struct_passwd:
        with suppress(KeyError):
            return pwd.getpwnam("postgres")
        return pwd.getpwnam("nobody")


def find_postgresql() -> Path:
    """Return the folder of PostgreSQL's programs, or skip (in CI: fail) the test."""
    folders = [path.parent for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))]
    on_path = shutil.which("initdb")
    if on_path is not None:
        folders.append(Path(on_path).parent)
    if not folders:
        missing("postgresql")
    return folders[-1]
