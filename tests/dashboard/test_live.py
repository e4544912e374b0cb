"""Live updates of lists: one reader for all that look, ``changed`` when something is other, and answers of 304."""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from html import unescape
from itertools import count, cycle
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from starlette.datastructures import QueryParams

from taskflow import schedules, webhooks
from taskflow.definition.calls.tokens import Token
from taskflow.definition.calls.trigger_options import TriggerOptions
from taskflow.definition.registry import declared
from taskflow.definition.scheduling.options import ScheduleOptions
from taskflow.engine.engine import Engine
from taskflow.engine.tokens import TokenEngine
from taskflow.seams.error_groups import ErrorState
from taskflow.seams.tokens import TokenOptions
from taskflow.server.dashboard.live.polled import polled_by_query
from taskflow.server.dashboard.live.topic import Follower, Message
from taskflow.server.dashboard.sign_in.sessions import session_cookie
from taskflow.server.dashboard.table import TOPICS
from taskflow.store.operations.making import declare
from tests.conftest import StartFleet
from tests.dashboard.test_batches import make_batch
from tests.dashboard.test_webhooks import SECRET, deliver
from tests.support.api_server import ApiServer
from tests.support.dashboard import Dashboard
from tests.support.past_runs import keep_runs
from tests.support.servers import RedisServer
from tests.support.webhook_api import Hooks

EVERY_TOPIC_SECONDS = 25


@pytest.fixture
def isolated() -> Iterator[None]:
    """Forget the webhook task of a test after it."""
    with declared.isolated():
        yield


async def changed(follow: AsyncGenerator[Message], act: Callable[[], Awaitable[object]]) -> None:
    """Act until a topic has a message: what is done before its first reading is nothing new."""
    waiting = asyncio.ensure_future(anext(follow))
    try:
        async with asyncio.timeout(EVERY_TOPIC_SECONDS):
            while not waiting.done():
                await act()
                await asyncio.wait([waiting], timeout=1)
        assert waiting.result().event == "changed"
    finally:
        waiting.cancel()
        await asyncio.wait([waiting])
        await follow.aclose()


@pytest.mark.timeout(60)
async def test_each_list_is_loaded_again_when_it_is_other(shop: Dashboard, isolated: None) -> None:
    """At once for all lists, because each one is read once in some seconds."""
    engine = shop.flow.engine
    keep_runs(shop, "live-mail", failed=1)
    now = datetime.now(UTC)
    group = engine.errors.list(now - timedelta(days=1), now)[0].id
    schedules.task(id="live-schedule")(_nothing)
    schedule = engine.schedules.create("live-schedule", ScheduleOptions.checked(cron="0 9 * * *"))
    switches = cycle((engine.schedules.deactivate, engine.schedules.activate))
    states = cycle([ErrorState.MUTED, ErrorState.RESOLVED, ErrorState.OPEN])

    hooks = Hooks(shop)
    path = hooks.declare("live-hook", webhooks.GitHub(secret=SECRET), events=["push"])
    deliveries = (f"live-{number}" for number in count())
    acts: dict[str, Callable[[], Awaitable[object]]] = {
        "tokens:status=WAITING": lambda: engine.tokens.acreate(TokenOptions()),
        "batches": lambda: asyncio.to_thread(make_batch, shop, 0, 0, 1),
        "schedules:task=live-schedule": lambda: asyncio.to_thread(next(switches), schedule.id),
        "errors": lambda: asyncio.to_thread(engine.errors.set_state, group, next(states), "ana"),
        "tasks": lambda: engine.runs.atrigger("live-unknown", None, TriggerOptions()),
        "deliveries": lambda: deliver(hooks, path, delivery=next(deliveries)),
    }
    await asyncio.gather(*(changed(_follow(engine, name), act) for name, act in acts.items()))


async def test_lists_of_one_query_share_a_reader_that_ends_with_the_last_of_them(dashboard: Dashboard) -> None:
    """A list that nobody looks at costs nothing."""
    reads: list[str] = []

    async def read(_: Engine, query: QueryParams) -> int:
        reads.append(query.get("tag", ""))
        return len(reads)

    topic = polled_by_query("list", timedelta(milliseconds=20), read)
    follows = [topic.follow(Follower(dashboard.flow.engine, argument)) for argument in ("tag=a", "tag=a", "tag=b")]
    async with asyncio.timeout(10):
        assert [(await anext(each)).event for each in follows] == ["changed"] * 3
        for each in follows[:2]:
            await each.aclose()
        await asyncio.sleep(0)
        reads.clear()
        await anext(follows[2])
        await anext(follows[2])
        assert set(reads) == {"b"}
        await follows[2].aclose()
        await asyncio.sleep(0)
        reads.clear()
        await asyncio.sleep(0.1)
    assert reads == []


@pytest.mark.parametrize("path, part", [("queues", "div#overview"), ("schedules", "div#rows"), ("tokens", "div#rows")])
async def test_a_part_that_the_page_shows_already_is_not_sent_again(dashboard: Dashboard, path: str, part: str) -> None:
    """Ages that the page counts on by itself do not make it another one."""
    engine, viewer = dashboard.flow.engine, await dashboard.visitor("viewer")
    engine.tokens.create(TokenOptions())
    dashboard.flow.store.run(declare({}, {}, by_worker=True))
    first = await viewer.get(path, part=part)
    tag = first.headers["etag"]
    headers = {"hx-request": "true", "hx-target": part, "if-none-match": tag}
    address = f"/{dashboard.flow.settings.environment}/{path}"
    again = await viewer.client.get(address, headers=headers)
    assert (again.status_code, again.text, again.headers["etag"]) == (304, "", tag)
    assert (await viewer.client.get(address, headers=headers | {"if-none-match": '"other"'})).status_code == 200
    assert "etag" not in (await viewer.get(path)).headers


