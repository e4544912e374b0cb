"""A real server, a real node, and the ``taskflow webhooks`` commands between them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from taskflow import RunStatus, runs, webhooks
from taskflow.cli.main import app
from taskflow.errors import TaskflowError
from tests.conftest import StartFleet
from tests.support.commands import run_command
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until
from tests.support.webhook_server import SECRETS, TASKS, ServerProcess


@pytest.fixture
def server(start_fleet: StartFleet, valkey: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServerProcess]:
    """A server with a node that executes the webhook tasks."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    fleet = start_fleet(valkey.url)
    server = ServerProcess(fleet)
    server.start(wait=False)
    fleet.start_node(executor="async", TASKFLOW_TASKS=TASKS)
    wait_until(server.is_up, "the server to answer", timeout=30)
    yield server
    server.kill()


def call(*arguments: str, expect: int = 0, given: str | None = None) -> str:
    """Return the output of a command, called in this process with the current app."""
    done = CliRunner().invoke(app, ["webhooks", *arguments, "-A", TASKS], input=given)
    error = str(done.exception) if isinstance(done.exception, TaskflowError) else ""
    told = done.output + error
    assert done.exit_code == expect, told
    assert not [secret for secret in SECRETS.values() if secret in told]
    return done.stdout if not expect else " ".join(told.split())


@pytest.mark.timeout(120)
def test_a_delivery_is_sent_listed_shown_and_replayed(server: ServerProcess, tmp_path: Path) -> None:
    """From the file of its body to the output of its run."""
    told = run_command("webhooks", "list", "--json", env=server.env())
    assert told.returncode == 0, told.stderr
    listed = {each["task"]: each for each in json.loads(told.stdout)}
    here = {each["task"]: each for each in json.loads(call("list", "--json"))}  # this process may have others as well
    assert {task: here[task] for task in listed} == listed
    assert listed.keys() == {"wh-any", "wh-github", "wh-stripe"}
    assert listed["wh-stripe"]["source"] == "Stripe"
    assert listed["wh-stripe"]["path"].startswith("/webhooks/")
    assert listed["wh-stripe"]["path"] in call("list")
    event = tmp_path / "event.json"
    event.write_text('{"id": "evt_1", "type": "invoice.paid"}')
    to = ("--url", server.url)
    sent = json.loads(call("send", "wh-stripe", str(event), "--as", "stripe", *to, "--json"))
    assert (sent["http_status"], sent["status"]) == (200, "accepted")
    wait_until(lambda: runs.retrieve(sent["run"]).status.is_finished, "the run to end")
    run = runs.retrieve(sent["run"])
    assert (run.status, run.output) == (RunStatus.COMPLETED, "invoice.paid")
    assert "duplicate" in call("send", "wh-stripe", str(event), *to)
    fresh = call("send", "wh-stripe", "-", *to, "--id", "evt_2", given=event.read_text())
    assert fresh.startswith("200 status accepted delivery delivery_")
    filtered = call("send", "wh-stripe", "-", *to, given='{"id": "evt_3", "type": "charge.made"}')
    assert "status filtered" in filtered
    page = json.loads(call("deliveries", "--task", "wh-stripe", "--json"))["deliveries"]
    assert [each["status"] for each in page] == ["FILTERED", "ACCEPTED", "ACCEPTED"]
    assert sent["delivery"] in call("deliveries")
    shown = call("show", sent["delivery"])
    assert all(text in shown for text in ("wh-stripe (Stripe)", "invoice.paid", "evt_1", sent["run"]))
    assert json.loads(call("show", sent["delivery"], "--json"))["duplicates"] == 1
    again = call("replay", sent["delivery"]).strip()
    wait_until(lambda: runs.retrieve(again).status.is_finished, "the replay to end")
    assert runs.retrieve(again).output == "invoice.paid"
    assert webhooks.deliveries.retrieve(sent["delivery"]).replays == (again,)
    assert server.stop() in (0, -15)
    assert not [secret for secret in SECRETS.values() if secret in server.log.read_text()]


@pytest.mark.timeout(120)
def test_what_cannot_be_sent_is_refused_with_a_remedy(server: ServerProcess, tmp_path: Path) -> None:
    """Each with exit code 1, and without a traceback."""
    event = tmp_path / "push.json"
    event.write_text('{"number": 1, "action": "opened"}')
    to = ("--url", server.url)
    assert "status accepted" in call("send", "wh-github", str(event), *to, "--event", "push.opened", "--id", "d")
    [delivery] = webhooks.deliveries.list(task="wh-github")
    assert (delivery.event_type, delivery.delivery_id) == ("push.opened", "d")
    assert "status accepted" in call("send", "wh-any", str(event), *to)
    refusals = {
        ("send", "wh-github", str(event), *to, "--as", "stripe"): "was not verified",
        ("send", "wh-github", str(event), *to, "--as", "strip"): "Did you mean 'stripe'?",
        ("send", "wh-gothub", str(event), *to): "wh-github",
        ("send", "wh-github", str(tmp_path / "none.json"), *to): "cannot be read",
        ("send", "wh-github", str(event), "--url", "http://127.0.0.1:1"): "taskflow server",
        ("show", "delivery_1"): "does not exist",
        ("replay", "delivery_1"): "does not exist",
        ("deliveries", "--status", "new"): "ACCEPTED",
    }
    for arguments, text in refusals.items():
        assert text in call(*arguments, expect=1), arguments
