"""The page of tests: forms of all kinds of schemas, checks at their fields, and runs by hand."""

import importlib
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from taskflow.definition.calls.run_filter import RunFilter
from tests.conftest import StartFleet
from tests.support.dashboard import Dashboard, Visitor
from tests.support.servers import RedisServer

ORDER: dict[str, Any] = {
    "order_id": "o_1",
    "destination": {"country": "CH", "postcode": "8004", "street": "Langstrasse 84"},
    "parcels": [{"sku": "TENT", "quantity": 1, "weight_g": 2140}],
    "declared_value": "1240.00",
}

LARGE = 12345678901234567890123


@pytest.fixture(autouse=True, scope="module")
def _form_tasks() -> None:
    importlib.import_module("tests.projects.form_tasks")


def order(**changes: object) -> str:
    return json.dumps({**ORDER, **changes})


async def check(visitor: Visitor, task: str, payload: str, *edits: tuple[str, str, str], **fields: Any) -> Any:
    sent = json.dumps([{"at": at, "as": kind, "value": value} for at, kind, value in edits])
    answer = await visitor.post(f"checks/{task}", payload=payload, edits=sent, **fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def runs_of(dashboard: Dashboard, task: str) -> int:
    return len(await dashboard.flow.engine.runs.afind(RunFilter(task=task)))


async def run_made(answer: httpx.Response, dashboard: Dashboard) -> Any:
    assert answer.status_code == 303, answer.text
    return await dashboard.flow.engine.runs.aretrieve(answer.headers["location"].rpartition("/")[2])


async def test_a_form_has_a_field_for_each_kind_of_value(dashboard: Dashboard) -> None:
    """The fields follow from the payload's type."""
    visitor = await dashboard.visitor()
    page = (await visitor.get("test/form-order")).text
    for mark in (
        'data-at="/order_id"', "Matches ^o_[0-9]+$", 'data-at="/priority"', ">express</label>",
        'data-at="/destination/country"',
        "array of Parcel, 1 to 20", 'class="cols" data-columns="3"', 'data-at="/parcels/0/quantity"',
        'data-at="/declared_value"', 'class="switch"', "Add payment", "Add category",
        'data-at="/anything"', "Fill with example",
    ):  # fmt: skip
        assert mark in page, mark
    assert "Trigger test run" in page


async def test_a_form_has_a_field_for_each_parameter(dashboard: Dashboard) -> None:
    """A task with several parameters has an object of them, with their defaults."""
    visitor = await dashboard.visitor()
    page = (await visitor.get("test/t-charge")).text
    for mark in ('data-at="/order_id"', 'data-at="/amount"', 'data-at="/note"'):
        assert mark in page, mark
    run = await run_made(await visitor.post("test/t-charge", payload='{"order_id": "o1"}', test="1"), dashboard)
    assert (run.task_id, run.payload, run.is_test) == ("t-charge", {"order_id": "o1"}, True)


async def test_a_payload_triggers_a_run_that_is_marked_as_a_test(dashboard: Dashboard) -> None:
    """With every option of a trigger."""
    visitor = await dashboard.visitor()
    options: dict[str, Any] = {
        "option_max_attempts": "1", "option_tags": "try:customs eu", "option_delay": "1h", "option_priority": "5",
        "option_concurrency_key": "c1", "option_metadata": '{"by": "hand"}', "option_idempotency_key": "k",
        "option_ttl": "2h", "option_max_duration": "1m", "option_machine": "small-2x", "option_queue": "form-queue",
    }  # fmt: skip
    run = await run_made(await visitor.post("test/form-order", payload=order(), test="1", **options), dashboard)
    assert (run.task_id, run.is_test, run.tags, run.max_attempts) == ("form-order", True, ("try:customs", "eu"), 1)
    assert (run.payload["order_id"], run.metadata, run.concurrency_key) == ("o_1", {"by": "hand"}, "c1")
    assert (run.machine, run.queue, run.priority) == ("small-2x", "form-queue", 5.0)


async def test_edits_of_the_form_are_written_into_the_json_and_triggered(dashboard: Dashboard) -> None:
    """Numbers stay digit by digit, and edits that were not checked yet are not lost."""
    visitor = await dashboard.visitor()
    edits = [
        {"at": "/parcels/-", "as": "json", "value": f'{{"sku": "STOVE", "quantity": 1, "weight_g": {LARGE}}}'},
        {"at": "/parcels/0/quantity", "as": "number", "value": "3"},
        {"at": "/destination/instructions", "as": "null", "value": ""},
        {"at": "/labels/a~1b", "as": "json", "value": '""'},
        {"at": "/payment", "as": "json", "value": '{"kind": "invoice"}'},
    ]  # fmt: skip
    answer = await visitor.post("test/form-order", payload=order(), edits=json.dumps(edits))
    payload = (await run_made(answer, dashboard)).payload
    assert [parcel["quantity"] for parcel in payload["parcels"]] == [3, 1]
    assert payload["parcels"][1]["weight_g"] == LARGE
    assert (payload["labels"], payload["payment"]) == ({"a/b": ""}, {"kind": "invoice"})


async def test_faults_stand_at_their_fields_and_lines_and_nothing_is_triggered(dashboard: Dashboard) -> None:
    """A loc of pydantic's becomes a field, a line and a count."""
    visitor = await dashboard.visitor()
    parcels = [{"sku": "TENT", "quantity": 0, "weight_g": 1}]
    text = json.dumps({**ORDER, "parcels": parcels, "order_id": "x"}, indent=2)
    found = await check(visitor, "form-order", text)
    line = 1 + text[: text.index('"quantity"')].count("\n")
    assert found["faults"] == 2
    assert f"Line {line}: parcels 0 quantity: Input should be greater than 0" in found["parts"]["note"]
    assert 'aria-describedby="f/parcels/0/quantity-e0"' in found["parts"]["fields"]
    assert found["parts"]["painted"].split("\n")[line - 1].startswith('<span class="bad-line">')
    assert "2 faults: nothing is triggered" in found["parts"]["verdict"]
    answer = await visitor.post("test/form-order", payload=text)
    assert answer.status_code == 422
    assert "greater than 0" in answer.text
    assert await runs_of(dashboard, "form-order") == 0


@pytest.mark.parametrize(
    "payload, named",
    [
        ("{", "It is not JSON"),
        ("[NaN]", "NaN is no JSON"),
        ("[" * 100_000, "200 levels deep"),
        ("null", "Input should be"),
        (order(parcels=[]), "at least 1 item"),
        (order(destination={"country": "CH", "postcode": "1"}), "destination street: Field required"),
        (order(payment={"kind": "cash"}), "payment"),
        (order(labels={"a": "", "b": "", "c": ""}), "labels: Value error, at most 2 labels"),
        (order(category={"name": "a", "parts": [{"name": 5}]}), "category parts 0 name"),
    ],
)
async def test_a_wrong_payload_is_named_and_triggers_nothing(dashboard: Dashboard, payload: str, named: str) -> None:
    """Also what is no JSON at all, and what only a validator refuses."""
    visitor = await dashboard.visitor()
    answer = await visitor.post("test/form-order", payload=payload)
    assert answer.status_code == 422
    assert named in answer.text
    assert await runs_of(dashboard, "form-order") == 0


@pytest.mark.parametrize(
    "option, value, named",
    [
        ("max_attempts", "many", "Use a number."),
        ("delay", "soon", "timedelta"),
        ("metadata", "{", "It is not JSON"),
        ("debounce_delay", "5s", "Use text of 1 to 512"),
        ("queue", "no name\n", "queue"),
    ],
)
async def test_an_option_that_is_not_possible_is_named_at_its_field(
    dashboard: Dashboard, option: str, value: str, named: str
) -> None:
    """A check says so before the run is triggered."""
    visitor = await dashboard.visitor()
    options: dict[str, Any] = {f"option_{option}": value}
    answer = await visitor.post("test/form-any", payload="1", **options)
    assert answer.status_code == 422
    assert named in answer.text
    found = await check(visitor, "form-any", "1", **options)
    assert option.partition("_")[0] in found["parts"]["verdict"]
    assert await runs_of(dashboard, "form-any") == 0


async def test_what_the_text_of_a_page_could_do_is_only_shown(dashboard: Dashboard) -> None:
    """Markup, control characters and lone surrogates of a payload are text."""
    visitor = await dashboard.visitor()
    hostile = "<script>alert(1)</script>"
    text = order(order_id=hostile, labels={hostile: "\x1b[31m\ud800"}, anything=hostile)
    for answer in (
        await visitor.post("test/form-order", payload=text),
        await visitor.post("test/form-any", payload=text, option_tags=hostile, option_delay=hostile),
        await visitor.get(f"test/{hostile}"),
    ):
        assert answer.status_code in (200, 422)
        assert hostile not in answer.text
    found = await check(visitor, "form-order", text)
    assert all(hostile not in part for name, part in found["parts"].items() if name != "text")


async def test_five_megabytes_are_shown_without_a_form(dashboard: Dashboard) -> None:
    """A form of them would be of no use, and slow."""
    visitor = await dashboard.visitor()
    text = json.dumps("x" * 5_000_000)
    page = await visitor.post("test/form-any", payload=text, option_delay="never")
    assert page.status_code in (413, 422)
    found = await visitor.post("checks/form-order", payload=order(anything=["y" * 900_000]))
    assert "too much for a form" in found.json()["parts"]["fields"]


async def test_tasks_without_a_schema_and_without_a_payload_have_json_only(dashboard: Dashboard) -> None:
    """The page says why there is no form."""
    visitor = await dashboard.visitor()
    assert "No schema is known" in (await visitor.get("test/form-any")).text
    assert "The task takes no payload" in (await visitor.get("test/form-none")).text
    unknown = (await visitor.get("test/nobody-knows-me")).text
    assert "No worker knows this task" in unknown
    assert (await run_made(await visitor.post("test/nobody-knows-me", payload="5"), dashboard)).payload == 5
    assert (await run_made(await visitor.post("test/form-none", payload=""), dashboard)).payload is None
    assert (await visitor.post("test/form-none", payload="5")).status_code == 422


@pytest.mark.parametrize("task", ["form-nightly", "form-hook"])
async def test_scheduled_and_webhook_tasks_begin_with_a_payload_of_their_kind(dashboard: Dashboard, task: str) -> None:
    """It can be triggered as it is."""
    visitor = await dashboard.visitor()
    page = (await visitor.get(f"test/{task}")).text
    assert ("next tick stays" if task == "form-nightly" else "taskflow webhooks send form-hook FILE") in page
    assert ('data-at="/timestamp"' if task == "form-nightly" else 'data-at="/delivery_id"') in page
    text = page.partition('aria-label="Payload, JSON">\n')[2].partition("</textarea>")[0].replace("&#34;", '"')
    run = await run_made(await visitor.post(f"test/{task}", payload=text), dashboard)
    assert run.payload["timestamp" if task == "form-nightly" else "received_at"].startswith("20")


async def test_a_run_is_replayed_with_an_edited_payload(dashboard: Dashboard) -> None:
    """The page begins with the run's payload and options, and the new run names it."""
    visitor = await dashboard.visitor()
    first = await run_made(
        await visitor.post("test/form-order", payload=order(), option_tags="vip", test="1"), dashboard
    )
    page = (await visitor.get("test/form-order", **{"from": first.id})).text
    assert "o_1" in page
    assert "Key, delay, ttl" in page
    assert 'value="vip"' in page
    again = await visitor.post(
        "test/form-order", payload=order(order_id="o_2"), begin=first.id, option_tags="vip", test="1"
    )
    made = await run_made(again, dashboard)
    assert (made.replay_of, made.payload["order_id"], made.tags) == (first.id, "o_2", ("vip",))
    assert "o_2" in (await visitor.get("test/form-order")).text


async def test_a_test_is_saved_under_a_name_and_begun_from_again(
    start_fleet: StartFleet, valkey: RedisServer, tmp_path: Path
) -> None:
    """Templates are in the history. Without one, and without a name, the page says so."""
    dashboard = Dashboard(start_fleet(valkey.url, database_url=f"sqlite:///{tmp_path}/history.db").flow)
    visitor = await dashboard.visitor()
    saved = await visitor.post(
        "templates/form-order", payload=order(), template="Customs case <b>", option_tags="try", edits="[]"
    )
    assert saved.status_code == 303, saved.text
    page = (await visitor.get("test/form-order", **{"from": "template:Customs case <b>"})).text
    assert "Customs case &lt;b&gt;" in page
    assert 'value="try"' in page
    assert "Langstrasse 84" in page
    assert (await visitor.post("templates/form-order", payload="1", template=" ")).status_code == 422
    assert (await visitor.post("templates/form-order", drop="Customs case <b>")).status_code == 303
    assert "Customs case" not in (await visitor.get("test/form-order")).text


async def test_without_a_history_a_template_is_refused(dashboard: Dashboard) -> None:
    """It would be gone with the next page."""
    visitor = await dashboard.visitor()
    answer = await visitor.post("templates/form-any", payload="1", template="x")
    assert (answer.status_code, "TASKFLOW_DATABASE_URL" in answer.text) == (409, True)


async def test_a_trigger_is_copied_as_python_and_curl(dashboard: Dashboard) -> None:
    """Quotes of a payload stay quotes."""
    visitor = await dashboard.visitor()
    found = await check(visitor, "form-any", '{"a": "it\'s"}', option_tags="a b", test="1")
    copies = found["parts"]["copies"].replace("&#34;", '"').replace("&#39;", "'").replace("&amp;", "&")
    assert "tasks.trigger(\n    'form-any',\n    {'a': \"it's\"},\n    tags=['a', 'b'],\n    test=True,\n)" in copies
    assert "/api/v1/tasks/form-any/trigger" in copies
    assert """'"'"'s""" in copies


async def test_viewers_look_and_check_but_do_not_trigger(dashboard: Dashboard) -> None:
    """The button is absent, and the server refuses."""
    viewer = await dashboard.visitor("viewer")
    page = (await viewer.get("test/form-order")).text
    assert 'id="trigger"' not in page
    assert (await check(viewer, "form-order", order()))["faults"] == 0
    assert (await viewer.post("test/form-order", payload=order())).status_code == 403


@pytest.mark.parametrize(
    "edit",
    [
        {"at": "/order_id/x", "as": "text", "value": "1"},
        {"at": "/parcels/99/sku", "as": "text", "value": "1"},
        {"at": "/parcels/x", "as": "null"},
    ],
)  # fmt: skip
async def test_an_edit_that_does_not_fit_changes_nothing(dashboard: Dashboard, edit: dict[str, str]) -> None:
    """The document may be another one by now."""
    visitor = await dashboard.visitor()
    answer = await visitor.post("test/form-order", payload=order(), edits=json.dumps([edit]))
    assert answer.status_code == 422
    assert await runs_of(dashboard, "form-order") == 0
    for edits in ("{", "[1]", "5"):
        assert (await visitor.post("test/form-order", payload=order(), edits=edits)).status_code == 422
