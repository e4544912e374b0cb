"""One-time public tokens: one accepted call, however it is sent again, and by whatever text."""

import asyncio
from collections.abc import Sequence

import httpx

from tests.support.api import Api

_TASK = "f-echo"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


async def _token(api: Api, *scopes: str) -> str:
    async with api.client() as client:
        made = await client.post("/api/v1/auth/public-tokens", json={"scopes": scopes, "oneTimeUse": True})
    return str(made.json()["token"])


async def _trigger(api: Api, token: str, request_key: str, task: str = _TASK, **body: object) -> httpx.Response:
    headers = {"x-trigger-request-idempotency-key": request_key}
    async with api.client(token, **headers) as client:
        return await client.post(f"/api/v1/tasks/{task}/trigger", json=body)


def _runs(api: Api) -> int:
    return len(api.flow.engine.runs.list(100).runs)


def _spellings(token: str) -> Sequence[str]:
    """Return the token with each last letter: of its six bits the decoder drops two."""
    return [token[:-1] + letter for letter in _LETTERS]


async def test_another_spelling_of_a_used_token_is_no_token(api: Api) -> None:
    """Several texts of base64 stand for one signature; only the text that was handed out is the token."""
    token = await _token(api, "trigger:tasks")
    answers = [await _trigger(api, each, str(place)) for place, each in enumerate(_spellings(token))]
    assert sorted({answer.status_code for answer in answers}) == [200, 401]
    assert _runs(api) == 1


async def test_a_request_key_does_not_let_a_token_start_several_tasks(api: Api) -> None:
    """The key makes a repeat safe; another task, or another content, is no repeat."""
    token = await _token(api, "trigger:tasks")
    answers = [await _trigger(api, token, "one", task) for task in (_TASK, "f-other", "f-third", _TASK)]
    assert [answer.status_code for answer in answers] == [200, 422, 422, 200]
    assert answers[0].json()["id"] == answers[-1].json()["id"]
    assert (await _trigger(api, token, "one", payload="other")).json()["code"] == "token_used"
    assert _runs(api) == 1


async def test_a_refused_call_with_the_same_request_key_gives_no_used_token_back(api: Api) -> None:
    """Else a token would be good for a run, a refusal, another run, and so on."""
    token = await _token(api, "trigger:tasks")
    assert (await _trigger(api, token, "one")).status_code == 200
    refused = await _trigger(api, token, "one", payload="none", options={"payloadType": "application/store"})
    assert refused.status_code == 422
    assert (await _trigger(api, token, "two")).json()["code"] == "token_used"
    assert _runs(api) == 1


async def test_a_race_for_a_one_time_token_has_one_winner(api: Api) -> None:
    """Twenty pages with one token make one run."""
    token = await _token(api, "trigger:tasks")
    answers = await asyncio.gather(*(_trigger(api, token, str(place)) for place in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200, *[422] * 19]
    assert _runs(api) == 1
