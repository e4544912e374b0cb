"""The page of all workers, the page of one node, and the drain of one."""

from collections.abc import Sequence
from typing import Final

from starlette.responses import Response

from taskflow.engine.nodes import short_name
from taskflow.errors import NodeNotFoundError
from taskflow.server.dashboard.pages.workers.reads import read_fleet
from taskflow.server.dashboard.pages.workers.rows import (
    figures_of,
    groups_of,
    lacks_of,
    newest_version,
    row_of,
    waiting_words,
)
from taskflow.server.dashboard.shared_reads import forget_reads
from taskflow.server.dashboard.visit import Visit
from taskflow.store.operations.nodes import HeldRun

TEMPLATE: Final = "workers.html"
ONE: Final = "worker.html"
_RUNS_SHOWN: Final = 100


async def show(visit: Visit) -> Response:
    """Show all nodes, or one part of the page."""
    return visit.render(TEMPLATE, 200, **await values_of(visit))


async def show_one(visit: Visit) -> Response:
    """Show one node with its runs."""
    return visit.render(ONE, 200, **await _one_values(visit, visit.path["node"]))


async def ask_drain(visit: Visit) -> Response:
    """Ask before a node is drained, with what happens to its runs."""
    fleet = await read_fleet(visit.engine)
    node_id = visit.query.get("node", "")
    node = next((node for node in fleet.reports.nodes if node.id == node_id), None)
    if node is None:
        raise NodeNotFoundError(node_id)
    return visit.dialog("worker_drain.html", node=node, name=short_name(node.id), from_one=visit.query.get("from", ""))


async def drain(visit: Visit) -> Response:
    """Have a node take no new runs, and end."""
    node_id = visit.form.get("node", "")
    await visit.engine.nodes.adrain(node_id)
    forget_reads(visit.engine)
    visit.audit("worker.drain", node_id, visit.form.get("reason", "")[:200])
    title, detail = f"{short_name(node_id)} drains", "It ends once its runs have ended."
    if visit.form.get("from") == "one":
        return visit.parts(ONE, "node", toast=title, detail=detail, **await _one_values(visit, node_id))
    return visit.parts(TEMPLATE, "fleet", toast=title, detail=detail, **await values_of(visit))


async def values_of(visit: Visit) -> dict[str, object]:
    """Return the values of the page of all nodes."""
    fleet = await read_fleet(visit.engine)
    environment = visit.flow.settings.environment
    lacks = lacks_of(fleet.unserved, environment)
    return {
        "groups_of_nodes": groups_of(fleet, visit.flow.presets, environment),
        "figures": figures_of(fleet.reports),
        "lacks": [(lack, waiting_words(lack)) for lack in lacks],
        "lost": [(node, short_name(node.id)) for node in fleet.reports.lost],
    }


async def _one_values(visit: Visit, node_id: str) -> dict[str, object]:
    fleet = await read_fleet(visit.engine)
    environment = visit.flow.settings.environment
    newest = newest_version(fleet.reports)
    found = [node for node in fleet.reports.nodes if node.id == node_id]
    lost = next((node for node in fleet.reports.lost if node.id == node_id), None)
    if not found and lost is None:
        raise NodeNotFoundError(node_id)
    row = row_of(found[0], fleet.reports.now, newest, environment) if found else None
    runs: Sequence[HeldRun] = await visit.engine.nodes.aruns(node_id) if found else ()
    return {
        "row": row,
        "lost": lost,
        "node_id": node_id,
        "name": short_name(node_id),
        "flower": visit.in_flower("worker", short_name(node_id)) if row else "",
        "runs": runs[:_RUNS_SHOWN],
        "run_count": len(runs),
    }
