"""Schedules on a real node: declared by a task, made by a verb, fired by upkeep."""

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from taskflow import DeclaredScheduleError, Run, runs, schedules
from taskflow.cli.main import app
from taskflow.definition.calls.run_filter import RunFilter
from tests.support.fleet import Fleet
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until


def completed(schedule_id: str) -> list[Run]:
    """Return the runs of a schedule that have completed."""
    return list(runs.list(where=RunFilter(schedule=schedule_id, status="COMPLETED")))


def _check_commands(schedule_id: str) -> None:
    """Call each command in this process, with the current app."""

    def call(*arguments: str, expect: int | None = 0) -> str:
        done = CliRunner().invoke(app, [*arguments, "-A", "tests.projects.schedule_tasks"])
        assert expect is None or done.exit_code == expect, done.output
        return done.stdout

    listed = json.loads(call("schedules", "list", "--json"))["schedules"]
    assert [each["task_id"] for each in listed] == ["sched-each-second", "sched-on-demand"]
    assert "inactive" in call("schedules", "list", "--task", "sched-on-demand")
    assert "Every 1 s" in call("schedules", "get", schedule_id)
    made = json.loads(call("schedules", "create", "sched-on-demand", "--cron", "0 0 13 * FRI", "--inactive", "--json"))
    assert (made["is_active"], made["next_run"], made["description"][:9]) == (False, None, "At 00:00,")
    assert "either" in call("schedules", "get", made["id"]) or "enough" in call("schedules", "get", made["id"])
    changed = json.loads(call("schedules", "update", made["id"], "--every", "2h", "--jitter", "10%", "--json"))
    assert (changed["cron"], changed["every"], changed["jitter"]) == (None, 7200.0, "10%")
    assert json.loads(call("schedules", "activate", made["id"], "--json"))["next_run"]
    assert "inactive" in call("schedules", "deactivate", made["id"])
    run_id = call("schedules", "run", made["id"]).strip()
    assert runs.retrieve(run_id).schedule_id == made["id"]
    assert "is deleted" in call("schedules", "delete", made["id"])
    imported: list[dict[str, str]] = []
    for options in (["--dry-run"], []):
        imported = json.loads(call("schedules", "import", "tests.projects.beat_module", "--json", *options, expect=1))
        made_or_not = [(each["name"], bool(each["id"])) for each in imported]
        good = {"hourly", "arguments"}
        assert made_or_not == [(each["name"], each["name"] in good) for each in imported]
        assert [each["name"] for each in imported] == ["hourly", "both", "arguments", "unfit", "unnamed", "misspelt"]
        refused = {each["name"]: each["refused"] for each in imported if each["refused"]}
        assert "Did you mean 'sched-on-demand'?" in refused["misspelt"]
        assert "amount" in refused["unfit"]
        assert "positional arguments" in refused["unnamed"]
        assert len(json.loads(call("schedules", "list", "--json"))["schedules"]) == (2 if options else 4)
    assert schedules.retrieve(imported[2]["id"]).payload == {"order_id": "order 1", "amount": 3}
    for each in (imported[0], imported[2]):
        schedules.delete(each["id"])
    (finding,) = [each for each in json.loads(call("doctor", "--json", expect=None)) if each["what"] == "schedules"]
    assert (finding["is_good"], finding["found"][:12]) == (True, "2, none late")


def test_a_node_fires_declared_and_made_schedules(valkey: RedisServer, tmp_path: Path) -> None:
    """There is no other process that must run."""
    fleet = Fleet(tmp_path, valkey.url, tasks="tests.projects.schedule_tasks", is_new=True)
    try:
        fleet.start_node(executor="async")
        (declared,) = schedules.list()
        assert (declared.task_id, declared.is_declared) == ("sched-each-second", True)
        assert declared.description == "Every 1 s"
        with pytest.raises(DeclaredScheduleError):
            schedules.delete(declared.id)

        made = asyncio.run(schedules.acreate("sched-on-demand", every="1s", external_id="c1", deduplication_key="k"))
        found = wait_until(lambda: completed(made.id), "a run of the schedule that was made")
        assert runs.retrieve(found[0].id).output == {"external": "c1", "upcoming": 10, "kind": "IMPERATIVE"}
        assert found[0].schedule_id == made.id
        wait_until(lambda: len(completed(declared.id)) >= 2, "runs of the declared one")

        paused = schedules.deactivate(made.id)
        assert paused.next_run is None
        assert paused.last_run is not None
        before = len(fleet.flow.engine.runs.find(RunFilter(schedule=made.id)))
        handle = schedules.run_now(made.id)
        assert handle.result(timeout=10) == {"external": "c1", "upcoming": 10, "kind": "IMPERATIVE"}
        assert len(fleet.flow.engine.runs.find(RunFilter(schedule=made.id))) == before + 1
        _check_commands(made.id)
        schedules.delete(made.id)
        assert [each.id for each in schedules.list()] == [declared.id]
    finally:
        fleet.close()
