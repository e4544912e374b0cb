"""The lifespan: connections, applications that callers have set, and a store that is away."""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from taskflow import Settings, TaskFlow, task
from taskflow.contrib.fastapi import CurrentFlow, RunById, exception_handlers, taskflow_lifespan
from taskflow.seams.current_application import CURRENT
from tests.conftest import MakeServer
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until


@task(id="fastapi-lifespan")
async def greet(payload: int) -> str:
    """Greet."""
    return f"hello {payload}"


def make_app(lifespan: Any = taskflow_lifespan) -> FastAPI:
    """Return an application."""
    app = FastAPI(lifespan=lifespan, exception_handlers=exception_handlers)

    @app.post("/runs")
    async def place(number: str) -> str:  # pyright: ignore[reportUnusedFunction]
        given: Any = number  # it may not fit
        return (await greet.atrigger(given)).id

    @app.get("/runs/{run_id}")
    async def show(run: RunById, flow: CurrentFlow) -> list[str]:  # pyright: ignore[reportUnusedFunction]
        return [run.status, flow.settings.environment]

    return app


@pytest.fixture
def settings(tmp_path: Path, start_valkey: MakeServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[RedisServer]:
    """Settings of the process, as a server has them, without an application. Returns the store."""
    store = start_valkey()
    monkeypatch.setenv("TASKFLOW_REDIS_URL", store.url)
    monkeypatch.setenv("TASKFLOW_ENVIRONMENT", "lifespan")
    monkeypatch.setenv("TASKFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("TASKFLOW_DATABASE_URL", "none")
    monkeypatch.setenv("TASKFLOW_CONNECT_TIMEOUT", "1")
    monkeypatch.setattr(CURRENT, "application", None)
    yield store
    if isinstance(CURRENT.application, TaskFlow):
        CURRENT.application.close()


def clients(store: RedisServer) -> int:
    """Return how many connections a store has, without this one."""
    with closing(store.client()) as connection:
        listed = str(connection.execute_command("INFO", "clients"))
        found = re.search(r"connected_clients\W+(\d+)", listed)
        assert found, listed
        return int(found[1]) - 1


@asynccontextmanager
async def client_of(app: FastAPI) -> AsyncGenerator[httpx.AsyncClient]:
    """Hold a client within the lifespan of an application, as a server holds it."""
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            yield client


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    await asyncio.to_thread(wait_until, condition, "the condition")


def test_each_lifespan_makes_an_application_and_closes_it(settings: RedisServer) -> None:
    """Tests have many of them, each with a loop of its own. No connection is left, also before the loop ends."""

    async def serve() -> None:
        async with client_of(make_app()) as client:
            run_id = (await client.post("/runs", params={"number": "1"})).json()
            assert (await client.get(f"/runs/{run_id}")).json()[1] == "lifespan"
            assert clients(settings) > 0
        assert CURRENT.application is None
        await until(lambda: clients(settings) == 0)

    for _ in range(3):
        asyncio.run(serve())


async def test_errors_have_the_answers_of_fastapi(settings: RedisServer) -> None:
    """A store that is away does not keep the application from starting, and is no reason to start it again."""
    settings.stop()
    async with client_of(make_app()) as client:
        away = await client.post("/runs", params={"number": "1"})
        assert away.status_code == 503
        assert "redis" not in away.text
        assert away.json()["detail"] == "Background work is not available at the moment."
        settings.start()
        assert (await client.post("/runs", params={"number": "1"})).status_code == 200
        wrong = await client.post("/runs", params={"number": "many"})
        assert wrong.status_code == 422
        assert "valid integer" in wrong.json()["detail"]
        assert (await client.get("/runs/run_unknown")).status_code == 404


async def test_an_application_that_was_set_stays_open_and_a_lifespan_of_ones_own_works(settings: RedisServer) -> None:
    """The lifespan is a context manager, so that another one enters it."""
    seen: list[str] = []

    @asynccontextmanager
    async def own(app: FastAPI) -> AsyncGenerator[None]:
        async with taskflow_lifespan(app):
            seen.append("began")
            yield
        seen.append("ended")

    flow = TaskFlow(Settings.read(environment="set-before")).set_default()
    run_id = ""
    for _ in range(2):
        async with client_of(make_app(own)) as client:
            run_id = (await client.post("/runs", params={"number": "1"})).json()
            assert (await client.get(f"/runs/{run_id}")).json()[1] == "set-before"
        assert CURRENT.application is flow
    assert (await flow.engine.runs.aretrieve(run_id)).id == run_id
    assert seen == ["began", "ended"] * 2
