"""The dashboard below an address of a Django site, with the site's login and permissions. In ``asgi.py``::

application = with_dashboard(get_asgi_application(), "/taskflow")
"""

from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final
from urllib.parse import quote

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import get_user, logout
from django.db import close_old_connections
from django.http import HttpRequest, parse_cookie
from django.shortcuts import resolve_url
from django.utils.crypto import salted_hmac

from taskflow import SettingsError, TaskFlow
from taskflow.contrib.django.permissions import may
from taskflow.definition.calls.users import LONGEST_NAME, Role, User

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[None]]
ROLES: Final = {
    Role.ADMIN: "taskflow.administer_run",
    Role.OPERATOR: "taskflow.operate_run",
    Role.VIEWER: "taskflow.view_run",
}
"""The permission that each role of the dashboard needs."""
_SALT: Final = "taskflow.dashboard"
_PACKAGES: Final = ("starlette", "jinja2", "argon2")


def with_dashboard(application: Application, path: str = "/taskflow") -> Application:
    """Serve the dashboard below a path of a site, and the site everywhere else.

    Raises:
        SettingsError: The packages of the dashboard are not installed, or the path is that of the whole site.
    """
    if any(find_spec(name) is None for name in _PACKAGES):
        raise SettingsError("The dashboard needs more packages: pip install 'celery-taskflow[server]'")
    prefix = f"/{path.strip('/')}"
    if prefix == "/":
        raise SettingsError('The dashboard needs a path of its own: with_dashboard(application, "/taskflow").')
    return _WithDashboard(application, prefix)


class _WithDashboard:
    def __init__(self, application: Application, prefix: str) -> None:
        self._application, self._prefix = application, prefix
        self._dashboard: Application | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        outside = str(scope.get("root_path", ""))
        path = str(scope.get("path", "")).removeprefix(outside)
        if scope["type"] != "http" or not (path == self._prefix or path.startswith(f"{self._prefix}/")):
            await self._application(scope, receive, send)
            return
        root = f"{outside}{self._prefix}"
        if path == self._prefix:
            await send({"type": "http.response.start", "status": 307, "headers": [(b"location", f"{root}/".encode())]})
            await send({"type": "http.response.body", "body": b""})
            return
        dashboard = self._dashboard = self._dashboard or await sync_to_async(self._made, thread_sensitive=False)()
        await dashboard({**scope, "path": f"{outside}{path}", "root_path": root}, receive, send)

    def _made(self) -> Application:
        """Make the dashboard at the first request: the store may have to be started for it."""
        from taskflow.server import dashboard_app

        return dashboard_app(TaskFlow.current(), visitors=SiteVisitors(self._prefix))


class SiteVisitors:
    """The users of the site, by their session's cookie, with roles by their permissions."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    async def find(self, scope: Scope) -> Any:
        """Return the user of a request.

        Raises:
            PageProblem: The user has signed in, and has none of the permissions.
        """
        return await sync_to_async(self._find)(scope)

    async def is_open(self, scope: Scope) -> bool:
        """Whether the user of a request is still signed in, and may still look."""
        from taskflow.server import PageProblem

        try:
            return await self.find(scope) is not None
        except PageProblem:
            return False

    def sign_in(self, after: str) -> str:
        """Return the address of the site's login, which leads back."""
        back = quote(f"{self._prefix}{after or '/'}", safe="/")
        return f"{resolve_url(settings.LOGIN_URL)}?next={back}"

    async def leave(self, scope: Scope) -> None:
        """Sign the user of a request out of the site."""
        await sync_to_async(_sign_out)(scope)

    def _find(self, scope: Scope) -> Any:
        from taskflow.server import PageProblem, Visitor

        close_old_connections()
        try:
            request = _request(scope)
            user = get_user(request)
            if not user.is_authenticated or not user.is_active:
                return None
            name = user.get_username()[:LONGEST_NAME]
            role = next((role for role, permission in ROLES.items() if may(user, permission)), None)
        finally:
            close_old_connections()
        if role is None:
            text = f"{name} has none of the permissions {', '.join(reversed(ROLES.values()))}."
            raise PageProblem(403, "That is not allowed", text, "Ask an admin of the site for one.")
        secret = salted_hmac(_SALT, request.session.session_key or "", algorithm="sha256").hexdigest()
        return Visitor(User(name, role, "", "", datetime.now(UTC)), secret)


def _request(scope: Scope) -> HttpRequest:
    """Return a request with the session of a scope, which is all that Django's login needs."""
    cookies = [value.decode("latin-1") for name, value in scope["headers"] if name == b"cookie"]
    store: Any = import_module(settings.SESSION_ENGINE).SessionStore
    request = HttpRequest()
    request.session = store(parse_cookie("; ".join(cookies)).get(settings.SESSION_COOKIE_NAME))
    return request


def _sign_out(scope: Scope) -> None:
    close_old_connections()
    try:
        request = _request(scope)
        request.user = get_user(request)
        logout(request)
    finally:
        close_old_connections()
