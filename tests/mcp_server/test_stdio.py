"""`taskflow mcp` as clients start it: a process whose input and output are the protocol's."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters

from taskflow.definition.calls.trigger_options import TriggerOptions
from tests.mcp_server.conftest import READ, WRITE, Assistant, Place, over_stdio
from tests.support.commands import run_command
from tests.support.http_server import HttpServer
from tests.support.waiting import await_until

HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "tests", "version": "1"}}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose module of tasks prints when it is imported, as some do."""
    folder = tmp_path / "the shop"
    folder.mkdir()
    (folder / "shop_of_mcp.py").write_text(
        'from taskflow import task\nprint(\'{"not": "the protocol"}\', flush=True)\n\n'
        "@task(id='mcp-shop-greet')\ndef greet(payload: str) -> str:\n"
        '    """Greet a customer."""\n    return payload\n'
    )
    return folder


@pytest.mark.timeout(60)
async def test_the_printed_configuration_starts_a_server_that_reads(place: Place, project: Path) -> None:
    """A client starts it in a folder of its own; the entry names the project's and its variables."""
    env = {**place.fleet.env(TASKFLOW_TASKS="shop_of_mcp"), "TASKFLOW_SECRET_KEY": "0123456789abcdef0123456789abcdef"}
    printed = run_command("mcp", "--print-config", "--folder", str(project), env=env)
    assert printed.returncode == 0, printed.stderr
    entry = json.loads(printed.stdout)["mcpServers"]["taskflow"]
    assert entry["env"]["TASKFLOW_SECRET_KEY"] == "<TASKFLOW_SECRET_KEY>"
    variables = {**entry["env"], "TASKFLOW_SECRET_KEY": env["TASKFLOW_SECRET_KEY"], "PYTHONPATH": env["PYTHONPATH"]}
    server = StdioServerParameters(command=entry["command"], args=entry["args"], env=variables, cwd="/")
    async with Client(server, read_timeout_seconds=40) as client:
        assistant = Assistant(client)
        assert await assistant.tools() == READ
        tasks = {task["id"]: task for task in (await assistant.get("list_tasks"))["tasks"]}
        assert tasks["mcp-shop-greet"]["description"] == "Greet a customer."
        assert (tasks["mcp-shop-greet"]["is_registered"], tasks["mc-pack"]["is_registered"]) == (False, True)
        refused = await assistant.call("trigger_task", task_id="mcp-shop-greet", payload="x")
        assert "is not offered" in refused.text


@pytest.mark.timeout(60)
async def test_a_run_that_an_assistant_triggers_says_so(place: Place, tmp_path: Path) -> None:
    """By the name of the user whose process it is."""
    async with over_stdio(tmp_path, place.fleet.env(TASKFLOW_TASKS=""), "--write") as assistant:
        assert await assistant.tools() == READ | WRITE
        run_id = (await assistant.get("trigger_task", task_id="mc-pack", payload={"number": 2}))["run_id"]
        run = await assistant.get("get_run", run_id=run_id, wait_seconds=20)
        assert (run["status"], run["output"]["total"]) == ("COMPLETED", 4)
        assert run["triggered_by"].startswith("mcp ")


@pytest.mark.timeout(90)
async def test_a_client_of_a_server_needs_no_store(place: Place, api_server: HttpServer, tmp_path: Path) -> None:
    """With TASKFLOW_API_URL and a key that may read. The key decides, not the option."""
    failed = place.flow.engine.runs.trigger("mc-fail", "over http", TriggerOptions(max_attempts=1)).run_id
    kept = {name: value for name, value in place.fleet.env().items() if not name.startswith("TASKFLOW_")}
    env = {
        **kept,
        "TASKFLOW_API_URL": api_server.url,
        "TASKFLOW_API_KEY": place.reader_key,
        "TASKFLOW_REDACT": "$.note",
    }
    async with over_stdio(tmp_path, env) as assistant:
        assert await assistant.tools() == READ
        task = await assistant.get("get_task", task_id="mc-pack")
        assert (task["class_name"], task["payload_schema"]["required"]) == ("small-1x.async", ["number"])
        assert "mc-nap" in [each["id"] for each in (await assistant.get("list_tasks"))["tasks"]]
        unknown = await assistant.call("get_task", task_id="mc-napp")
        assert "Did you mean 'mc-nap'?" in unknown.text
        run = await assistant.get("get_run", run_id=failed, wait_seconds=20)
        assert (run["status"], run["error"]["message"]) == ("FAILED", "no parcel over http")
        assert "about to fail" in (await assistant.call("get_run_logs", run_id=failed)).text
        await await_until(lambda: has_error(assistant, "no parcel over http"), "the failure in the history", timeout=20)
    refused = run_command("mcp", "--write", env=env)
    assert refused.returncode == 1
    assert "TASKFLOW_API_KEY may only read" in " ".join(refused.stderr.split())


async def has_error(assistant: Assistant, message: str) -> bool:
    """Whether the groups of errors have one with this message."""
    return message in [group["message"] for group in (await assistant.get("list_errors"))["errors"]]


def test_an_interrupt_ends_the_process_while_it_waits_for_a_client(place: Place) -> None:
    """It did not: the thread that reads the input went on."""
    command = [sys.executable, "-m", "taskflow", "mcp"]
    with subprocess.Popen(command, env=dict(place.env), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(
            json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO}).encode() + b"\n"
        )
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["result"]["serverInfo"]["name"] == "taskflow"
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == -signal.SIGINT


def test_a_server_for_others_must_know_its_name(place: Place) -> None:
    """Else a page could call it under a name of the page's own."""
    refused = run_command("mcp", "--http", "--host", "0.0.0.0", env=place.env)
    assert refused.returncode == 1
    assert "give --allowed-host tasks.example.com" in " ".join(refused.stderr.split())
    words = ("mcp", "--http", "--host", "0.0.0.0", "--allowed-host", "tasks.example.com", "--print-config")
    entry = json.loads(run_command(*words, env=place.env).stdout)["mcpServers"]["taskflow"]
    assert (entry["type"], entry["url"]) == ("http", "https://tasks.example.com/mcp")
