"""The ``taskflow`` command, as a user calls it."""

import json
import subprocess
import sys

import pytest

from tests.conftest import StartFleet
from tests.fleet import ROOT, Fleet
from tests.servers import RedisServer


def call(fleet: Fleet, *arguments: str, expect: int = 0) -> str:
    """Return what a call of the command printed; its errors when it should fail."""
    command = [sys.executable, "-m", "taskflow.cli.main", *arguments]
    done = subprocess.run(command, env=dict(fleet.env()), cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout if not expect else done.stdout + done.stderr


@pytest.mark.timeout(90)
def test_a_run_is_triggered_shown_listed_and_canceled(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """With and without JSON."""
    fleet = start_fleet(valkey.url)
    assert "No worker is up" in call(fleet, "doctor", expect=1)
    fleet.start_node()
    findings = json.loads(call(fleet, "doctor", "--json"))
    assert {finding["what"]: finding["is_good"] for finding in findings}["workers"]
    result = json.loads(call(fleet, "trigger", "t-echo", '{"a": 1}', "--wait", "--json"))
    assert (result["status"], result["output"]) == ("COMPLETED", {"a": 1})
    assert json.loads(call(fleet, "runs", "get", result["id"], "--json"))["status"] == "COMPLETED"
    assert "COMPLETED" in call(fleet, "runs", "get", result["id"])
    delayed = call(fleet, "trigger", "t-echo", "1", "--delay", "1h").strip()
    assert {run["id"] for run in json.loads(call(fleet, "runs", "list", "--json"))} == {result["id"], delayed}
    assert delayed in call(fleet, "runs", "list")
    assert json.loads(call(fleet, "runs", "cancel", delayed, "--json")) == [{"id": delayed, "canceled": True}]
    assert "FAILED" in call(fleet, "trigger", "t-flaky", "9", "--max-attempts", "1", "--wait", expect=1)


def test_mistakes_are_told_with_a_remedy(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """In one line, not in a traceback."""
    fleet = start_fleet(valkey.url)
    for arguments, remedy in (
        (("trigger", "t-ecko", "1"), "Did you mean 't-echo'"),
        (("trigger", "t-echo", "{x"), "Quote it for the shell"),
        (("trigger", "t-sleep", '{"seconds": "x"}'), "seconds"),
        (("runs", "get", "run_nothing"), "TASKFLOW_RETENTION"),
        (("worker", "--queue", "t-tree", "--show"), "t-three"),
    ):
        told = call(fleet, *arguments, expect=1)
        assert remedy in told.replace("\n", " ")
        assert "Traceback" not in told


@pytest.mark.parametrize("command", [(), ("worker",), ("trigger",), ("runs",), ("runs", "get"), ("doctor",)])
def test_every_command_has_help(start_fleet: StartFleet, valkey: RedisServer, command: tuple[str, ...]) -> None:
    """With an example on each that does something."""
    shown = call(start_fleet(valkey.url), *command, "--help")
    assert "Usage" in shown
    assert command in ((), ("runs",)) or "Example: taskflow" in shown


def test_the_plan_is_shown_as_celery_commands(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """Which also work by themselves."""
    fleet = start_fleet(valkey.url)
    shown = call(fleet, "worker", "--machine", "large-1x", "--machine", "small-1x", "--queue", "t-three", "--show")
    lines = shown.splitlines()
    assert all("celery -A taskflow.fleet worker -Q" in line for line in lines)
    assert sum(f"-Q {fleet.environment}.small-1x.process.t-three -c 3" in line for line in lines) == 1