async def test_a_page_that_comes_back_loads_its_parts_again(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """A tab in the background has no stream, and may have missed changes."""
    fleet = start_fleet(valkey.url)
    dashboard, server = Dashboard(fleet.flow), ApiServer(fleet)
    server.start()
    try:
        users = fleet.flow.engine.users
        user = await users.aread("viewer")
        assert user is not None
        secret = await users.aopen_session(user, "")
        address = f"{server.url}/{dashboard.flow.settings.environment}/live?t=queues"
        async with httpx.AsyncClient(
            cookies={session_cookie(dashboard.flow.settings.environment): secret}, timeout=20
        ) as client:
            assert "event: changed" not in await _first_lines(client, address, {})
            assert "event: changed" in await _first_lines(client, address, {"last-event-id": "1"})
    finally:
        server.close()


@pytest.mark.parametrize(
    "path", ["runs", "tasks", "batches", "errors", "queues", "schedules", "webhooks/deliveries", "tokens", "workers"]
)
async def test_each_list_has_one_stream_with_its_topic(shop: Dashboard, path: str) -> None:
    """A second one would cost as much again, and its element would have the same id."""
    text = (await (await shop.visitor("viewer")).get(path)).text
    [address] = re.findall(r'hx-sse:connect="([^"]+)"', text)
    assert f"t={path.rpartition('/')[2]}" in address


@pytest.mark.timeout(60)
async def test_the_page_of_one_thing_loads_its_parts_again_when_it_is_other(
    shop: Dashboard, isolated: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else completes the token, pauses the schedule, replays the delivery or mutes the error meanwhile."""
    engine, operator = shop.flow.engine, await shop.visitor("operator")
    keep_runs(shop, "live-one-mail", failed=1)
    now = datetime.now(UTC)
    group = engine.errors.list(now - timedelta(days=1), now)[0].id
    schedules.task(id="live-one-schedule")(_nothing)
    schedule = engine.schedules.create("live-one-schedule", ScheduleOptions.checked(cron="0 9 * * *")).id
    switches = cycle((engine.schedules.deactivate, engine.schedules.activate))
    states = cycle([ErrorState.MUTED, ErrorState.RESOLVED, ErrorState.OPEN])
    hooks = Hooks(shop)
    path = hooks.declare("live-one-hook", webhooks.GitHub(secret=SECRET), events=["push"])
    delivery = await deliver(hooks, path, delivery="live-one")
    token = (await engine.tokens.acreate(TokenOptions())).id
    was_read, retrieve = asyncio.Event(), engine.tokens.aretrieve

    async def retrieved(_: TokenEngine, token_id: str) -> Token:
        found = await retrieve(token_id)
        was_read.set()
        return found

    async def complete() -> None:  # once it was read, because it can be completed once
        await was_read.wait()
        await engine.tokens.acomplete(token, b"1")

    pages: dict[str, tuple[Sequence[str], Callable[[], Awaitable[object]]]] = {
        f"tokens/{token}": (("pill", "state"), complete),
        f"schedules/{schedule}": (("schedule",), lambda: asyncio.to_thread(next(switches), schedule)),
        f"webhooks/deliveries/{delivery}": (("delivery",), lambda: engine.webhooks.areplay(delivery)),
        f"errors/{group}": (("state", "group"), lambda: engine.errors.achange(group, next(states))),
    }
    topics: dict[str, str] = {}
    for page, (parts, _) in pages.items():
        text = (await operator.get(page)).text
        [address] = re.findall(r'hx-sse:connect="([^"]+)"', text)
        [topics[page]] = set(parse_qs(urlsplit(unescape(address)).query)["t"]) - {"nav"}
        for part in parts:
            element = f'id="{part}" hx-get="/{shop.flow.settings.environment}/{page}'
            assert element in text
            assert element in (await operator.get(page, part=f"x#{part}")).text
    monkeypatch.setattr(TokenEngine, "aretrieve", retrieved)
    await asyncio.gather(*(changed(_follow(engine, topics[page]), act) for page, (_, act) in pages.items()))
    assert "Completed" in (await operator.get(f"tokens/{token}", part="span#pill")).text


async def test_the_page_of_a_run_has_one_stream_too(shop: Dashboard) -> None:
    """Its topic is the run."""
    made = await shop.flow.engine.runs.atrigger("live-one", None, TriggerOptions())
    text = (await (await shop.visitor("viewer")).get(f"runs/{made.run_id}")).text
    [address] = re.findall(r'hx-sse:connect="([^"]+)"', text)
    assert f"run%3A{made.run_id}" in address


def _nothing() -> None:
    """Do nothing on a schedule."""


def _follow(engine: Engine, text: str) -> AsyncGenerator[Message]:
    name, _, argument = text.partition(":")
    [topic] = [each for each in TOPICS if each.name == name]
    return topic.follow(Follower(engine, argument))


async def _first_lines(client: httpx.AsyncClient, address: str, headers: dict[str, str]) -> str:
    """Return the beginning of a stream, up to its second frame of which something is heard."""
    found: list[str] = []
    async with client.stream("GET", address, headers=headers) as answer:
        async for line in answer.aiter_lines():
            found.append(line)
            if line.startswith("data:") or len(found) > 20:
                break
            if "id: 1" in found and not headers:
                break
    return "\n".join(found)
