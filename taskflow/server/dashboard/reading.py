"""The reader of a request's answer: prefix, time zone, theme and density, from its path and its cookies."""

from typing import Final
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from starlette.requests import Request

from taskflow.app import TaskFlow
from taskflow.definition.documents.hiding import Hiding
from taskflow.server.dashboard.view.reader import Reader

_THEMES: Final = ("light", "dark")


def reader_of(request: Request, flow: TaskFlow, csrf: str = "") -> Reader:
    """Return what the rendering of a request's answer depends on."""
    prefix = request.scope.get("root_path", "").rstrip("/")
    theme = request.cookies.get("theme", "")
    zone = _zone(unquote(request.cookies.get("tz", "")))
    hiding = Hiding.of(flow.settings.redact)
    density = "compact" if request.cookies.get("density") == "compact" else ""
    return Reader(prefix, flow.settings.environment, zone, csrf, theme if theme in _THEMES else "", density, hiding)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError):  # an unknown name is a KeyError, one that is no name a ValueError
        return ZoneInfo("UTC")
