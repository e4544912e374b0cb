"""Values at the paths of TASKFLOW_REDACT are in no answer of the dashboard, and a replay has them all the same."""

import asyncio
import hashlib
import hmac
import json
import re
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest

from taskflow import Run, Settings, SettingsError, runs, webhooks
from taskflow.definition.registry import declared
from taskflow.errors import RunFailedError
from taskflow.server.dashboard.sign_in.sessions import session_cookie
from taskflow.server.dashboard.table import PAGES
from tests.conftest import StartFleet
from tests.projects import hidden_tasks as tasks
from tests.projects.hidden_tasks import Charge
from tests.support.dashboard import Dashboard, Visitor
from tests.support.fleet import TASKS
from tests.support.past_runs import keep_runs
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until
from tests.support.webhook_api import Hooks

REDACT = "$.card.number, $.card.cvc, $..password, $.items[*].token"
NUMBER, CVC, PASSWORD, TOKENS = "4242-hidden-number", 90417, 'hidden <pass> "word"', ("hidden-tok-1", "hidden-tok-2")
PAYLOAD: dict[str, Any] = {
    "card": {"number": NUMBER, "cvc": CVC, "owner": "Ana"},
    "items": [{"token": TOKENS[0], "name": "one"}, {"token": TOKENS[1], "name": "two"}],
    "login": {"user": "ana", "password": PASSWORD},
}
CHARGE = Charge.model_validate(PAYLOAD)
SECRETS = ("hidden-number", str(CVC), "hidden &lt;pass", "hidden <pass", "hidden \\u003c", "hidden-tok")


def reveals(text: str) -> list[str]:
    """Return the hidden values that a text has."""
    return [secret for secret in SECRETS if secret in text]


async def send(visitor: Visitor, path: str, **fields: str) -> httpx.Response:
    """Send a form."""
    return await visitor.post(path, csrf=None, htmx=False, **fields)


async def every_answer(visitor: Visitor, run: Run) -> AsyncIterator[tuple[str, httpx.Response]]:
    """Yield the answers of all pages that can show something of a run, and of its downloads."""
    plain = [page.path for page in PAGES if page.method == "GET" and "{" not in page.path and not page.is_stream]
    queries: list[tuple[str, dict[str, str]]] = [(path, {}) for path in plain]
    queries += [(f"runs/{run.id}", {"view": view, "q": q}) for view in ("trace", "logs") for q in ("", "charging")]
    queries += [(f"runs/{run.id}", {"span": span}) for span in ("run", "attempt-1")]
    queries += [(f"runs/{run.id}/{name}.json", {}) for name in ("payload", "output", "metadata")]
    queries += [(f"runs/{run.id}/payload.json", {"download": "1"}), (f"runs/{run.id}/logs", {})]
    queries += [(f"test/{run.task_id}", {}), (f"test/{run.task_id}", {"from": run.id, "view": "json"})]
    queries += [("runs", {"task": run.task_id, "period": "all"}), (f"tasks/{run.task_id}", {}), ("jump", {"q": run.id})]
    for path, query in queries:
        yield f"{path}?{query}", await visitor.get(path, **query)


