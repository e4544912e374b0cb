"""Files of the dashboard under names with a hash of their content, so that browsers keep them for a year."""

import hashlib
import mimetypes
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from taskflow.server.dashboard.view.reader import READER

_CACHED: Final = {"cache-control": "public, max-age=31536000, immutable"}
_REFERENCE: Final = re.compile(rb'url\("(?!data:)([^"]+)"\)')
mimetypes.add_type("font/woff2", ".woff2")


class Asset(NamedTuple):
    """A file: its name with a hash, its type and its content."""

    name: str
    media_type: str
    content: bytes


def asset(path: str) -> str:
    """Return the address of a file by its path in ``assets/``."""
    return READER.get().prefix + _path_of(path)


async def serve_asset(request: Request) -> Response:
    """Answer with a file by its name with a hash."""
    found = _by_name().get(request.path_params["name"])
    if found is None:
        return Response("There is no such file.", 404, media_type="text/plain")
    if request.headers.get("if-none-match") == f'"{found.name}"':
        return Response(status_code=304, headers=_CACHED)
    return Response(found.content, headers={**_CACHED, "etag": f'"{found.name}"'}, media_type=found.media_type)


@cache
def _path_of(path: str) -> str:
    return f"/assets/{_assets()[path].name}"


@cache
def _assets() -> Mapping[str, Asset]:
    """Return the files by path. Style sheets come last, because they name others."""
    root = files("taskflow.server.dashboard") / "assets"
    paths = dict(_walk(root, ""))
    found: dict[str, Asset] = {}
    for path in sorted(paths, key=lambda path: (path.endswith(".css"), path)):
        content = paths[path].read_bytes()
        if path.endswith(".css"):
            content = _REFERENCE.sub(lambda match: b'url("%s")' % found[match[1].decode()].name.encode(), content)
        stem, _, ending = path.rpartition("/")[2].rpartition(".")
        name = f"{stem}.{hashlib.sha256(content).hexdigest()[:10]}.{ending}"
        found[path] = Asset(name, mimetypes.guess_type(path)[0] or "application/octet-stream", content)
    return found


@cache
def _by_name() -> Mapping[str, Asset]:
    return {each.name: each for each in _assets().values()}


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, Traversable]]:
    found: list[tuple[str, Traversable]] = []
    for each in folder.iterdir():
        if each.is_dir():
            found += _walk(each, f"{prefix}{each.name}/")
        elif "LICENSE" not in each.name:
            found.append((f"{prefix}{each.name}", each))
    return found
