"""A Flask app and the dashboard in one ASGI application, for uvicorn and its like."""

from typing import TYPE_CHECKING, Any

from flask import Flask

from taskflow.errors import SettingsError

if TYPE_CHECKING:
    from taskflow.server.mounted.application import ASGIApplication


def asgi(app: Flask, *, prefix: str = "/taskflow", threads: int = 10) -> "ASGIApplication":
    """Return an ASGI application: the dashboard below a prefix, and the app, which is WSGI, for all other paths.

    Args:
        threads: How many requests of the app are served at a time.

    Raises:
        SettingsError: Packages are missing, or the prefix is no path.
    """
    try:
        from a2wsgi import WSGIMiddleware

        from taskflow.server.mounted.application import beside
    except ModuleNotFoundError as missing:
        raise SettingsError(
            f"{missing.name} is missing: pip install 'celery-taskflow[flask,server]' for the dashboard beside an app."
        ) from None
    wsgi: Any = app  # the two packages name the types of WSGI differently
    site: Any = WSGIMiddleware(wsgi, workers=threads)
    return beside(site, prefix)
