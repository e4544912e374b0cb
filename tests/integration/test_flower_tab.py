"""``taskflow flower``: credentials everywhere, and the runs of the store beside Celery's events."""

import html
import re
from pathlib import Path

import httpx
import pytest
from flower.urls import handlers as flowers_own
from tornado.routing import URLSpec

from taskflow.definition.calls.users import Role
from tests.conftest import StartFleet
from tests.projects import fleet_tasks as tasks
from tests.projects import hidden_tasks as hidden
from tests.projects import hostile_tasks as hostile
from tests.support.commands import run_command
from tests.support.dashboard import Dashboard
from tests.support.fleet import TASKS, Fleet
from tests.support.flower import FlowerServer
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until

OPEN = ("/healthcheck", "/static/", "/login", "/logout", ".*")
"""Beginnings of the paths that Flower serves to everybody: nothing there has data."""
MODULES = f"{TASKS},tests.projects.hostile_tasks,tests.projects.hidden_tasks"
HOSTILE = "fail <script>alert(1)</script> & \x1b[31m\u202e"


def paths_of_flower() -> set[str]:
    """Return a path for each rule of Flower's own."""
    patterns = {
        str(rule.regex.pattern).rstrip("$")  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType] - Tornado's
        if isinstance(rule, URLSpec)
        else rule[0]
        for rule in flowers_own
    }
    return {re.sub(r"\(.+?\)", "x", each) for each in patterns if not each.startswith(OPEN)}


