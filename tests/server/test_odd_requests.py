"""Requests that no honest client sends: each is refused with a body that programs can read, none is a 500."""

import base64

import pytest

from tests.support.api import Api


def _cursor(text: str) -> str:
    return base64.urlsafe_b64encode(f"1 {text}".encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "path, status",
    [
        ("/realtime/v1/runs?tags=a&createdAt=999999999999999", 400),
        (f"/api/v1/waitpoints/tokens?page[before]={_cursor('²:x')}", 400),
        ("/api/taskflow/v1/deliveries/none", 404),
        ("/api/taskflow/v1/deliveries?cursor=none", 400),
        ("/api/v1/waitpoints/tokens/", 404),
        ("/realtime/v1/runs/%2F", 404),
    ],
)
async def test_what_no_client_sends_is_no_failure_of_the_server(path: str, status: int, api: Api) -> None:
    """A 500 is repeated by clients and wakes people; a redirect names whatever host the request did."""
    async with api.client() as client:
        answer = await client.get(path)
    assert answer.status_code == status
    assert status == 200 or answer.json()["code"]


@pytest.mark.parametrize("number", ["1e999", "-1E400", "9" * 400 + ".5"])
async def test_a_number_that_json_readers_take_for_infinity_is_refused(number: str, api: Api) -> None:
    """It would be stored as null without a word."""
    async with api.client() as client:
        run_id = (await client.post("/api/v1/tasks/f-echo/trigger", json={"options": {"delay": "1h"}})).json()["id"]
        token = (await client.post("/api/v1/waitpoints/tokens", json={})).json()["id"]
        answers = [
            await client.request(method, path, content=body.replace("NUMBER", number))
            for method, path, body in (
                ("POST", "/api/v1/tasks/f-echo/trigger", '{"payload":NUMBER}'),
                ("PUT", f"/api/v1/runs/{run_id}/metadata", '{"operations":[{"type":"set","key":"a","value":NUMBER}]}'),
                ("POST", f"/realtime/v1/streams/{run_id}/input/a", '{"data":[NUMBER]}'),
                ("POST", f"/api/v1/waitpoints/tokens/{token}/complete", '{"data":NUMBER}'),
            )
        ]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(400, "invalid_json")] * 4
