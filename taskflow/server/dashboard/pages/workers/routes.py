"""The lines of the table of pages that are about workers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from taskflow.definition.calls.users import Role
from taskflow.engine.engine import Engine
from taskflow.server.dashboard.live.polled import polled
from taskflow.server.dashboard.page import Page, action
from taskflow.server.dashboard.pages.workers import show
from taskflow.server.dashboard.pages.workers.reads import Fleet, read_fleet

_HEARD_SECONDS: Final = 15
"""Heartbeats alone have the pages load again no more often than in this time."""


async def _read(engine: Engine) -> Fleet:
    """Return the nodes without what changes at every read: instants and loads are rounded."""
    fleet = await read_fleet(engine)
    nodes = tuple(
        replace(
            node,
            heard_at=datetime.fromtimestamp(node.heard_at.timestamp() // _HEARD_SECONDS * _HEARD_SECONDS, UTC),
            memory=None if node.memory is None else round(node.memory, 1),
            cpu=None,
        )
        for node in fleet.reports.nodes
    )
    return replace(fleet, reports=replace(fleet.reports, nodes=nodes, now=datetime.fromtimestamp(0, UTC)))


TOPIC: Final = polled("workers", timedelta(seconds=3), _read)
"""The pages load their part again when anything about a node has changed."""

PAGES: Final = (
    Page("workers", show.show),
    Page("workers-drain", show.ask_drain, Role.OPERATOR),
    action("workers-drain", show.drain),
    Page("workers/{node:path}", show.show_one),
)
