"""Addresses of pages. Every link goes through ``url`` or ``root_url``, so that a URL prefix is respected."""

from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import quote, urlencode

from taskflow.server.dashboard.view.reader import READER

Parameter = str | int | bool | None | Sequence[str]


def url(*segments: object, **query: Parameter) -> str:
    """Return the address of a page of the environment: ``url("runs", run.id, view="logs")``.

    Args:
        segments: Parts of the path. Each one is quoted, so that an id may hold any character.
        query: Parameters. None and "" are left out, True is 1, a sequence repeats its parameter.
    """
    return root_url(READER.get().environment, *segments, **query)


def root_url(*segments: object, **query: Parameter) -> str:
    """Return an address without an environment: ``root_url("signin")``."""
    path = "/".join([_quoted(str(segment)) for segment in segments])
    if not query:
        return f"{READER.get().prefix}/{path}"
    pairs = [(name, each) for name, value in query.items() for each in _values(value)]
    return f"{READER.get().prefix}/{path}" + (f"?{urlencode(pairs)}" if pairs else "")


@lru_cache(maxsize=8192)
def _quoted(segment: str) -> str:
    return quote(segment, safe="")


def _values(value: Parameter) -> Sequence[str]:
    if value is None or value == "" or value is False:
        return ()
    if isinstance(value, str | int):
        return ("1" if value is True else str(value),)
    return value
