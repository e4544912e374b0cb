"""Paths that the official service has and this server has not, and the versions that workers run."""

import asyncio

from tests.conftest import StartFleet
from tests.support.api import Api
from tests.support.servers import RedisServer


async def test_what_is_not_supported_is_refused_at_once_with_its_name(api: Api) -> None:
    """404 and x-should-retry: false reach the caller without four more tries."""
    async with api.client() as client:
        answers = [
            await client.get("/api/v1/projects/p/envvars/dev"),
            await client.post("/api/v1/query", json={"query": "select 1"}),
            await client.get("/api/v1/concurrency-limits/x"),
            await client.post("/engine/v1/runs/run_1/wait/duration", json={}),
        ]
        root_key = await client.post("/api/v1/auth/jwt/claims")
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(404, "not_supported")}
    assert {answer.headers["x-should-retry"] for answer in answers} == {"false"}
    assert "Environment variables" in answers[0].json()["error"]
    assert (root_key.status_code, root_key.json()["code"]) == (404, "not_supported")


async def test_deployments_are_the_versions_of_live_workers(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """Without a worker there is none."""
    fleet = start_fleet(valkey.url, version="1a2b3c4d5e6f")
    api = Api(fleet.flow)
    async with api.client() as client:
        none = await client.get("/api/v1/deployments/current")
        await asyncio.to_thread(fleet.start_node, executor="async")
        current = (await client.get("/api/v1/deployments/current")).json()
        listed = (await client.get("/api/v1/deployments?status=DEPLOYED&period=1h&page[size]=5")).json()
        others = (await client.get("/api/v1/deployments?status=FAILED")).json()
    assert (none.status_code, none.json()["code"]) == (404, "deployment_not_found")
    assert (current["version"], current["shortCode"], current["status"]) == ("1a2b3c4d5e6f", "1a2b3c4d", "DEPLOYED")
    assert (current["runtime"], current["runtimeVersion"]) == (None, None)
    assert (listed["data"], others["data"]) == ([current], [])
