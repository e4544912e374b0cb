"""The pages of tokens."""

import asyncio
import json
import re

import pytest

from taskflow.definition.calls.trigger_options import TriggerOptions
from taskflow.seams.tokens import TokenOptions
from tests.conftest import StartFleet
from tests.support.dashboard import Dashboard
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until

TASK = "s-async-approved"
HOSTILE = "<img src=x onerror=alert(1)>"
SCHEMA = '{"type":"object","properties":{"approved":{"type":"boolean"}},"required":["approved"]}'


def make(dashboard: Dashboard, *tags: str, schema: str = "") -> str:
    """Make a token."""
    return dashboard.flow.engine.tokens.create(TokenOptions(tags=tags, schema=schema)).id


async def test_a_viewer_sees_tokens_without_their_ids(dashboard: Dashboard) -> None:
    """Who has an id may complete its token."""
    token = make(dashboard, HOSTILE)
    page = (await (await dashboard.visitor("viewer")).get("tokens")).text
    assert token not in page
    assert token[-4:] in page
    assert HOSTILE not in page
    assert "&lt;img" in page
    own = (await (await dashboard.visitor("operator")).get("tokens")).text
    assert token in own


async def test_a_token_is_completed_by_hand(dashboard: Dashboard) -> None:
    """Its output is shown afterwards, and nobody completes it again."""
    engine, operator = dashboard.flow.engine, await dashboard.visitor("operator")
    token = make(dashboard, HOSTILE, schema=SCHEMA)
    form = (await operator.get(f"tokens/{token}")).text
    assert "approved" in form
    assert HOSTILE not in form
    answer = await operator.post(f"tokens/{token}/complete", payload='{"approved": true, "why": "<b>"}')
    assert (answer.status_code, answer.headers["location"].endswith(token)) == (303, True)
    assert engine.tokens.retrieve(token).output == {"approved": True, "why": "<b>"}
    after = (await operator.get(f"tokens/{token}")).text
    assert "Complete token" not in after
    assert "&lt;b&gt;" in after
    again = await operator.post(f"tokens/{token}/complete", payload='{"approved": false}')
    assert again.status_code == 422
    assert "Nothing has changed" in again.text


async def test_the_run_that_waits_stands_beside_its_token(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """One decides by its payload. The answer lets it go on."""
    fleet = start_fleet(valkey.url)
    dashboard = Dashboard(fleet.flow)
    operator, token = await dashboard.visitor("operator"), make(dashboard, "order:17")
    await asyncio.to_thread(fleet.start_node, executor="async")
    run_id = fleet.flow.engine.runs.trigger(TASK, token, TriggerOptions()).run_id
    await asyncio.to_thread(wait_until, lambda: fleet.flow.engine.runs.status(run_id) == "WAITING", "the wait")
    waiting = (await operator.get("tokens", status="WAITING")).text
    assert re.search(rf'{TASK} <span class="id">{run_id[-8:]}<', waiting)
    assert run_id in (await operator.get(f"tokens/{token}")).text
    viewer = await dashboard.visitor("viewer")
    listed, head = (await viewer.get("runs")).text, (await viewer.get(f"runs/{run_id}", part="section#summary")).text
    assert "Waits for token order:17" in listed
    assert "order:17" in head
    assert token not in listed + head
    assert (await viewer.get(f"runs/{run_id}/token")).status_code == 403
    assert (await operator.get(f"runs/{run_id}/token")).headers["location"].endswith(token)
    await operator.post(f"tokens/{token}/complete", payload='{"approved": true, "by": "ana"}')
    await asyncio.to_thread(wait_until, lambda: fleet.flow.engine.runs.status(run_id) == "COMPLETED", "its end")


@pytest.mark.parametrize("output", ["", "{", '{"approved": "yes"}', "1e999", "[" * 5000, '"\\ud800"'])
async def test_an_output_that_does_not_fit_comes_back_with_the_reason(dashboard: Dashboard, output: str) -> None:
    """Whatever was typed is still in the form."""
    token, operator = make(dashboard, schema=SCHEMA), await dashboard.visitor("operator")
    answer = await operator.post(f"tokens/{token}/complete", payload=output)
    assert answer.status_code == 422
    assert "nothing is completed" in answer.text
    assert dashboard.flow.engine.tokens.retrieve(token).status == "WAITING"


async def test_the_form_of_the_outputs_type_and_its_json_are_one_document(dashboard: Dashboard) -> None:
    """A change of a field is written into the JSON; nothing is completed by that."""
    token, operator = make(dashboard, schema=SCHEMA), await dashboard.visitor("operator")
    page = (await operator.get(f"tokens/{token}")).text
    assert 'data-at="/approved"' in page
    edits = '[{"at": "/approved", "as": "json", "value": "true"}]'
    answer = (await operator.post(f"tokens/{token}/check", payload='{"approved": 1}', edits=edits)).json()
    assert (json.loads(answer["text"]), answer["faults"]) == ({"approved": True}, 0)
    assert answer["parts"].keys() == {"fields", "painted", "note", "verdict"}
    wrong = (await operator.post(f"tokens/{token}/check", payload=f'{{"approved": "{HOSTILE}"}}')).json()
    assert wrong["faults"] == 1
    assert HOSTILE not in "".join(wrong["parts"].values())
    assert dashboard.flow.engine.tokens.retrieve(token).status == "WAITING"


async def test_tokens_are_listed_by_state_and_tag(dashboard: Dashboard) -> None:
    """A filter that matches none says so."""
    viewer = await dashboard.visitor("viewer")
    assert "There is no token" in (await viewer.get("tokens")).text
    first, second = make(dashboard, "a"), make(dashboard, "b")
    dashboard.flow.engine.tokens.complete(first, b"1")
    opened = (await viewer.get("tokens", part="div#rows", status="WAITING")).text
    assert second[-4:] in opened
    assert first[-4:] not in opened
    assert "<h1>" not in opened
    tagged = (await viewer.get("tokens", tag="a")).text
    assert first[-4:] in tagged
    assert "No token matches" in (await viewer.get("tokens", tag="none")).text
    assert (await viewer.get("tokens", cursor="nonsense")).status_code == 422
