"""The reads of the pages of workers. All open pages share them."""

from dataclasses import dataclass

from taskflow.engine.engine import Engine
from taskflow.server.dashboard.shared_reads import shared
from taskflow.store.operations.overviews.nodes import NodeReports, Unserved

_SECONDS = 2.8
"""Pages ask every three seconds."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """The nodes, and what waits for others."""

    reports: NodeReports
    unserved: Unserved


async def read_fleet(engine: Engine) -> Fleet:
    """Return the nodes, and what waits for a worker that is not there."""

    async def read() -> Fleet:
        return Fleet(await engine.nodes.areports(), await engine.nodes.aunserved())

    return await shared(engine, "workers", _SECONDS, read)
