"""Jinja's environment: autoescape, no undefined names, and what every template may use without an import."""

import hashlib
import re
from collections.abc import Mapping, MutableMapping
from typing import Any, Final, cast

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from starlette.responses import Response

from taskflow.server.dashboard.assets import asset
from taskflow.server.dashboard.navigation import groups
from taskflow.server.dashboard.view import durations, instants, numbers, statuses
from taskflow.server.dashboard.view.json_tree import json_tree
from taskflow.server.dashboard.view.links import root_url, url
from taskflow.server.dashboard.view.reader import READER
from taskflow.server.dashboard.view.shown import KeepFields, kept, shown


class _Environment(Environment):
    """An environment whose templates share one dict of globals: Jinja copies a chain of two at each rendering."""

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        return self.globals if not d else super().make_globals(d)


TEMPLATES: Final = _Environment(
    loader=PackageLoader("taskflow.server.dashboard"),
    undefined=StrictUndefined,
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    finalize=shown,
    extensions=[KeepFields],
    auto_reload=False,  # else each rendering asks the file system whether a template has changed
)
"""The templates. The macros of ``macros.html`` are global: ``{{ icon("i-play") }}`` works in every block."""
_HEADERS: Final = {"vary": "HX-Request, HX-Target, Cookie", "cache-control": "private, no-store"}
_TIMES: Final = re.compile(r">[^<]*(?=</time>)")
TEMPLATES.filters["kept"] = kept


def _prepare() -> None:
    shared: dict[str, object] = {
        "NO_BREAK": durations.NO_BREAK,
        "DASH": durations.DASH,
        "STATUS_WORDS": {status.value: word for status, word in statuses.WORDS.items()},
        "STATUS_TONES": {status.value: tone for status, tone in statuses.TONES.items()},
        "asset": asset,
        "url": url,
        "root_url": root_url,
        "reader": READER.get,
        "groups": groups,
        "duration": durations.duration,
        "whole_duration": durations.whole_duration,
        "number": numbers.number,
        "short_number": numbers.short_number,
        "share": numbers.share,
        "size": numbers.size,
        "counted": numbers.counted,
        "age_time": instants.age_time,
        "clock_time": instants.clock_time,
        "due_time": instants.due_time,
        "up_time": instants.up_time,
        "is_slow": instants.is_slow,
        "running_time": instants.running_time,
        "full_instant": instants.full_instant,
        "zone_name": instants.zone_name,
        "short_id": statuses.short_id,
        "json_tree": json_tree,
        "clock_ms": instants.clock_ms,
    }
    TEMPLATES.globals.update(cast("dict[str, Any]", shared))
    macros = TEMPLATES.get_template("macros.html").module
    TEMPLATES.globals.update({name: value for name, value in vars(macros).items() if not name.startswith("_")})


_prepare()


def render(template: str, values: Mapping[str, object]) -> str:
    """Return the text of a template."""
    return TEMPLATES.get_template(template).render(values)


def render_block(template: str, block: str, values: Mapping[str, object]) -> str:
    """Return the text of one block of a template."""
    found = TEMPLATES.get_template(template)
    return "".join(found.blocks[block](found.new_context(dict(values))))


def render_part(template: str, block: str, values: Mapping[str, object]) -> str:
    """Return a block that htmx puts over the element with the block's name."""
    text = render_block(template, block, values)
    return f'<hx-partial hx-target="#{block}" hx-swap="outerMorph">{text}</hx-partial>'


def render_toast(title: str, detail: str = "", tone: str = "green") -> str:
    """Return a toast that htmx adds to those on the page."""
    return TEMPLATES.get_template("toast.html").render(title=title, detail=detail, tone=tone)


def render_page(template: str, target: str, status: int, values: Mapping[str, object], known: str = "") -> Response:
    """Return the answer with a whole page, or with the block that has the target's name.

    A block has an ETag. Times that go on in the page (``<time>``) do not change it.

    Args:
        known: The ETag of the block that the page shows: if it is the same, the answer is 304.
    """
    found: Template = TEMPLATES.get_template(template)
    if target not in found.blocks:
        return Response(found.render(values), status, _HEADERS, "text/html")
    text = render_block(template, target, values)
    tag = f'"{hashlib.sha256(_TIMES.sub(">", text).encode(errors="replace")).hexdigest()[:32]}"'
    if tag == known and status == 200:
        return Response(None, 304, {**_HEADERS, "etag": tag})
    return Response(text, status, {**_HEADERS, "etag": tag}, "text/html")
