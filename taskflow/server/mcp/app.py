"""The ASGI application of ``taskflow mcp --http``: one path, where each request has a key and no session is kept."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from taskflow.app import TaskFlow
from taskflow.definition.documents.hiding import Hiding
from taskflow.mcp_server.server import Context, make_server
from taskflow.mcp_server.session import Session
from taskflow.server.access_log import AccessLog
from taskflow.server.auth import SecretKey, identify, rate_headers
from taskflow.server.problems import Problem, on_failure, on_http_exception, told_problem, untold_problem
from taskflow.server.state import ServerState
from taskflow.server.unread_bodies import UnreadBodies

PATH: Final = "/mcp"
LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")


def create_mcp_app(flow: TaskFlow, *, may_write: bool, names: Sequence[str] = LOOPBACK) -> Starlette:
    """Return the application of an environment.

    Args:
        may_write: Whether keys that may write are offered the tools that do.
        names: The host names by which clients call it. Requests for others are refused, so that a web page whose name
            is made to resolve to this address (DNS rebinding) reaches nothing.
    """
    session = Session(flow, Hiding.of(flow.settings.redact), may_write=may_write)
    sdk = make_server(_session_of).streamable_http_app(
        streamable_http_path=PATH,
        stateless_http=True,
        max_request_body_size=flow.settings.server_body_limit,
        transport_security=_security(names),
    )
    state = ServerState.of(flow, lambda _: None)
    seconds = flow.settings.server_body_timeout.total_seconds()
    app = Starlette(
        routes=[Route(PATH, _Keyed(sdk, state, session))],
        middleware=[Middleware(AccessLog), Middleware(UnreadBodies, seconds=seconds)],
        exception_handlers={HTTPException: on_http_exception, Exception: on_failure},
        lifespan=sdk.router.lifespan_context,
    )
    app.router.redirect_slashes = False
    return app


@dataclass(frozen=True, slots=True)
class _Keyed:
    """Checks the key of each request before its body is read, as the API does."""

    sdk: ASGIApp
    state: ServerState
    session: Session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        request = Request(scope, receive)
        request.state.route = PATH
        try:
            key = await self._key(request)
        except Exception as error:  # noqa: BLE001 - an unknown one is logged and answered with 500
            has_key = getattr(request.state, "has_key", False)
            problem = told_problem(error, request.headers) if has_key else untold_problem(error, request.headers)
            await problem.response()(scope, receive, send)
            return
        may_write = self.session.may_write and not key.key.is_read_only
        name = f"API {key.id}"
        request.state.mcp_session = replace(self.session, may_write=may_write, caller=name, origin=f"key {key.id}")
        await self.sdk(scope, receive, send)

    async def _key(self, request: Request) -> SecretKey:
        """Return the key of a request.

        Raises:
            Problem: 401, 403, 405 or 429.
        """
        caller = await identify(request, self.state)
        request.state.caller = caller.id
        if not isinstance(caller, SecretKey):
            raise Problem(403, "unauthorized", "This path needs a secret key.", "Use one of `taskflow keys create`.")
        request.state.has_key = True
        if request.method != "POST":  # no session is kept, so there is no stream to open and nothing to end
            allowed = {"allow": "POST", **rate_headers(caller.key)}
            raise Problem(405, "method_not_allowed", "The path takes POST only.", should_retry=False, headers=allowed)
        return caller


def _session_of(context: Context) -> Session:
    request: Request | None = context.request
    if request is None:
        raise RuntimeError("A request over HTTP has come without its connection.")
    session: Session = request.state.mcp_session
    return session


def _security(names: Sequence[str]) -> TransportSecuritySettings:
    hosts = [form for name in names for form in (name, f"{name}:*")]
    origins = [f"{scheme}://{host}" for scheme in ("http", "https") for host in hosts]
    return TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=origins)