@pytest.mark.timeout(90)
async def test_no_answer_has_a_hidden_value(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """Payload, output, metadata, error, traceback, log lines, spans, recent payloads, downloads and live rows."""
    fleet = start_fleet(valkey.url, redact=REDACT)
    fleet.start_node(TASKFLOW_TASKS=f"{TASKS},tests.projects.hidden_tasks")
    dashboard = Dashboard(fleet.flow)
    late = await tasks.charge.atrigger(CHARGE, delay=timedelta(seconds=2))
    stream = asyncio.create_task(_live(await dashboard.visitor("viewer"), dashboard, late.id))
    good = await tasks.charge.atrigger(CHARGE, tags=[f"card:{NUMBER}"])
    bad = await tasks.charge.atrigger(
        Charge.model_validate({**PAYLOAD, "fails": True}), idempotency_key=f"key {NUMBER}"
    )
    assert (await good.aresult(timeout=30))["owner"] == "Ana"
    with pytest.raises(RunFailedError):
        await bad.aresult(timeout=30)
    for handle in (good, bad):
        wait_until(partial(_lines, dashboard, handle.id), "its log lines")
    viewer = await dashboard.visitor("viewer")
    for role, visitor in (("admin", await dashboard.visitor("admin")), ("viewer", viewer)):
        seen = 0
        for run in (await good.aretrieve(), await bad.aretrieve()):
            async for name, answer in every_answer(visitor, run):
                assert answer.status_code in (200, 303, 403, 404), (name, answer.text)
                assert not reveals(answer.text), (role, name, reveals(answer.text))
                seen += answer.text.count("redacted")
        assert seen > 40
    sent = await stream
    assert f'hx-target="#{late.id}"' in sent
    assert 'hx-target="#trace"' in sent
    assert "[redacted]" in sent
    assert not reveals(sent)
    page = (await viewer.get(f"runs/{good.id}")).text
    assert "seen by everybody" in page
    assert 'class="redacted"' in page
    failed = (await viewer.get("runs", status="FAILED")).text
    assert "[redacted] was refused: [redacted], [redacted], [redacted]" in failed


async def test_a_replay_has_the_hidden_values(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """Plain, and with an edited payload: marks become the values where they are hidden, even in another order."""
    dashboard = Dashboard(start_fleet(valkey.url, redact=REDACT).flow)
    operator = await dashboard.visitor("operator")
    first = await tasks.charge.atrigger(CHARGE, metadata={"password": PASSWORD, "n": 1})
    replayed = await operator.post(f"runs/{first.id}/replay")
    assert (await _made(replayed)).payload == (await first.aretrieve()).payload

    page = await operator.get("test/hd-charge", **{"from": first.id})
    assert "nothing is triggered" not in page.text
    edited = json.loads(_payload(page.text))
    assert edited["card"] == {"number": "[redacted:/card/number]", "cvc": "[redacted:/card/cvc]", "owner": "Ana"}
    edited["card"]["owner"] = "Ben"
    edited["items"] = [edited["items"][1]]
    form = {"begin": first.id, "option_metadata": '{"password": "[redacted:/password]", "n": 2}'}
    checked = await send(operator, "checks/hd-charge", payload=json.dumps(edited), **form)
    assert checked.json()["faults"] == 0, checked.json()
    assert not reveals(checked.text)
    run = await _made(await send(operator, "test/hd-charge", payload=json.dumps(edited), **form))
    assert run.payload == {
        "card": {"number": NUMBER, "cvc": CVC, "owner": "Ben"},
        "items": [{"token": TOKENS[1], "name": "two"}],
        "login": {"user": "ana", "password": PASSWORD},
        "fails": False,
    }
    assert run.metadata == {"password": PASSWORD, "n": 2}


@pytest.mark.parametrize(
    "change",
    [
        {"login": {"user": "[redacted:/card/number]"}},
        {"login": {"password": "[redacted:/card/none]"}},
        {"fails": "[redacted:/login/password]"},
    ],
    ids=["moved into sight", "of a place that is not there", "of another type"],
)
async def test_a_hidden_value_can_not_be_moved_into_sight(
    start_fleet: StartFleet, valkey: RedisServer, change: dict[str, object]
) -> None:
    """Nothing is triggered, and the fault stands at its field."""
    dashboard = Dashboard(start_fleet(valkey.url, redact=REDACT).flow)
    operator = await dashboard.visitor("operator")
    first = await tasks.charge.atrigger(CHARGE)
    text = json.dumps({**PAYLOAD, "card": {"number": "[redacted:/card/number]", "cvc": 1}, "items": [], **change})
    refused = await send(operator, "test/hd-charge", payload=text, begin=first.id)
    assert refused.status_code == 422
    assert "hidden value" in refused.text
    assert not {"hidden-number", "hidden-tok"} & set(reveals(refused.text))
    nowhere = await send(operator, "test/hd-charge", payload=text, begin="")
    assert nowhere.status_code == 422
    metadata = {"option_metadata": '{"password": "[redacted:/password]"}', "begin": first.id}
    refused = await send(operator, "test/hd-charge", payload=json.dumps(PAYLOAD), **metadata)
    assert refused.status_code == 422
    assert len((await runs.alist()).runs) == 1


async def test_a_saved_test_has_its_hidden_values(
    start_fleet: StartFleet, valkey: RedisServer, tmp_path: object
) -> None:
    """A colleague opens it without seeing them, and triggers it with them."""
    database = f"sqlite:///{tmp_path}/history.db"
    dashboard = Dashboard(start_fleet(valkey.url, redact=REDACT, database_url=database).flow)
    operator, other = await dashboard.visitor("operator"), await dashboard.visitor("admin")
    first = await tasks.charge.atrigger(CHARGE)
    text = _payload((await operator.get("test/hd-charge", **{"from": first.id})).text)
    metadata = json.dumps({"password": PASSWORD})
    saved = await send(
        operator, "templates/hd-charge", payload=text, begin=first.id, template="mine", option_metadata=metadata
    )
    assert saved.status_code == 303, saved.text
    page = await other.get("test/hd-charge", **{"from": "template:mine"})
    assert not reveals(page.text)
    assert "[redacted:/card/number]" in _payload(page.text)
    assert "nothing is triggered" not in page.text
    form = {"begin": "template:mine", "option_metadata": '{"password":"[redacted:/password]"}'}
    run = await _made(await send(other, "test/hd-charge", payload=_payload(page.text), **form))
    assert run.payload == (await first.aretrieve()).payload
    assert run.metadata == {"password": PASSWORD}


async def test_groups_of_errors_have_no_hidden_value(
    start_fleet: StartFleet, valkey: RedisServer, tmp_path: object
) -> None:
    """Neither the list, nor a group with its newest traceback, nor the runs."""
    fleet = start_fleet(valkey.url, redact=REDACT, database_url=f"sqlite:///{tmp_path}/history.db")
    shop = Dashboard(fleet.flow)
    keep_runs(shop, "pay", failed=2, message=f"hidden pass word {PASSWORD}", payload=json.dumps({"password": PASSWORD}))
    viewer = await shop.visitor("viewer")
    page = (await viewer.get("errors")).text
    assert not reveals(page)
    group = re.search(r"/errors/([0-9a-f]{16})", page)
    assert group
    one = (await viewer.get(f"errors/{group[1]}")).text
    assert "[redacted]" in one
    assert not reveals(one)
    assert not reveals((await viewer.get("runs", period="all")).text)


async def test_a_delivery_has_no_hidden_value(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """Paths of the body, and of the payload that has the body, lead into it; headers lose what they repeat."""
    with declared.isolated():
        fleet = start_fleet(valkey.url, redact=REDACT.replace("$.", "$.body.") + ",$.body.pin,$.headers.user-agent")
        hooks = Hooks(fleet)
        path = hooks.declare("redacted-hook", webhooks.GitHub("It's a Secret to Everybody"))
        viewer = await Dashboard(fleet.flow).visitor("viewer")
        for body in (
            json.dumps({**PAYLOAD, "pin": PASSWORD}).encode(),
            b"payload=%7B%22password%22%3A%22hidden-tok-1%22%7D",
        ):
            signature = hmac.new(b"It's a Secret to Everybody", body, hashlib.sha256).hexdigest()
            kind = b"application/json" if body[:1] == b"{" else b"application/x-www-form-urlencoded"
            headers = [(b"x-hub-signature-256", f"sha256={signature}".encode()), (b"content-type", kind)]
            headers += [(b"x-github-event", b"push"), (b"user-agent", f"agent of {NUMBER}".encode())]
            answered = await hooks.send(path, body, [*headers, (b"x-github-delivery", kind)])
            assert answered.status == 200, answered.body
            page = (await viewer.get(f"webhooks/deliveries/{answered.headers['x-taskflow-delivery']}")).text
            assert not reveals(page)
            assert "redacted" in page
            assert not reveals((await viewer.get(f"runs/{answered.headers['x-taskflow-run']}")).text)


def test_a_path_that_is_none_is_refused_where_settings_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the setting, the path and what can be written."""
    monkeypatch.setenv("TASKFLOW_REDACT", '$.card.number, $..password,$["a, b"]')
    assert Settings.read().redact == ("$.card.number", "$..password", '$["a, b"]')
    monkeypatch.setenv("TASKFLOW_REDACT", "$.card, $.items[?(@.x)]")
    with pytest.raises(SettingsError, match=r"TASKFLOW_REDACT.*items\[\?.*is no path.*write \$\.card\.number"):
        Settings.read()


def _lines(dashboard: Dashboard, run_id: str) -> Sequence[object]:
    return dashboard.flow.engine.traces.trace(run_id).lines


async def _live(visitor: Visitor, dashboard: Dashboard, run_id: str) -> str:
    """Return what the live updates of the list and of one run's page send until the run has ended."""
    environment = dashboard.flow.settings.environment
    name = session_cookie(environment)
    cookie = f"{name}={visitor.client.cookies[name]}".encode()
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": f"/{environment}/live", "raw_path": f"/{environment}/live".encode(), "root_path": "",
        "query_string": f"t=runs:&t=run:{run_id}".encode(), "client": ("127.0.0.1", 1), "server": ("shop.test", 80),
        "headers": [(b"host", b"shop.test"), (b"cookie", cookie)],
    }  # fmt: skip
    chunks: list[bytes] = []
    ended = asyncio.Event()

    async def receive() -> dict[str, object]:
        await ended.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        chunks.append(message.get("body", b""))
        if b"event: end" in chunks[-1]:
            ended.set()

    async with asyncio.timeout(60):
        await dashboard.app(scope, receive, send)
    return b"".join(chunks).decode()


async def _made(answer: httpx.Response) -> Run:
    assert answer.status_code == 303, answer.text
    return await runs.aretrieve(answer.headers["location"].rpartition("/")[2])


def _payload(page: str) -> str:
    found = re.search(r'<textarea name="payload"[^>]*>\n(.*?)</textarea>', page, re.DOTALL)
    assert found
    return found[1].replace("&#34;", '"').replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
