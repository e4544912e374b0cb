"""Attacks on the dashboard that once worked: secrets of other roles, requests that took minutes, and 500 answers."""

import asyncio
import contextlib
import hashlib
import json
import re
from datetime import timedelta
from functools import partial
from html import unescape
from typing import Final

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from taskflow.definition.calls.run_filter import RunFilter
from taskflow.definition.calls.trigger_options import TriggerOptions
from taskflow.definition.calls.users import Role, User
from taskflow.engine.serving.users import UserEngine
from taskflow.seams.tokens import TokenOptions
from taskflow.server.dashboard.live import stream
from taskflow.server.dashboard.payloads.beginnings import example_of
from taskflow.server.dashboard.payloads.checks import Target, faults_of
from taskflow.server.dashboard.payloads.painting import painted
from taskflow.server.dashboard.payloads.workbench import bench_of, workbench
from taskflow.server.dashboard.shared_reads import shared
from taskflow.server.dashboard.sign_in import passwords
from taskflow.server.dashboard.sign_in.sessions import session_cookie
from taskflow.server.dashboard.table import TOPICS
from taskflow.server.dashboard.view.json_tree import json_tree
from taskflow.server.dashboard.visit import Visit
from taskflow.server.realtime.event_stream import frame
from tests.conftest import StartFleet
from tests.support.api_server import ApiServer
from tests.support.dashboard import PASSWORD, Dashboard
from tests.support.servers import RedisServer

ANY: Final = Target("any", None, None, is_known=True)


@pytest.mark.timeout(20)  # it took minutes, in which the process answered nobody
@pytest.mark.parametrize("text", ['"' + '\\"' * 49_000, '"" ' * 33_000, '"a' * 49_999 + "\\", "-1" * 50_000])
def test_a_text_of_quotes_is_painted_at_once(text: str) -> None:
    """Each quote was tried as the begin of a string that goes on to the end."""
    shown = painted(text, ())
    assert shown is not None
    assert unescape(re.sub("<[^>]*>", "", shown)) == text


@pytest.mark.parametrize("document", [b"[" + b"[]," * 80_000 + b"1]", b"[" * 50 + b"1," * 60_000 + b"1" + b"]" * 50])
def test_a_document_of_many_values_makes_no_large_page(document: bytes) -> None:
    """256 KB of empty lists made a page of 12 MB, in seconds."""
    tree = json_tree(document)
    assert len(tree) < 1_000_000
    assert "are not shown" in tree


async def test_edits_of_a_large_payload_are_refused() -> None:
    """Each one copies the list that it changes: 2,000 edits of a list of a million items took ten seconds."""
    text = json.dumps([0] * 300_000)
    bench = await workbench(ANY, text, json.dumps([{"at": "/1", "as": "number", "value": "2"}]))
    assert bench.text == text
    assert [fault.message for fault in bench.faults] == [
        "The payload is too large for the form, which changes nothing."
    ]


async def test_an_edit_at_a_deep_place_is_refused() -> None:
    """The way to it is a recursion."""
    bench = await workbench(ANY, "{}", json.dumps([{"at": "/a" * 5000, "as": "null"}]))
    assert bench.text == "{}"
    assert [fault.message for fault in bench.faults] == ["The place is too deep for the form."]


@pytest.mark.timeout(20)
async def test_a_task_of_another_process_has_its_patterns_checked_in_linear_time() -> None:
    """Python's engine holds the process for hours at such a text; pydantic's, which the worker uses, does not."""
    schema: dict[str, object] = {"type": "object", "properties": {"name": {"pattern": r"^(\w+\s?)*$"}}}
    faults = await faults_of(Target("any", None, schema, is_known=True), json.dumps({"name": "a" * 60 + "!"}))
    assert [(fault.path, fault.message) for fault in faults] == [(("name",), r"Input should match ^(\w+\s?)*$")]


