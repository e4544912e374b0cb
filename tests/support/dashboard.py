"""The dashboard of an environment, in the test's process: the real application on a real store, without a socket."""

import re
from typing import Final

import httpx
from httpx import ASGITransport

from taskflow import TaskFlow
from taskflow.definition.calls.users import Role
from taskflow.server.app import create_app
from taskflow.server.dashboard.sign_in.passwords import hash_password
from taskflow.server.dashboard.sign_in.sessions import session_cookie

PASSWORD: Final = "correct horse battery"
_HASHED: Final = hash_password(PASSWORD)
"""Hashed once, because hashes are slow on purpose."""
_TOKEN: Final = re.compile(r'name="csrf" value="([0-9a-f]+)"')


class Dashboard:
    """The application with a user of each role: ``viewer``, ``operator`` and ``admin``."""

    def __init__(self, flow: TaskFlow) -> None:
        self.flow = flow
        self.app = create_app(flow)
        for role in Role:
            flow.engine.users.add(role.value, role, _HASHED)

    def browser(self, **options: object) -> httpx.AsyncClient:
        """Return a client that nobody has signed in with."""
        transport = ASGITransport(app=self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://shop.test", **options)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - options of httpx

    async def visitor(self, name: str = "operator") -> "Visitor":
        """Return a signed-in user. The session is opened without a password, because checking one is slow."""
        users = self.flow.engine.users
        user = await users.aread(name)
        assert user is not None
        secret = await users.aopen_session(user, "")
        environment = self.flow.settings.environment
        return Visitor(self.browser(cookies={session_cookie(environment): secret}), environment)


class Visitor:
    """A user's browser: ``await visitor.get("runs")``, ``await visitor.post("queues/pause", queue="x")``."""

    def __init__(self, client: httpx.AsyncClient, environment: str) -> None:
        self.client, self._environment = client, environment
        self._token = ""

    async def get(self, path: str, *, part: str = "", **query: str) -> httpx.Response:
        """Open a page of the environment, or with ``part`` (``tbody#rows``) one part of it, as htmx does."""
        headers = {"hx-request": "true", "hx-target": part} if part else {}
        return await self.client.get(self._address(path), params=query or None, headers=headers)

    async def post(self, path: str, *, csrf: str | None = None, htmx: bool = False, **fields: str) -> httpx.Response:
        """Send a form with the session's token, or with another one."""
        token = await self.token() if csrf is None else csrf
        headers = {"hx-request": "true"} if htmx else {}
        return await self.client.post(self._address(path), data={"csrf": token, **fields}, headers=headers)

    async def token(self) -> str:
        """Return the token that the forms of the session carry."""
        if not self._token:
            found = _TOKEN.search((await self.get("runs")).text)
            assert found
            self._token = found[1]
        return self._token

    def _address(self, path: str) -> str:
        return path if path.startswith("/") else f"/{self._environment}/{path}"
