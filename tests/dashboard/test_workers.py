"""The pages of workers: room, versions, losses, what no node serves, and the drain of one node."""

import json
import re
from datetime import timedelta

import pytest

from taskflow.models import AttemptOutcome, RunError
from taskflow.store import operations
from taskflow.store.operations.making import NewRun, trigger_run
from taskflow.store.wire import new_run_id
from tests.conftest import StartFleet
from tests.support.dashboard import Dashboard
from tests.support.servers import RedisServer

NODE = "celery@h1.11.aaaaaaaa"
HOSTILE = "<script>alert(1)</script>@\x1b[31mh.12.bbbbbbbb"
LOST = "celery@h9.13.cccccccc"


def register(dashboard: Dashboard, node: str, version: str, memory: float = 0.3) -> None:
    """Register a node of small-1x with 8 places."""
    run, environment = dashboard.flow.store.run, dashboard.flow.settings.environment
    registration = operations.nodes.register_node(
        node,
        lease=timedelta(hours=1),
        queues=[f"{environment}.small-1x.process", f"{environment}.small-1x.process@"],
        capacity=8,
        classes=["small-1x.process"],
        description={"host": node.partition("@")[2][:2], "version": version, "grace": 30},
    )
    run(registration)
    load = json.dumps({"memory": memory, "memory_bytes": 1 << 34, "cpu": 0.5})
    run(operations.nodes.heartbeat_node(node, lease=timedelta(hours=1), load=load))


def trigger(dashboard: Dashboard, task: str, class_name: str = "small-1x.process", **more: str) -> str:
    """Trigger a run."""
    doubts = more.get("doubts", "")
    patience = timedelta(1) if doubts else None
    queue = f"task/{task}"
    new = NewRun(new_run_id(0), task, b"1", None, queue, class_name, 3, doubts=doubts, patience=patience)
    return dashboard.flow.store.run(trigger_run(new))[0]


@pytest.fixture
def fleet(dashboard: Dashboard) -> Dashboard:
    """Two nodes of two versions, one run on the first, one lost node."""
    for node, version in ((LOST, "v1"), (HOSTILE, "<b>old</b>"), (NODE, "v2")):
        register(dashboard, node, version, 0.9 if node == HOSTILE else 0.3)
    run = dashboard.flow.store.run
    run(operations.runs.claim_run(trigger(dashboard, "dw-busy"), node_id=NODE, reservation=1))
    run(operations.runs.claim_run(trigger(dashboard, "dw-busy"), node_id=LOST, reservation=1))
    run(operations.nodes.unregister_node(LOST, AttemptOutcome.LOST, RunError("WorkerLost", "gone")))
    return dashboard


def words(text: str) -> str:
    """Return a page's text without its elements."""
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


async def test_nodes_are_shown_by_machine_with_room_memory_and_version(fleet: Dashboard) -> None:
    viewer = await fleet.visitor("viewer")
    page = await viewer.get("workers")
    assert page.status_code == 200
    text = words(page.text)
    assert "small-1x 0.5 vCPU, 0.5 GB process" in text
    assert re.search(r"celery@h1 1 of 8 0 30 % v2", text), text
    assert "Lost in 24 h 1 celery@h9" in text
    assert "1 run started again" in text
    assert "small-1x.process@" not in text
    assert "Drain" not in text
    part = await viewer.get("workers", part="div#fleet")
    assert "<html" not in part.text
    assert "celery@h1" in part.text


async def test_what_a_node_is_called_is_text(fleet: Dashboard) -> None:
    operator = await fleet.visitor("operator")
    quoted = "workers/%3Cscript%3Ealert(1)%3C%2Fscript%3E%40%1B%5B31mh.12.bbbbbbbb"
    for page in (
        await operator.get("workers"),
        await operator.get(quoted),
        await operator.get("workers-drain", node=HOSTILE),
    ):
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
        assert "<b>old</b>" not in page.text


async def test_runs_that_no_worker_can_start_are_in_amber_above(fleet: Dashboard) -> None:
    viewer = await fleet.visitor("viewer")
    for _ in range(2):
        trigger(fleet, "dw-unknown", doubts="task")
    trigger(fleet, "dw-large", "large-2x.process")
    text = words((await viewer.get("workers")).text)
    assert "2 runs wait for a worker that knows task dw-unknown." in text
    assert "1 run waits for a node of large-2x (process), and none is up." in text
    assert (await viewer.get("runs", task="dw-unknown")).status_code == 200


async def test_a_node_has_a_page_with_its_runs(fleet: Dashboard) -> None:
    viewer = await fleet.visitor("viewer")
    text = words((await viewer.get(f"workers/{NODE}")).text)
    assert "Executing 1 of 8" in text
    assert "CPU of the host 50 %" in text
    assert "dw-busy" in text
    lost = words((await viewer.get(f"workers/{LOST}")).text)
    assert "It is lost." in lost
    assert "1 run that it executed starts again elsewhere." in lost
    unknown = await viewer.get("workers/none")
    assert unknown.status_code == 404
    assert "is up in this environment" in unknown.text


async def test_a_node_is_drained_after_a_question(fleet: Dashboard) -> None:
    operator = await fleet.visitor("operator")
    question = words((await operator.get("workers-drain", node=NODE)).text)
    assert "1 run that it executes has 30 s to end; what is left then starts again elsewhere." in question
    answer = await operator.post("workers-drain", htmx=True, node=NODE, reason="<b>disk</b>")
    assert "celery@h1 drains" in answer.text
    assert 'hx-target="#fleet"' in answer.text
    [message] = fleet.flow.store.run(operations.nodes.heartbeat_node(NODE, lease=timedelta(hours=1)))
    assert message.kind == "drain"
    page = words((await operator.get(f"workers/{NODE}")).text)
    assert "It drains, asked by operator." in page
    assert (await operator.post("workers-drain", htmx=True, node="none")).status_code == 404
    viewer = await fleet.visitor("viewer")
    assert (await viewer.post("workers-drain", node=HOSTILE)).status_code == 403


async def test_without_a_node_the_page_says_how_to_start_one(dashboard: Dashboard) -> None:
    page = await (await dashboard.visitor("viewer")).get("workers")
    assert "No worker is up" in page.text
    assert "taskflow worker --machine all" in page.text


async def test_a_node_is_found_in_flower_where_one_is_set(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """By the name that Celery has for it."""
    dashboard = Dashboard(start_fleet(valkey.url, flower_url="https://flower.shop.test/").flow)
    register(dashboard, NODE, "v1")
    page = (await (await dashboard.visitor("viewer")).get(f"workers/{NODE}")).text
    assert 'href="https://flower.shop.test/worker/celery@h1"' in page


async def test_without_flower_nothing_leads_there(fleet: Dashboard) -> None:
    page = (await (await fleet.visitor("viewer")).get(f"workers/{NODE}")).text
    assert "Flower" not in page
    assert "Drain" not in page