@pytest.mark.timeout(20)
async def test_names_of_members_are_matched_in_linear_time() -> None:
    """Those of a dictionary whose keys have a pattern, and whether a member is a further one."""
    inner = {r"^(\w+\s?)*$": {"type": "integer"}}
    schema: dict[str, object] = {"type": "object", "patternProperties": inner, "additionalProperties": False}
    target = Target("any", None, schema, is_known=True)
    assert [fault.message for fault in await faults_of(target, json.dumps({"a" * 60 + "!": 1}))] == [
        "Input has a member that is not allowed"
    ]
    assert [(fault.path, fault.message) for fault in await faults_of(target, '{"a": 1, "b": "x"}')] == [
        (("b",), "Input should be integer")
    ]


@pytest.mark.timeout(20)
async def test_a_set_of_many_objects_is_checked_in_linear_time() -> None:
    """Each one was compared with each."""
    schema = {"type": "array", "uniqueItems": True}
    text = json.dumps([{"a": number} for number in range(30_000)] + [{"a": 1}])
    assert len(await faults_of(Target("any", None, schema, is_known=True), text)) == 1


@pytest.mark.parametrize("text", ["9" * 5000, '"\\ud800"', "1e999", '["a", {"b": -1e999}]'])
async def test_a_payload_that_cannot_be_sent_is_named(dashboard: Dashboard, text: str) -> None:
    """It was found after the check, as a failure of the server."""
    answer = await (await dashboard.visitor()).post("test/attacks-unknown", payload=text, test="1")
    assert answer.status_code == 422
    assert "It can&#39;t be sent" in answer.text
    assert not await dashboard.flow.engine.runs.afind(RunFilter(task="attacks-unknown"))


async def test_odd_parameters_and_headers_are_answers(dashboard: Dashboard) -> None:
    """A parameter with the name of an argument, a number of 5,000 digits, and an origin that is no URL."""
    visitor, environment = await dashboard.visitor(), dashboard.flow.settings.environment
    assert (await visitor.client.get(f"/{environment}/runs?q=x&self=1")).status_code == 303
    run_id = (
        await dashboard.flow.engine.runs.atrigger("attacks", 1, TriggerOptions(delay=timedelta(minutes=1)))
    ).run_id
    assert (await visitor.post(f"runs/{run_id}/reschedule", delay="9" * 5000)).status_code == 422
    fields = {"csrf": await visitor.token(), "kind": "cancel", "run": run_id}
    answer = await visitor.client.post(f"/{environment}/runs/bulk", data=fields, headers={"origin": "http://["})
    assert answer.status_code == 403


async def test_a_viewer_learns_no_id_of_a_token(dashboard: Dashboard) -> None:
    """The cursor of the next page named one, and by cursors of one's own an id could be guessed digit by digit."""
    tokens = [dashboard.flow.engine.tokens.create(TokenOptions()).id for _ in range(60)]
    viewer, operator = await dashboard.visitor("viewer"), await dashboard.visitor("operator")
    first = (await viewer.get("tokens")).text
    assert not [token for token in tokens if token in first]
    [cursor] = set(re.findall('cursor=([0-9]+)%3A[^"]*">Older', first))
    second = (await viewer.get("tokens", cursor=f"{cursor}:token_f")).text
    assert sorted(re.findall("token_…(....)", first + second)) == sorted(token[-4:] for token in tokens)
    own = (await operator.get("tokens")).text
    assert [token for token in tokens if token in own]


