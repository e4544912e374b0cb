"""Lists of runs over HTTP: filters, and cursors in both directions."""

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from taskflow.definition.calls.run_filter import ALL_RUNS
from taskflow.definition.calls.trigger_options import TriggerOptions
from tests.conftest import StartFleet
from tests.support.api import Api
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until

PATH = "/api/v1/runs"


def make(api: Api, count: int, task: str = "t-echo", **options: Any) -> list[str]:
    """Make runs and return their ids, newest first."""
    checked = TriggerOptions.checked(**options)
    made = [api.flow.engine.runs.trigger(task, 1, checked).run_id for _ in range(count)]
    runs = [api.flow.engine.runs.retrieve(run_id) for run_id in made]
    return [run.id for run in sorted(runs, key=lambda run: (run.created_at, run.id), reverse=True)]


async def page(client: httpx.AsyncClient, **query: str | int | None) -> tuple[list[str], dict[str, str]]:
    """Return the ids of a page and its cursors."""
    names = {"size": "page[size]", "after": "page[after]", "before": "page[before]"}
    params = {names.get(name, f"filter[{name}]"): str(value) for name, value in query.items() if value is not None}
    answer = await client.get(PATH, params=params)
    assert answer.status_code == 200, answer.text
    return [run["id"] for run in answer.json()["data"]], answer.json()["pagination"]


async def test_pages_go_forward_and_back_over_every_run(api: Api) -> None:
    """A cursor is left out where nothing follows on its side."""
    ids = await asyncio.to_thread(make, api, 7)
    async with api.client() as client:
        first, at_first = await page(client, size=3)
        second, at_second = await page(client, size=3, after=at_first["next"])
        third, at_third = await page(client, size=3, after=at_second["next"])
        back, at_back = await page(client, size=3, before=at_third["previous"])
        start, at_start = await page(client, size=3, before=at_back["previous"])
    assert [first, second, third, back, start] == [ids[:3], ids[3:6], ids[6:], ids[3:6], ids[:3]]
    assert [sorted(each) for each in (at_first, at_second, at_third, at_back, at_start)] == [
        ["next"], ["next", "previous"], ["previous"], ["next", "previous"], ["next"]
    ]  # fmt: skip


async def test_pages_go_on_in_the_history(start_fleet: StartFleet, valkey: RedisServer, tmp_path: Path) -> None:
    """Runs of the store that the history does not have yet are on the page where they belong."""
    fleet = start_fleet(valkey.url, database_url=f"sqlite:///{tmp_path}/history.db")
    api = Api(fleet.flow)
    await asyncio.to_thread(fleet.start_node, executor="async")
    old = await asyncio.to_thread(make, api, 5)
    lookup = api.flow.lookup
    await asyncio.to_thread(
        wait_until, lambda: lookup.is_ready() and len(lookup.all(ALL_RUNS)) == 5, "the history", timeout=20
    )
    ids = [*await asyncio.to_thread(make, api, 2), *old]
    async with api.client() as client:
        first, at_first = await page(client, size=3)
        second, at_second = await page(client, size=3, after=at_first["next"])
        third, at_third = await page(client, size=3, after=at_second["next"])
        back, _ = await page(client, size=3, before=at_third["previous"])
    assert [first, second, third, back] == [ids[:3], ids[3:6], ids[6:], ids[3:6]]


async def test_of_two_cursors_the_one_that_was_issued_last_counts(api: Api) -> None:
    """The client keeps the parameters of the pages before: "next, previous, next" sends both."""
    ids = await asyncio.to_thread(make, api, 6)
    async with api.client() as client:
        _, at_first = await page(client, size=2)
        _, at_second = await page(client, size=2, after=at_first["next"])
        back, at_back = await page(client, size=2, after=at_first["next"], before=at_second["previous"])
        again, _ = await page(client, size=2, after=at_back["next"], before=at_second["previous"])
    assert (back, again) == (ids[:2], ids[2:4])


async def test_filters_take_several_values(api: Api) -> None:
    """Of one filter any value, of all filters each."""
    one = await asyncio.to_thread(make, api, 1, tags=["x"], machine="small-2x", test=True)
    two = await asyncio.to_thread(make, api, 1, "t-async-echo", tags=["y"], queue="t-three")
    three = await asyncio.to_thread(make, api, 1, "t-says", delay="1h", machine="medium-1x")
    async with api.client() as client:
        expectations: list[tuple[dict[str, Any], list[str]]] = [
            ({"taskIdentifier": "t-echo,t-async-echo"}, two + one),
            ({"tag": "x,y"}, two + one),
            ({"status": "DELAYED"}, three),
            ({"status": "QUEUED,DELAYED"}, three + two + one),
            ({"status": "DEQUEUED"}, []),
            ({"queue": "task/t-echo,t-three"}, two + one),
            ({"machine": "small-2x,medium-1x"}, three + one),
            ({"machine": "small-2x,medium-1x", "queue": "task/t-echo,t-three"}, one),
            ({"isTest": "true"}, one),
            ({"isTest": "false"}, three + two),
            ({"createdAt][from": "0"}, three + two + one),
            ({"createdAt][to": "1000"}, []),
            ({"createdAt][period": "1h"}, three + two + one),
            ({"createdAt][from": "2020-01-01T00:00:00Z"}, three + two + one),
        ]
        for query, expected in expectations:
            assert (await page(client, **query))[0] == expected, query


async def test_a_wrong_query_is_refused(api: Api) -> None:
    """Unknown values of a filter would look like an empty list."""
    wrong = {
        "filter[status]=RUNNING": "invalid_query",
        "filter[isTest]=yes": "invalid_query",
        "filter[createdAt][from]=yesterday": "invalid_query",
        "filter[createdAt][period]=long": "invalid_query",
        "page[size]=0": "invalid_query",
        "page[size]=101": "invalid_query",
        "page[size]=ten": "invalid_query",
        "page[after]=nonsense": "invalid_cursor",
        "page[before]=W10": "invalid_cursor",
    }
    async with api.client() as client:
        for query, code in wrong.items():
            answer = await client.get(f"{PATH}?{quote(query, safe='=&')}")
            assert (answer.status_code, answer.json()["code"]) == (400, code), query


async def test_the_list_of_a_project_is_that_of_the_environment(api: Api) -> None:
    """`runs.list(projectRef, {env})`: another environment has no runs here."""
    ids = await asyncio.to_thread(make, api, 1)
    own = api.flow.settings.environment
    async with api.client() as client:
        here = (await client.get(f"/api/v1/projects/p/runs?filter[env]={own},other")).json()
        there = (await client.get("/api/v1/projects/p/runs?filter[env]=other")).json()
    assert [run["id"] for run in here["data"]] == ids
    assert here["data"][0]["env"] == {"id": f"env_{own}", "name": own}
    assert there == {"data": [], "pagination": {}}
