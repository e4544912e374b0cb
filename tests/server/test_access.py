"""Every route with every kind of credential, walked from the route table."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from taskflow.server.public_tokens import mint
from taskflow.server.route import ApiRoute
from taskflow.server.routes import ROUTES
from taskflow.server.state import ServerState
from tests.conftest import StartFleet
from tests.support.api import Api
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until

CLOSED = [route for route in ROUTES if not route.access.is_open]
OPEN = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/api/v1/timezones"),  # the client sends no key; the names are public
    ("POST", "/api/v1/waitpoints/tokens/{token}/callback/{hash}"),  # the hash proves who got the URL
    ("PUT", "/packets/{expires}/{signature}/{path:path}"),  # the signature proves who asked for the address
    ("GET", "/webhooks/{endpoint}"),  # a source checks its address: the answer needs the owner's token
    ("POST", "/webhooks/{endpoint}"),  # its source verifies a delivery
}
"""The routes without a key. A new one is a decision, so it is named here, too."""


def _path(route: ApiRoute) -> str:
    return re.sub(r"\{\w+(:\w+)?\}", "nothing", route.path)


def test_only_health_and_what_carries_its_own_secret_needs_no_key() -> None:
    """A new route can't be open by mistake."""
    assert {(route.method, route.path) for route in ROUTES if route.access.is_open} == OPEN


@pytest.mark.parametrize("credential", ["none", "two", "basic", "wrong", "no key", "expired", "foreign", "revoked"])
async def test_no_route_answers_without_a_valid_key(
    credential: str, api: Api, start_fleet: StartFleet, valkey: RedisServer
) -> None:
    """Whatever is wrong with it, the answer is 401 with a code and a remedy, and nothing is done."""
    wrong = f"tr_dev_sk_{'A' * 24}"
    headers = {
        "none": [],
        "two": [("authorization", f"Bearer {api.key}"), ("authorization", f"Bearer {wrong}")],
        "basic": [("authorization", f"Basic {api.key}")],
        "wrong": [("authorization", f"Bearer {wrong}")],
        "no key": [("authorization", "Bearer \xe9")],
        "expired": [("authorization", f"Bearer {_expired(api)}")],
        "foreign": [("authorization", f"Bearer {Api(start_fleet(valkey.url).flow).key}")],
        "revoked": [("authorization", f"Bearer {_revoked(api)}")],
    }[credential]
    async with api.client(None) as client:
        for route in CLOSED:
            raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
            answer = await client.request(route.method, _path(route), headers=raw, json={})
            assert answer.status_code == 401, route
            assert answer.headers["www-authenticate"] == "Bearer"
            assert {"error", "code", "remedy"} <= answer.json().keys()
    assert not api.flow.engine.runs.list(10).runs


async def test_a_read_only_key_reads_and_changes_nothing(api: Api) -> None:
    """It gets whatever a GET gives, and 403 for the rest."""
    async with api.client(api.make_key("reader", is_read_only=True)) as client:
        for route in CLOSED:
            if route.content_type == "text/event-stream":  # this client waits for the end of an answer
                continue
            answer = await client.request(route.method, _path(route), json={})
            if route.method == "GET":
                assert answer.status_code not in (401, 403), route
            else:
                assert (answer.status_code, answer.json()["code"]) == (403, "read_only_key"), route


async def test_a_public_token_without_a_scope_may_nothing(api: Api) -> None:
    """And no public token at all may what only secret keys may."""
    server: ServerState = api.app.state.server
    until = datetime.now(UTC) + timedelta(hours=1)
    useless, wide = (mint(server, [scope], until) for scope in ("sing:songs", "admin"))
    async with api.client(useless) as client, api.client(wide) as admin:
        for route in CLOSED:
            refused = [await client.request(route.method, _path(route), json={})]
            if route.access.action is None:
                refused.append(await admin.request(route.method, _path(route), json={}))
            for answer in refused:
                assert (answer.status_code, answer.json()["code"]) == (403, "unauthorized"), route


async def test_every_answer_to_a_key_says_what_is_left_of_its_rate(api: Api) -> None:
    """The official client waits until x-ratelimit-reset."""
    async with api.client(api.make_key("slow", rate_limit="3/h")) as client:
        answers = [await client.get("/openapi.json") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert {answer.headers["x-ratelimit-limit"] for answer in answers} == {"3"}
    assert int(answers[3].headers["retry-after"]) in range(1100, 1201)
    assert int(answers[3].headers["x-ratelimit-reset"]) > 1_700_000_000_000


async def test_a_token_is_revoked_with_the_key_that_made_it_and_counts_in_its_rate(api: Api) -> None:
    """Also the tokens that answers carry, and those that a token's own answers carry."""
    key = api.make_key("mother", rate_limit="6/h")
    async with api.client(key) as client:
        body = {"scopes": ["trigger:tasks:t-echo", "read:runs"]}
        token = (await client.post("/api/v1/auth/public-tokens", json=body)).json()["token"]
        trigger = await client.post("/api/v1/tasks/t-echo/trigger", json={"payload": 1})
    async with api.client(token) as page:
        of_token = await page.post("/api/v1/tasks/t-echo/trigger", json={"payload": 1})
        assert of_token.headers["x-ratelimit-remaining"] == "3"
    bearers = [token, trigger.headers["x-trigger-jwt"], of_token.headers["x-trigger-jwt"]]
    paths = [f"/api/v3/runs/{run.json()['id']}" for run in (trigger, trigger, of_token)]

    async def states() -> list[tuple[int, str]]:
        answers: list[tuple[int, str]] = []
        for bearer, path in zip(bearers, paths, strict=True):
            async with api.client(bearer) as holder:
                answer = await holder.get(path)
                answers.append((answer.status_code, answer.json().get("code", "")))
        return answers

    assert await states() == [(200, "")] * 3
    assert await states() == [(429, "rate_limited")] * 3
    [key_id] = [known.id for known in api.flow.engine.api_keys.list() if known.name == "mother"]
    api.flow.engine.api_keys.revoke(key_id)
    assert await states() == [(401, "invalid_token")] * 3


async def test_tokens_of_an_expired_key_have_expired(api: Api) -> None:
    """Their own expiry may be later."""
    key = _expired(api)
    [key_id] = [known.id for known in api.flow.engine.api_keys.list() if known.name == "short"]
    token = mint(api.app.state.server, ["read:runs"], datetime.now(UTC) + timedelta(hours=1), key_id=key_id)
    assert key
    async with api.client(token) as client:
        answer = await client.get("/api/v1/runs")
    assert (answer.status_code, answer.json()["code"]) == (401, "token_expired")


def _expired(api: Api) -> str:
    key = api.make_key("short", expires=0.001)

    def has_expired() -> bool:
        [short] = [known for known in api.flow.engine.api_keys.list() if known.name == "short"]
        return short.expires_at is not None and short.expires_at < datetime.now(UTC)

    wait_until(has_expired, "the key to expire")
    return key


def _revoked(api: Api) -> str:
    key = api.make_key("gone")
    [key_id] = [known.id for known in api.flow.engine.api_keys.list() if known.name == "gone"]
    api.flow.engine.api_keys.revoke(key_id)
    return key