async def test_a_stream_ends_with_its_session(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """Who was locked out, or had signed out, went on seeing changes as long as the tab was open."""
    fleet = start_fleet(valkey.url)
    dashboard, server, users = Dashboard(fleet.flow), ApiServer(fleet), fleet.flow.engine.users
    server.start()
    try:
        address = f"{server.url}/{dashboard.flow.settings.environment}/live?t=nav"
        secrets = {name: await users.aopen_session(await _user(users, name), "") for name in Role}
        opened = {name: asyncio.Event() for name in Role}
        cookie = session_cookie(dashboard.flow.settings.environment)
        following = [
            asyncio.create_task(_follow_to_end(address, {cookie: secrets[name]}, opened[name])) for name in Role
        ]
        async with asyncio.timeout(20):
            await asyncio.gather(*(each.wait() for each in opened.values()))
        await users.aclose_session(secrets[Role.VIEWER])
        await asyncio.to_thread(users.remove, "operator")
        await asyncio.to_thread(users.change_password, "admin", "another hash")
        async with asyncio.timeout(25):
            assert await asyncio.gather(*following) == [401] * 3, "the page goes to where one signs in"
    finally:
        server.close()


async def _user(users: UserEngine, name: str) -> User:
    user = await users.aread(name)
    assert user is not None
    return user


async def _follow_to_end(address: str, cookies: dict[str, str], opened: asyncio.Event) -> int:
    """Read a stream to its end, and return what it is answered when it comes back, as htmx does."""
    async with httpx.AsyncClient(cookies=cookies, timeout=30) as client:
        async with client.stream("GET", address) as answer:
            assert answer.status_code == 200
            async for _ in answer.aiter_lines():
                opened.set()
        return (await client.get(address, headers={"hx-request": "true"})).status_code


async def test_a_page_that_is_only_looked_at_does_not_prolong_its_session(
    dashboard: Dashboard, valkey: RedisServer
) -> None:
    """A session ends after 12 hours without use, also with an open tab."""
    users = dashboard.flow.engine.users
    secret = await users.aopen_session(await _user(users, "viewer"), "")
    with contextlib.closing(valkey.client()) as client:
        [key] = client.execute_command("KEYS", f"*{hashlib.sha256(secret.encode()).hexdigest()}")
        client.execute_command("PEXPIRE", key, 100_000)
        assert await users.ais_open(secret)
        assert client.execute_command("PTTL", key) <= 100_000
        assert await users.acheck_session(secret)
        assert client.execute_command("PTTL", key) > 100_000
    assert not await users.ais_open("another")


def test_line_ends_in_data_make_no_events() -> None:
    """A carriage return ends a line of a stream, too."""
    text = frame("a\r\revent: end\rdata: b\r\nc").decode()
    assert text == "data: a\ndata: \ndata: event: end\ndata: data: b\ndata: c\n\n"


@pytest.mark.parametrize(
    "headers, status",
    [
        ({"sec-fetch-site": "same-origin", "origin": "https://jobs.example", "host": "127.0.0.1:8787"}, 303),
        ({"origin": "https://jobs.example", "host": "127.0.0.1:8787"}, 303),
        ({"origin": "https://shop.test", "host": "Shop.test:443"}, 303),
        ({"origin": "https://shop.test:444", "host": "shop.test"}, 403),
        ({"sec-fetch-site": "same-site", "origin": "https://jobs.example"}, 403),
        ({"origin": "https://evil.test", "host": "127.0.0.1:8787"}, 403),
        ({"origin": "null"}, 403),
    ],
)
async def test_one_signs_in_behind_a_proxy_that_changes_the_host(
    start_fleet: StartFleet, valkey: RedisServer, headers: dict[str, str], status: int
) -> None:
    """The browser says whose page it was, and the setting what the server's own address is."""
    dashboard = Dashboard(start_fleet(valkey.url, public_url="https://jobs.example/tasks").flow)
    async with dashboard.browser() as browser:
        answer = await browser.post("/signin", data={"user": "viewer", "password": PASSWORD}, headers=headers)
    assert answer.status_code == status
    if status == 303:
        assert "secure" in answer.headers["set-cookie"].lower(), "the browser speaks https, whatever the proxy says"


async def test_one_address_does_not_try_a_password_with_every_name(dashboard: Dashboard) -> None:
    """Each name had tries of its own, so that there was no limit."""
    users = dashboard.flow.engine.users
    waits = [(await users.acount_try(f"user{number}", "10.0.0.1"))[1] for number in range(61)]
    assert waits[59] is None
    assert waits[60] is not None
    assert (await users.acount_try("user0", "10.0.0.2"))[1] is None


async def test_many_passwords_at_once_are_refused_at_once(
    dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each takes 64 MiB and some 50 ms, of two at a time: thousands kept everybody else waiting."""
    monkeypatch.setattr(passwords, "_MOST_PENDING", 3)
    async with dashboard.browser() as browser:
        fields = [{"user": f"user{number}", "password": "wrong"} for number in range(12)]
        answers = await asyncio.gather(*(browser.post("/signin", data=each) for each in fields))
        statuses = {answer.status_code for answer in answers}
        assert statuses == {401, 503}
        assert (await browser.post("/signin", data={"user": "viewer", "password": PASSWORD})).status_code == 303


async def test_reads_of_many_names_are_forgotten(dashboard: Dashboard) -> None:
    """Names come from addresses: each one was kept as long as the process lived."""
    calls: list[str] = []

    async def read(name: str) -> str:
        calls.append(name)
        return name

    engine = dashboard.flow.engine
    for number in range(600):
        await shared(engine, f"attack {number}", 60.0, partial(read, str(number)))
    assert await shared(engine, "attack 599", 60.0, lambda: read("again")) == "599"
    assert await shared(engine, "attack 0", 60.0, lambda: read("again")) == "again"


async def test_a_bulk_action_is_audited_run_by_run(shop: Dashboard) -> None:
    """A line with a hundred ids does not fit into the index of PostgreSQL; ids that are none are no action."""
    engine, operator = shop.flow.engine, await shop.visitor()
    runs = [(await engine.runs.atrigger("attacks", number, TriggerOptions())).run_id for number in range(3)]
    data = {"csrf": await operator.token(), "kind": "cancel", "run": runs, "reason": "a" * 5000}
    address = f"/{shop.flow.settings.environment}/runs/bulk/do"
    assert (await operator.client.post(address, data=data)).status_code == 303
    lines = engine.audit.list()
    assert sorted((line.action, line.target) for line in lines) == sorted(("run.cancel", each) for each in runs)
    assert {(line.actor, len(line.reason)) for line in lines} == {("operator", 200)}
    assert (await operator.client.post(address, data=data | {"run": ["none-such"]})).status_code == 303
    assert len(engine.audit.list()) == 3
    long = {"csrf": data["csrf"], "kind": "cancel", "all": "1", "query": "period=1h&tag=" + "x" * 200_000}
    await operator.client.post(address, data=long)
    assert max(len(line.target) for line in engine.audit.list()) <= 500


async def test_instants_without_an_instant_are_named(dashboard: Dashboard) -> None:
    """The first and the last hours that can be written, in a zone in which UTC has none."""
    operator = await dashboard.visitor()
    for query in ({"from": "0001-01-01T00:00:00+14:00"}, {"to": "9999-12-31T23:59:59-14:00"}):
        answer = await operator.get("runs", **query)
        assert answer.status_code == 200
        assert "Write an instant" in answer.text


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/0", "$defs": {str(n): {"anyOf": [{"$ref": f"#/$defs/{n + 1}"}] * 2} for n in range(60)}},
        {"type": "object", "properties": {"a": {"type": "integer"}}, "required": 5},
        {"type": "object", "properties": {"a": {"type": "object", "properties": {"b": 5}}}, "required": {"a": 1}},
        {"$ref": "#"},
    ],
)
@pytest.mark.timeout(20)
def test_a_schema_that_is_none_has_no_form_and_no_example(schema: dict[str, object]) -> None:
    """It is a worker's. Unions of unions had as many forms as there are ways through them."""
    target = Target("any", None, schema, is_known=True)
    assert json.loads(example_of(target)) in (None, {"a": 0}, {"a": {}}, {})
    assert bench_of(schema, "{}", ()).text == "{}"


async def test_a_head_that_does_not_end_is_refused(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """Headers were kept in memory, as many as were sent. Heads of usual sizes are served, one after the other."""
    server = ApiServer(start_fleet(valkey.url))
    server.start()
    try:
        for begin in (b"GET /signin?", b"GET /signin HTTP/1.1\r\nHost: x\r\nX-Long: "):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(begin + b"a" * 1_000_000)
            async with asyncio.timeout(20):
                assert (await reader.readline()).startswith(b"HTTP/1.1 400 ")
            writer.close()
        async with httpx.AsyncClient(base_url=server.url) as client:
            for _ in range(3):
                answer = await client.get("/signin", headers={"x-long": "a" * 50_000})
                assert answer.status_code == 200
    finally:
        server.close()


async def test_signing_in_is_logged(dashboard: Dashboard, caplog: pytest.LogCaptureFixture) -> None:
    """Who tries passwords is seen, with name and address; the password is not."""
    with caplog.at_level("INFO", "taskflow.audit"):
        async with dashboard.browser() as browser:
            await browser.post("/signin", data={"user": "evil\nname", "password": "wrong-one"})
            await browser.post("/signin", data={"user": "viewer", "password": PASSWORD})
    assert "refused by 'evil\\nname' from 127.0.0.1" in caplog.text
    assert "taken by 'viewer' from 127.0.0.1" in caplog.text
    assert "wrong-one" not in caplog.text


async def test_one_user_does_not_take_all_streams(
    start_fleet: StartFleet, valkey: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them may have readers of its own. Others still follow, and places come back."""
    monkeypatch.setattr(stream, "MOST_OF_USER", 2)
    dashboard = Dashboard(start_fleet(valkey.url).flow)
    streams, users = stream.LiveStreams(TOPICS), dashboard.flow.engine.users

    async def opened(name: str) -> Response:
        request = Request({"type": "http", "query_string": b"t=nav", "headers": [], "app": dashboard.app})
        return await streams.open(Visit(request, dashboard.flow, await _user(users, name), set()))

    held = [await _held(await opened("viewer")) for _ in range(2)]
    assert (await opened("viewer")).status_code == 503
    assert (await opened("operator")).status_code == 200
    held[0].cancel()
    await asyncio.gather(held[0], return_exceptions=True)
    assert (await opened("viewer")).status_code == 200
    held[1].cancel()
    await asyncio.gather(held[1], return_exceptions=True)


async def _held(response: Response) -> "asyncio.Task[None]":
    """Send a stream, and return once it has begun."""
    has_begun = asyncio.Event()

    async def send(message: Message) -> None:
        if message.get("body"):
            has_begun.set()

    async def receive() -> Message:
        await asyncio.Event().wait()
        return {}

    task = asyncio.create_task(response({"type": "http"}, receive, send))
    await has_begun.wait()
    return task


async def test_signing_in_again_ends_the_earlier_session_of_the_browser(dashboard: Dashboard) -> None:
    """Its cookie is replaced, so that nobody could sign out of it."""
    async with dashboard.browser() as browser:
        fields = {"user": "viewer", "password": PASSWORD}
        cookie = session_cookie(dashboard.flow.settings.environment)
        first = (await browser.post("/signin", data=fields)).cookies[cookie]
        second = (await browser.post("/signin", data=fields)).cookies[cookie]
    users = dashboard.flow.engine.users
    assert (await users.acheck_session(first), await users.acheck_session(second) is None) == (None, False)


async def test_a_replay_is_of_a_run_that_there_is(dashboard: Dashboard) -> None:
    """The field comes back from the page, and the run's record keeps it."""
    operator = await dashboard.visitor()
    for begin in ("run_none", "run_" + "x" * 1_000_000):
        answer = await operator.post("test/attacks-unknown", payload="1", begin=begin)
        assert answer.status_code == 303
        run = await dashboard.flow.engine.runs.aretrieve(answer.headers["location"].rpartition("/")[2])
        assert run.replay_of is None


async def test_a_template_has_a_bound_with_its_options(shop: Dashboard) -> None:
    """It is read with every page of its task."""
    operator = await shop.visitor()
    answer = await operator.post("templates/attacks-unknown", payload="1", template="large", option_x="x" * 600_000)
    assert answer.status_code == 413
    assert not shop.flow.engine.templates.list("attacks-unknown")