@pytest.mark.timeout(90)
def test_nothing_that_flower_knows_is_told_without_credentials(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """Unmodified Flower shows payloads to everybody who reaches its port, and its metrics always."""
    fleet = start_fleet(valkey.url)
    with FlowerServer(fleet) as flower:
        first = flower.output()
        paths = paths_of_flower() | {"/runs", "/runs/rows", "/metrics"}
        assert {"/", "/workers", "/task/x", "/api/tasks", "/api/task/send-task/x"} <= paths
        with (
            httpx.Client(base_url=flower.url) as nobody,
            httpx.Client(base_url=flower.url, auth=("admin", "x")) as wrong,
        ):
            for path in sorted(paths):
                method = (
                    "POST"
                    if re.search(r"/(shutdown|pool|queue/|apply|async-apply|send-task|abort|timeout|rate)", path)
                    else "GET"
                )
                for caller in (nobody, wrong):
                    status = caller.request(method, path, content=b"{}").status_code
                    assert status in ((401, 405) if path.startswith("/api/") else (401,)), f"{method} {path}: {status}"
            assert nobody.get("/healthcheck").text == "OK"
        assert "flower_" in flower.page("/metrics")
        foreign = flower.client.post(
            "/api/task/send-task/t-echo", headers={"Origin": "https://evil.example"}, content=b'{"args": [1]}'
        )
        assert foreign.status_code == 403
        answer = flower.client.get("/runs")
        assert (answer.headers["x-frame-options"], answer.headers["cache-control"]) == ("DENY", "no-store")
        password = flower.auth[1]
        assert first.count(password) == 1
        assert password not in Path(f"/proc/{flower.process.pid}/cmdline").read_text()
        file = fleet.folder / "flower.password"
        assert file.stat().st_mode & 0o777 == 0o600
        assert flower.stop() == 0
    with FlowerServer(fleet, "--open-metrics") as flower:
        assert password not in flower.output()
        assert str(file) in flower.output()
        assert flower.page("/runs")
        assert httpx.get(f"{flower.url}/metrics").status_code == 200


@pytest.mark.timeout(120)
def test_the_tab_lists_runs_and_links_lead_both_ways(fleet: Fleet) -> None:
    """On each broker: runs of the store, with what Celery's events say of them one click away."""
    with FlowerServer(fleet, TASKFLOW_DASHBOARD_URL="https://shop.test/ops/", TASKFLOW_TASKS=MODULES) as flower:
        assert "No run yet" in flower.page("/runs")
        node = fleet.start_node(options=("-E",), TASKFLOW_TASKS=MODULES)
        wait_until(lambda: node.name in flower.page("/workers", json="1"), "the worker's first event", timeout=30)
        good, bad = tasks.echo.trigger("one"), tasks.flaky.trigger(9, max_attempts=1)
        late = tasks.echo.trigger("later", delay="1h")
        assert good.result(timeout=30) == "one"
        wait_until(lambda: bad.status().is_finished, "the failure", timeout=30)
        wait_until(lambda: flower.client.get(f"/task/{bad.id}").status_code == 200, "its events", timeout=30)
        rows = flower.page("/runs/rows")
        base = f"https://shop.test/ops/{fleet.environment}"
        for run_id in (good.id, bad.id, late.id):
            assert f'href="{base}/runs/{run_id}"' in rows
        assert re.findall(r'badge [^"]+">(\w+)<', rows) == ["DELAYED", "FAILED", "COMPLETED"]
        assert f'href="/task/{bad.id}"' in rows
        worker = re.search(rf'href="(/worker/{node.name}%40[^"]+)"', rows)
        assert worker, rows
        page = flower.page(worker[1])
        assert f'href="{base}/workers"' in page
        assert f'href="{base}/runs/{bad.id}"' in flower.page(f"/task/{bad.id}")
        unseen = flower.client.get(f"/task/{late.id}", follow_redirects=True)
        assert (unseen.status_code, unseen.url.path) == (200, "/runs")
        assert late.id in unseen.text
        assert good.id not in unseen.text
        missing = flower.client.get("/task/<b>none</b>", follow_redirects=True)
        assert missing.status_code == 404
        assert "&lt;b&gt;none&lt;/b&gt;" in missing.text
        assert "<b>none" not in missing.text


@pytest.mark.timeout(60)
def test_runs_are_filtered_by_status_and_task_and_paged(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """An address says what is shown, so that it can be sent to somebody."""
    fleet = start_fleet(valkey.url)
    others = [tasks.echo.trigger(number, delay="1h").id for number in range(51)]
    one = tasks.flaky.trigger(1, delay="1h")
    one.cancel()
    with FlowerServer(fleet, "--url-prefix", "ops/flower", "--", "--read_only", prefix="/ops/flower") as flower:
        assert list_of(flower.page("/runs/rows", status="canceled")) == [one.id]
        assert list_of(flower.page("/runs/rows", status="delayed", task="t-flaky")) == []
        assert list_of(flower.page("/runs/rows", task="t-flaky")) == [one.id]
        first = flower.page("/runs", status="live")
        shown = list_of(first)
        assert len(shown) == 50
        older = re.search(r'href="(/ops/flower/runs\?[^"]+cursor[^"]+)">Older', first)
        assert older
        last = httpx.get(f"http://127.0.0.1:{flower.port}{html.unescape(older[1])}", auth=flower.auth).text
        assert sorted(shown + list_of(last)) == sorted(others)
        assert "data-rows" not in last
        assert 'src="/ops/flower/runs/static/runs.js"' in first
        assert "runs-rows" in flower.page("/runs/static/runs.js")
        assert 'href="/ops/flower/runs"' in flower.page("/tasks")
        assert "It is one of" in flower.page("/runs", 400, status="<b>odd</b>")
        assert "<b>odd" not in flower.page("/runs", 400, status="<b>odd</b>")
        assert list_of(flower.page("/runs/rows", cursor="5.")) == list_of(flower.page("/runs/rows"))
        assert flower.client.post("/api/task/apply/t-echo", json={"args": [1]}).status_code == 403


def list_of(page: str) -> list[str]:
    """Return the ids of the runs of a page, in its order."""
    return re.findall(r'/runs/(run_[0-9a-f]+)"', page)


@pytest.mark.timeout(90)
def test_text_of_users_is_text_and_hidden_values_are_nowhere(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """An error may repeat a payload, and so may Celery's events and results."""
    fleet = start_fleet(valkey.url, redact="$.card.number, $.card.cvc, $.login.password")
    secret = "4242-hidden-number"
    payload: dict[str, object] = {
        "card": {"number": secret, "cvc": 90417},
        "items": [],
        "login": {"password": "hidden-pass"},
    }
    with FlowerServer(fleet, TASKFLOW_TASKS=MODULES) as flower:
        node = fleet.start_node(options=("-E",), TASKFLOW_TASKS=MODULES)
        fleet.start_node(executor="async", TASKFLOW_TASKS=MODULES)
        wait_until(lambda: node.name in flower.page("/workers", json="1"), "the worker's first event", timeout=30)
        good, bad = (
            hidden.charge.trigger(hidden.Charge.model_validate({**payload, "fails": fails})) for fails in (0, 1)
        )
        said = hostile.say.trigger(HOSTILE)
        fleet.flow.celery.send_task(
            "t-echo", args=[HOSTILE], task_id="<img src=x>\x1b[31m", queue=f"{fleet.environment}.small-1x.process"
        )
        wait_until(lambda: all(run.status().is_finished for run in (good, bad, said)), "the runs to end", timeout=30)
        pages = [f"/task/{run.id}" for run in (good, bad)]
        wait_until(
            lambda: all(flower.client.get(page).status_code == 200 for page in pages), "their events", timeout=20
        )
        wait_until(lambda: "src=x" in flower.page("/runs/rows"), "the message's run")
        shown = {path: flower.page(path) for path in (*pages, "/runs", "/api/tasks")}
        shown["result"] = flower.page(f"/api/task/result/{good.id}", 403)
        for path, text in shown.items():
            assert secret not in text, path
            assert "hidden-pass" not in text, path
            assert path == "/api/tasks" or "<script>alert" not in text, path
            assert path == "/api/tasks" or "<img src=x" not in text, path
            assert "\x1b" not in text, path
        assert "ValueError" in shown["/runs"]


def test_errors_are_shown_as_text_where_nothing_is_hidden(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """The message is what one looks for."""
    fleet = start_fleet(valkey.url)
    fleet.start_node(executor="async", TASKFLOW_TASKS=MODULES)
    said = hostile.say.trigger(HOSTILE)
    wait_until(lambda: said.status().is_finished, "the run")
    with FlowerServer(fleet) as flower:
        assert "ValueError: fail &lt;script&gt;alert(1)&lt;/script&gt; &amp; \\x1b[31m\\u202e" in flower.page("/runs")


def test_a_store_that_is_away_is_said_on_the_page(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """Flower serves its own pages meanwhile, ends when it is asked to, and has the runs again afterwards."""
    fleet = start_fleet(valkey.url, connect_timeout=1)
    with FlowerServer(fleet) as flower:
        valkey.stop()
        assert "store" in flower.page("/runs", 503)
        assert flower.page("/healthcheck") == "OK"
        assert flower.stop() == 0
    valkey.start()


@pytest.mark.parametrize(
    "words, env, told",
    [
        (("--address", "0.0.0.0"), {}, "would listen at 0.0.0.0, which other hosts may reach"),
        (("--address", ""), {}, "would listen at all addresses"),
        ((), {"FLOWER_ADDRESS": "flower.shop.test"}, "would listen at flower.shop.test"),
        ((), {"FLOWER_BASIC_AUTH": "ana"}, "not name:password"),
        ((), {"FLOWER_BASIC_AUTH": "ana:w\u00f6rd"}, "not ASCII"),
        ((), {"FLOWER_UNAUTHENTICATED_API": "true"}, "has no API without credentials"),
        ((), {"FLOWER_PORT": "tcp://10.0.0.1:5555"}, "variables FLOWER_PORT has a value"),
        (("--", "--basic_auth=ana:secret-word"), {}, "not taken from the command line"),
        (("--", "--broker_api=http://guest:secret-word@localhost:15672/api/"), {}, "not taken from the command line"),
        (("--", "--max_task=5"), {}, "Did you mean --max_tasks?"),
        (("--", "--max_tasks=many"), {}, "cannot read its options"),
        (("--", "--max_tasks", "5"), {}, "no argument '5'"),
        (("--", "--port=5"), {}, "own option --port"),
        (("--", "--conf=none.py"), {}, "none.py, does not exist"),
        (("--", "--certfile=x"), {}, "the log line before this one"),
        (("--address", "127.0.0.300"), {"FLOWER_BASIC_AUTH": "ana:word"}, "cannot listen at 127.0.0.300"),
    ],
)
def test_what_is_not_safe_or_not_possible_is_refused(
    start_fleet: StartFleet, valkey: RedisServer, words: tuple[str, ...], env: dict[str, str], told: str
) -> None:
    """Before it listens, with what to do. Secrets are not repeated."""
    fleet = start_fleet(valkey.url)
    done = run_command("flower", *words, env=fleet.env(**env))
    output = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 1, output
    assert told in output
    assert "secret-word" not in output
    assert "Traceback" not in output


def test_credentials_of_the_user_are_taken_and_none_are_made(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """In the environment, where other users of the host cannot read them."""
    fleet = start_fleet(valkey.url)
    auth = ("ana", "a word")
    with FlowerServer(fleet, "--address", "0.0.0.0", auth=auth, FLOWER_BASIC_AUTH="ana:a word,bob:other") as flower:
        assert flower.page("/runs")
        assert httpx.get(f"{flower.url}/runs", auth=("bob", "other")).status_code == 200
        assert not (fleet.folder / "flower.password").exists()
        assert "word" not in flower.output()


async def test_the_page_of_a_run_leads_to_flower(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """Once a worker has had it: Flower knows no other runs."""
    fleet = start_fleet(valkey.url, flower_url="https://flower.shop.test")
    fleet.start_node()
    done, late = await tasks.echo.atrigger(1), await tasks.echo.atrigger(1, delay="1h")
    await done.aresult(timeout=30)
    viewer = await Dashboard(fleet.flow).visitor(Role.VIEWER.value)
    assert f'href="https://flower.shop.test/task/{done.id}"' in (await viewer.get(f"runs/{done.id}")).text
    assert "flower.shop.test" not in (await viewer.get(f"runs/{late.id}")).text
