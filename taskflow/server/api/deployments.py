"""Deployments: the versions of the code that workers run at the moment."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import Field

from taskflow.server.api.pagination import CursorPage
from taskflow.server.api.runs.lists import read_instant, since_period
from taskflow.server.api.wire import AnyJson, Instant, Wire, or_null
from taskflow.server.call import Call
from taskflow.server.problems import Problem
from taskflow.server.route import ApiRoute

_DEPLOYED: Final = "DEPLOYED"
_SHORT: Final = 8


class DeploymentObject(Wire):
    """A version of the code that workers run."""

    id: str
    created_at: Instant
    short_code: str
    version: str
    runtime: AnyJson
    runtime_version: AnyJson
    status: str
    deployed_at: Instant


class DeploymentsPage(Wire):
    """The versions, the newest first."""

    data: list[DeploymentObject]
    pagination: CursorPage


class DeploymentsQuery(Wire):
    """The filters of the list. All versions fit one page."""

    UNSUPPORTED = frozenset({"page[size]", "page[after]", "page[before]"})
    status: str | None = None
    period: str | None = None
    created_from: Annotated[str | None, Field(alias="from")] = None
    created_to: Annotated[str | None, Field(alias="to")] = None


async def current(call: Call) -> DeploymentObject:
    """Return the version of the worker that started last."""
    versions = await _versions(call)
    if not versions:
        raise Problem(404, "deployment_not_found", "No worker with a version is up.", "Start one.", should_retry=False)
    return versions[0]


async def list_deployments(call: Call) -> DeploymentsPage:
    """Return the versions that workers run."""
    query = call.query(DeploymentsQuery)
    since = since_period("period", query.period)
    earliest = max(filter(None, (since, read_instant("from", query.created_from))), default=None)
    latest = read_instant("to", query.created_to)
    found = [
        each
        for each in await _versions(call)
        if query.status in (None, _DEPLOYED)
        and (earliest is None or each.created_at >= earliest)
        and (latest is None or each.created_at < latest)
    ]
    return DeploymentsPage(data=found, pagination=CursorPage())


async def _versions(call: Call) -> Sequence[DeploymentObject]:
    workers = (await asyncio.to_thread(call.engine.nodes.registrations)).workers
    newest = sorted((worker for worker in workers if worker.version), key=lambda worker: worker.since, reverse=True)
    versions = dict.fromkeys(worker.version for worker in newest if worker.version)
    first = {version: min(worker.since for worker in newest if worker.version == version) for version in versions}
    return [_object(version, first.get(version, datetime.now(UTC))) for version in versions]


def _object(version: str, since: datetime) -> DeploymentObject:
    return DeploymentObject(
        id=f"deployment_{version}",
        created_at=since,
        short_code=version[:_SHORT],
        version=version,
        runtime=or_null(None),
        runtime_version=or_null(None),
        status=_DEPLOYED,
        deployed_at=since,
    )


ROUTES: Final = (
    ApiRoute(
        "GET", "/api/v1/deployments/current", current, "Return the newest version of the code that workers run.",
        answer=DeploymentObject, statuses=(404,),
    ),
    ApiRoute(
        "GET", "/api/v1/deployments", list_deployments, "List the versions of the code that workers run.",
        query=DeploymentsQuery, answer=DeploymentsPage,
    ),
)  # fmt: skip
