"""One environment with a worker, a history, and `taskflow mcp` over HTTP that reads, and one that writes too."""

import contextlib
import json
import sys
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, TextContent

from taskflow import TaskFlow
from taskflow.seams.current_application import CURRENT
from tests.support.commands import start_command
from tests.support.fleet import Fleet
from tests.support.http_server import HttpServer
from tests.support.processes import Process, kill_group, tail
from tests.support.servers import RedisServer, find_valkey, free_port
from tests.support.waiting import wait_until

MODULE = "tests.projects.mcp_tasks"
READ = {
    "list_tasks", "get_task", "list_runs", "count_runs", "get_run", "get_run_logs", "list_errors", "list_queues",
    "list_schedules",
}  # fmt: skip
WRITE = {"trigger_task", "replay_run", "cancel_run"}


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a call: its text, and what the text is as JSON."""

    is_error: bool
    text: str

    @property
    def document(self) -> dict[str, Any]:
        """The JSON of a success."""
        assert not self.is_error, self.text
        document: dict[str, Any] = json.loads(self.text)
        return document


class Assistant:
    """A connected client of the SDK."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def call(self, name: str, **arguments: object) -> Answer:
        """Call a tool."""
        result = await self.client.call_tool(name, arguments)
        assert isinstance(result, CallToolResult)
        (content,) = result.content
        assert isinstance(content, TextContent)
        return Answer(bool(result.is_error), content.text)

    async def get(self, name: str, **arguments: object) -> dict[str, Any]:
        """Return the JSON of a tool's result."""
        return (await self.call(name, **arguments)).document

    async def tools(self) -> set[str]:
        """Return the names of the tools that are offered."""
        return {tool.name for tool in (await self.client.list_tools()).tools}


class McpServer:
    """One ``taskflow mcp --http``."""

    def __init__(self, folder: Path, env: Mapping[str, str], *options: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/mcp"
        self.log = folder / f"mcp-{self.port}.log"
        with self.log.open("wb") as output:
            words = ("mcp", "--http", "--port", str(self.port), *options)
            self.process: Process = start_command(*words, env=env, output=output)
        wait_until(self._answers, f"the server to answer; its log:\n{tail(self.log)}", timeout=30)

    def _answers(self) -> bool:
        assert self.process.poll() is None, f"the server ended at its start:\n{tail(self.log)}"
        try:
            return httpx.post(self.url, timeout=1).status_code == 401
        except httpx.HTTPError:
            return False


class Place:
    """The environment, its worker and its servers."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        self.folder, self.redis_url = folder, redis_url
        self._other: Fleet | None = None
        history = f"sqlite:///{folder / 'history.db'}"
        self.fleet = Fleet(folder, redis_url, is_new=True, home=folder / "home", database_url=history)
        keys = self.fleet.flow.engine.api_keys
        self.key, self.reader_key = keys.create("writer")[1], keys.create("reader", is_read_only=True)[1]
        self.env = self.fleet.env(TASKFLOW_TASKS="", TASKFLOW_REDACT="$..password")
        self.reading = McpServer(folder, self.env)
        self.writing = McpServer(folder, self.env, "--write")
        self.fleet.start_node(executor="async", concurrency=50, TASKFLOW_TASKS=MODULE)

    @property
    def flow(self) -> TaskFlow:
        """The app of the store."""
        return self.fleet.flow

    def other_environment(self) -> Fleet:
        """Return another environment of the same store."""
        if self._other is None:
            self._other = Fleet(self.folder, self.redis_url, is_new=True)
        return self._other

    def close(self) -> None:
        """End all processes."""
        if self._other is not None:
            self._other.close()
        for server in (self.reading, self.writing):
            kill_group(server.process)
        self.fleet.close()


@pytest.fixture(scope="session")
def _place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("mcp")
    store = RedisServer(folder / "valkey", find_valkey(), name="Valkey")
    store.start()
    place = Place(folder, store.url)
    yield place
    place.close()
    store.close()


@pytest.fixture(scope="session")
def api_server(_place: Place) -> Iterator[HttpServer]:
    """A server of the environment's HTTP API."""
    server = HttpServer(_place.folder, _place.fleet.env(TASKFLOW_TASKS=""))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def place(_place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """The environment."""
    monkeypatch.setattr(CURRENT, "application", None)
    return _place


@contextlib.asynccontextmanager
async def over_http(server: McpServer, key: str, mode: str = "auto") -> AsyncGenerator[Assistant]:
    """Connect over streamable HTTP with a key."""
    headers = {"authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
        transport = streamable_http_client(server.url, http_client=http)
        async with Client(transport, mode=mode) as client:
            yield Assistant(client)


@contextlib.asynccontextmanager
async def over_stdio(folder: Path, env: Mapping[str, str], *options: str) -> AsyncGenerator[Assistant]:
    """Start ``taskflow mcp`` as a client does: in another folder, with the variables of its configuration."""
    words = ["-m", "taskflow", "mcp", *options]
    server = StdioServerParameters(command=sys.executable, args=words, env=dict(env), cwd=folder)
    async with Client(server, read_timeout_seconds=60) as client:
        yield Assistant(client)
