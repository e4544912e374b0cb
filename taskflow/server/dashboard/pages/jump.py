"""The jump dialog: pages, tasks and queues by a part of their name, and runs, batches and tokens by their id."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from starlette.responses import Response

from taskflow.server.dashboard.navigation import groups
from taskflow.server.dashboard.page import Page
from taskflow.server.dashboard.view.links import url
from taskflow.server.dashboard.visit import Visit
from taskflow.server.task_shapes import task_shapes

_MOST: Final = 12
_IDS: Final = (("run_", "runs", "Run"), ("batch_", "batches", "Batch"), ("token_", "tokens", "Token"))


class Found(NamedTuple):
    """A page that a text may mean. ``path``: behind the environment."""

    name: str
    kind: str
    path: Sequence[str]

    @property
    def address(self) -> str:
        """The page's address."""
        return url(*self.path)


async def show(visit: Visit) -> Response:
    """Show what a text may mean. Enter opens the page if there is only one."""
    text = visit.query.get("q", "").strip()[:200]
    found = await _found(visit, text) if text else ()
    if len(found) == 1 and visit.request.headers.get("hx-request") != "true":
        return visit.go(*found[0].path)
    return visit.render("jump_page.html", found=found[:_MOST])


async def _found(visit: Visit, text: str) -> Sequence[Found]:
    ids = [Found(text, kind, (section, text)) for start, section, kind in _IDS if text.startswith(start)]
    if ids:
        return ids
    wanted = text.lower()
    entries = [entry for _, entries in groups(visit.known) for entry in entries]
    pages = [Found(entry.name, "Page", entry.path.split("/")) for entry in entries if wanted in entry.name.lower()]
    tasks = [Found(name, "Task", ("tasks", name)) for name in await task_shapes(visit.flow) if wanted in name.lower()]
    queues = [
        Found(queue.name, "Queue", ("queues", queue.name))
        for queue in await visit.engine.queues.alist()
        if wanted in queue.name.lower()
    ]
    return [*pages, *sorted(tasks), *sorted(queues)]


PAGES: Final = (Page("jump", show),)
