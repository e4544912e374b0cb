"""The cookie of a session. It has a random secret, of which the store has a hash."""

from starlette.requests import Request
from starlette.responses import Response

from taskflow.engine.serving.users import SESSION_LIFE
from taskflow.server.dashboard.view.reader import READER


def session_cookie(environment: str) -> str:
    """Return the cookie's name. Browsers send a host's cookies to all of its ports, so environments have their own."""
    return f"taskflow_session_{environment}"


def session_secret(request: Request) -> str:
    """Return the secret of a request's session, "" without one."""
    return request.cookies.get(_name(), "")


def keep_session(request: Request, response: Response, secret: str) -> None:
    """Give the browser a session's secret."""
    response.set_cookie(
        _name(),
        secret,
        max_age=round(SESSION_LIFE.total_seconds()) * 60,  # the store decides when it ends: each use prolongs it
        path=_path(request),
        secure=_is_https(request),
        httponly=True,
        samesite="lax",
    )


def drop_session(request: Request, response: Response) -> None:
    """Take a session's secret from the browser."""
    response.delete_cookie(_name(), path=_path(request))


def _name() -> str:
    return session_cookie(READER.get().environment)


def _is_https(request: Request) -> bool:
    """Whether the browser speaks https, also to a proxy that the server does not know: the form's origin says so."""
    return request.url.scheme == "https" or request.headers.get("origin", "").lower().startswith("https://")


def _path(request: Request) -> str:
    return request.scope.get("root_path", "").rstrip("/") or "/"
