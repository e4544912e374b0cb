"""The HTTP API of an environment, in the test's process: the real application on a real store, without a socket."""

from collections.abc import Mapping

import httpx
from httpx import ASGITransport
from starlette.applications import Starlette

from taskflow import TaskFlow
from taskflow.server.app import create_app


class Api:
    """An application with a secret key, and clients of it."""

    def __init__(self, flow: TaskFlow) -> None:
        self.flow = flow
        self.app: Starlette = create_app(flow)
        self.key = self.make_key("tests")

    def make_key(self, name: str, **options: object) -> str:
        """Make a secret key and return it."""
        return self.flow.engine.api_keys.create(name, **options)[1]  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - options of `create`

    def client(self, bearer: str | None = "", **headers: str) -> httpx.AsyncClient:
        """Return a client with a key or token; "" is the environment's key, None is none."""
        given: Mapping[str, str] = {"authorization": f"Bearer {bearer or self.key}"} if bearer is not None else {}
        transport = ASGITransport(app=self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://api.test", headers={**given, **headers})
