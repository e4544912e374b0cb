"""The URL of a token that Python code has made, at the server of its environment."""

import httpx

from taskflow import wait
from tests.conftest import StartFleet
from tests.support.api import Api
from tests.support.servers import RedisServer


async def test_a_post_to_its_url_completes_a_token(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """Worker and server have the same secret. Neither another token nor another body is completed by it."""
    api = Api(start_fleet(valkey.url, public_url="http://api.test", secret_key="a secret of this test").flow)
    token, other = await wait.acreate_token(), await wait.acreate_token(timeout="1h")
    assert token.url is not None
    assert other.url is not None
    async with api.client(None) as client:
        crossed = token.url.replace(token.id[6:], other.id[6:])
        assert (await client.post(crossed, json=1)).status_code == 401
        assert (await client.post(token.url, json={"approved": True})).json() == {"success": True}
        assert (await client.post(token.url, json={"approved": False})).json() == {"success": True}
    assert (await wait.aretrieve_token(token)).output == {"approved": True}
    assert (await wait.aretrieve_token(other)).output is None


async def test_the_public_token_of_a_token_completes_it(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """Over the API, and only this one."""
    api = Api(start_fleet(valkey.url, public_url="http://api.test").flow)
    token, other = await wait.acreate_token(), await wait.acreate_token()
    async with api.client(token.public_access_token) as client:
        answers: list[httpx.Response] = [
            await client.post(f"/api/v1/waitpoints/tokens/{each.id}/complete", json={"data": 1})
            for each in (token, other)
        ]
    assert [answer.status_code for answer in answers] == [200, 403]


async def test_without_a_public_url_a_token_has_none(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """No secret is made for it, either."""
    start_fleet(valkey.url)
    token = await wait.acreate_token()
    assert (token.url, token.public_access_token) == (None, None)
