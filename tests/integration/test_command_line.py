"""The ``taskflow`` command, as a user calls it."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import cast

import pytest
import typer
from typer.core import TyperGroup as Group
from typer.testing import CliRunner

from taskflow.cli.main import app
from taskflow.errors import BatchTriggerError, TaskflowError
from tests.conftest import StartFleet
from tests.projects import fleet_tasks as tasks
from tests.support.commands import run_command
from tests.support.fleet import ROOT, TASKS, Fleet
from tests.support.servers import RedisServer


def call(fleet: Fleet, *arguments: str, expect: int = 0) -> str:
    """Return the output of a command, or its errors when it should fail."""
    done = run_command(*arguments, env=fleet.env())
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout if not expect else done.stdout + done.stderr


def invoke(*arguments: str, expect: int = 0) -> str:
    """Return the output of a command that is called in this process with the current app, which saves a second."""
    done = CliRunner().invoke(app, [*arguments, "-A", TASKS.partition(",")[0]])
    assert done.exit_code == expect, done.output
    error = str(done.exception) if isinstance(done.exception, TaskflowError) else ""
    return done.stdout if not expect else done.output + error


def _words(text: str) -> str:
    """Return a text in one line, however it was wrapped."""
    return " ".join(text.split())


@pytest.mark.timeout(90)
def test_a_run_is_triggered_shown_listed_and_canceled(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """Each command prints text for people, and JSON with --json."""
    fleet = start_fleet(valkey.url)
    assert "No worker is up" in call(fleet, "doctor", expect=1)
    fleet.start_node()
    findings = json.loads(invoke("doctor", "--json"))
    assert {finding["what"]: finding["is_good"] for finding in findings}["workers"]
    result = json.loads(call(fleet, "trigger", "t-echo", '{"a": 1}', "--wait", "--json"))
    assert (result["status"], result["output"]) == ("COMPLETED", {"a": 1})
    assert json.loads(invoke("runs", "get", result["id"], "--json"))["status"] == "COMPLETED"
    assert "COMPLETED" in invoke("runs", "get", result["id"])
    delayed = invoke("trigger", "t-echo", "1", "--delay", "1h").strip()
    assert {run["id"] for run in json.loads(invoke("runs", "list", "--json"))} == {result["id"], delayed}
    assert delayed in invoke("runs", "list")
    assert json.loads(invoke("runs", "get", "--last", "--json"))["id"] == delayed
    both = delayed[
        : next(at for at, (one, other) in enumerate(zip(delayed, result["id"], strict=True)) if one != other)
    ]
    assert json.loads(invoke("runs", "get", delayed[: len(both) + 1], "--json"))["id"] == delayed
    assert f"2 runs begin with '{both}'" in _words(invoke("runs", "get", both, expect=1))
    assert json.loads(invoke("runs", "cancel", delayed, "--json")) == [{"id": delayed, "canceled": True}]
    assert "FAILED" in invoke("trigger", "t-flaky", "9", "--max-attempts", "1", "--wait", expect=1)
    with contextlib.closing(valkey.client()) as client:
        client.execute_command("HDEL", f"{fleet.flow.store.config.base(0)}:tasks", "t-echo", "t-one")
    assert "No worker has registered t-echo, t-one: their runs stay" in _words(invoke("doctor", expect=1))
    late = _words(call(fleet, "trigger", "t-echo", "1", "--wait", "--timeout", "4", expect=2))
    assert "No worker has registered task 't-echo'" in late
    assert "did not finish within 4 s" in late


def test_a_replica_that_is_asked_for_and_not_there_is_told(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """The doctor shows it before the first trigger, and then each trigger does."""
    start_fleet(valkey.url, store_replicas=1, connect_timeout=0.5)
    assert "Replicas online: 0, and TASKFLOW_STORE_REPLICAS asks for 1" in invoke("doctor", expect=1)
    assert "0 of the 1 replicas" in invoke("trigger", "t-echo", "1", expect=1)
    with pytest.raises(BatchTriggerError, match="0 of the 1 replicas"):
        tasks.echo.batch_trigger([1, 2])


def test_a_misspelt_task_is_pending_with_a_hint_and_workers_are_listed(
    start_fleet: StartFleet, valkey: RedisServer
) -> None:
    """Only workers know every task, so the command lists the tasks that workers have registered."""
    fleet = start_fleet(valkey.url)
    done = run_command("trigger", "t-ecko", "1", env=fleet.env())
    assert "Did you mean 't-echo'?" in done.stderr
    assert json.loads(invoke("runs", "get", done.stdout.strip(), "--json"))["status"] == "PENDING_VERSION"
    assert "No worker is up" in invoke("workers", "list")
    fleet.start_node(executor="async", TASKFLOW_VERSION="20260701.1")
    listed = json.loads(invoke("workers", "list", "--json"))
    assert [worker["version"] for worker in listed["workers"]] == ["20260701.1"]
    assert {task["id"] for task in listed["tasks"]} >= {"t-echo", "t-one"}
    assert "20260701.1" in invoke("workers", "list")


def test_mistakes_are_told_with_a_remedy(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """An error is one line, not a traceback."""
    fleet = start_fleet(valkey.url)
    refused = [call(fleet, "runs", "get", "run_nothing", expect=1)]
    for arguments in (
        ("trigger", "t-echo", "{x"),
        ("trigger", "t-sleep", '{"seconds": "x"}'),
        ("worker", "--queue", "t-tree", "--show"),
    ):
        refused.append(invoke(*arguments, expect=1))
    remedies = ("TASKFLOW_RETENTION", "Quote it for the shell", "seconds", "t-three")
    for error, remedy in zip(refused, remedies, strict=True):
        assert remedy in error.replace("\n", " ")
        assert "Traceback" not in error


def commands(group: Group, *path: str) -> Iterator[tuple[str, ...]]:
    """Yield each command except the groups of commands."""
    for name, command in group.commands.items():
        if isinstance(command, Group):
            yield from commands(command, *path, name)
        else:
            yield (*path, name)


COMMANDS = list(commands(cast("Group", typer.main.get_command(app))))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(command: tuple[str, ...]) -> None:
    """The help has an example, and it is all that the command prints."""
    shown = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    assert "Usage" in shown.output
    assert f"Example: taskflow {' '.join(command)}" in shown.output


def test_the_command_itself_has_help(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """It is called as from a shell."""
    command, env = [sys.executable, "-m", "taskflow.cli.main", "--help"], start_fleet(valkey.url).env()
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    assert "Usage" in done.stdout


def test_the_plan_is_shown_as_celery_commands(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """The printed commands also work by themselves."""
    fleet = start_fleet(valkey.url)
    shown = call(fleet, "worker", "--machine", "large-1x", "--machine", "small-1x", "--queue", "t-three", "--show")
    lines = shown.splitlines()
    assert all("celery -A taskflow.fleet worker -Q" in line for line in lines)
    queue = f"{fleet.environment}.small-1x.process.t-three"
    assert sum(f"-Q {queue},{queue}@ -c 3" in line for line in lines) == 1


@pytest.mark.timeout(60)
def test_many_runs_are_triggered_from_a_file_listed_canceled_and_replayed(
    start_fleet: StartFleet, valkey: RedisServer
) -> None:
    """Filters select the runs. Without --yes the command asks first, and with --json it refuses."""
    fleet = start_fleet(valkey.url)
    file = fleet.folder / "payloads.jsonl"
    file.write_text('{"seconds": 0}\n\n{"seconds": "x"}\n{"seconds": 1}\n')
    (made,) = json.loads(invoke("batch", "trigger", "t-sleep", str(file), "--json", expect=1))
    assert [error["index"] for error in made["errors"]] == [1]
    assert "1 wrong" in invoke("batch", "get", made["id"])
    assert json.loads(invoke("batch", "get", made["id"], "--json"))["status"] == "PARTIAL_FAILED"
    assert "nothing" not in invoke("batch", "trigger", "t-sleep", str(file), "--atomic", expect=1)
    options = ("--queue", "t-three", "--tag", "x", "--ttl", "0", "--priority", "5", "--metadata", '{"a": 1}', "--test")
    other = invoke("trigger", "t-echo", "1", *options, "--concurrency-key", "c", "--max-duration", "1m").strip()
    shown = json.loads(invoke("runs", "get", other, "--json"))
    values = [shown[name] for name in ("queue", "tags", "priority", "metadata", "is_test", "concurrency_key")]
    assert values == ["t-three", ["x"], 5.0, {"a": 1}, True, "c"]
    for filters in (
        ("--tag", "x"),
        ("--queue", "t-three", "--status", "queued"),
        ("--task", "t-echo", "--since", "1h"),
    ):
        assert [run["id"] for run in json.loads(invoke("runs", "list", *filters, "--json"))] == [other]
    assert "--yes" in invoke("runs", "cancel", "--batch", made["id"], "--json", expect=1)
    assert "Cancel 2 runs?" in invoke("runs", "cancel", "--batch", made["id"], expect=1)
    assert "2 of 2 runs canceled" in invoke("runs", "cancel", "--batch", made["id"], "--yes")
    again = json.loads(invoke("runs", "replay", "--task", "t-sleep", "--status", "CANCELED", "--yes", "--json"))
    assert (again["success"], len(again["run_ids"])) == (2, 2)
    assert len(invoke("runs", "replay", other).split()) == 1
    assert "had ended already" in invoke("runs", "cancel", made["run_ids"][0])


@pytest.mark.timeout(60)
def test_a_delayed_run_is_rescheduled_and_watched(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """The changes are printed as JSON lines."""
    fleet = start_fleet(valkey.url)
    delayed = invoke("trigger", "t-echo", '"x"', "--delay", "1h").strip()
    assert "is due at" in invoke("runs", "reschedule", delayed, "1s")
    fleet.start_node()
    changes = [json.loads(line) for line in invoke("runs", "watch", delayed, "--json").splitlines()]
    assert changes[-1]["output"] == "x"
    assert "COMPLETED" in invoke("runs", "watch", delayed)
    assert "FAILED" in invoke("trigger", "t-flaky", "9", "--max-attempts", "1", "--wait", expect=1)


def test_queues_are_listed_paused_and_overridden(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """The whole environment can be paused too."""
    start_fleet(valkey.url)
    invoke("trigger", "t-three", '{"seconds": 0}')
    invoke("queues", "override", "t-three", "7")
    invoke("queues", "pause", "t-three")
    state = json.loads(invoke("queues", "get", "t-three", "--json"))
    assert (state["concurrency_limit"], state["declared_limit"], state["is_paused"]) == (7, 3, True)
    assert "paused" in invoke("queues", "list")
    invoke("queues", "resume", "t-three")
    assert "3 at a time" in invoke("queues", "reset", "t-three")
    invoke("queues", "pause")
    assert "The environment is paused" in invoke("queues", "list")
    invoke("queues", "resume")
    assert not any(queue["is_paused"] for queue in json.loads(invoke("queues", "list", "--json")))
    assert "No queue 't-none'" in invoke("queues", "pause", "t-none", expect=1)


def test_tokens_are_made_completed_and_listed(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """The data is JSON as a person types it. The error of a wrong word names it."""
    start_fleet(valkey.url)
    first = invoke("tokens", "create", "--timeout", "1h", "--tag", "a", "--idempotency-key", "k").strip()
    assert json.loads(invoke("tokens", "create", "--idempotency-key", "k", "--json")) == {
        "id": first,
        "is_cached": True,
    }
    invoke("tokens", "create")
    assert len(json.loads(invoke("tokens", "list", "--limit", "1", "--json"))["tokens"]) == 1
    assert "--cursor" in invoke("tokens", "list", "--limit", "1")
    assert "is not JSON" in invoke("tokens", "complete", first, "{", expect=1)
    assert "is completed" in invoke("tokens", "complete", first, '{"ok": [1]}')
    assert not json.loads(invoke("tokens", "complete", first, "2", "--json"))["completed"]
    assert '"ok": [' in invoke("tokens", "get", first)
    assert json.loads(invoke("tokens", "get", first, "--json"))["output"] == {"ok": [1]}
    assert first in invoke("tokens", "list", "--status", "completed", "--tag", "a")
    assert "it is one of" in invoke("tokens", "list", "--status", "done", expect=1)
    assert "No token" in invoke("tokens", "get", "token_00", expect=1)
