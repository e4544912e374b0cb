"""Text of users in the output of every command: shown as it is, no markup, no escape sequence, in any encoding."""

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest
import typer
from typer.core import TyperGroup as Group

from taskflow import RunNotFoundError, runs, schedules, wait
from taskflow.cli.main import app, main
from tests.conftest import StartFleet
from tests.integration.test_command_line import commands
from tests.projects import hostile_tasks as hostile
from tests.support.fleet import ROOT, TASKS
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until

PLAIN = "[/b] a[i] [red]x[/red] :smile: {x} %s"
TEXT = f"{PLAIN} \x1b[31mred\x1b[0m \x9b1m \x07 \u202eback \u00e9"
VERSION = "[/b]a[i][red]:smile:"
MODULES = f"{TASKS},tests.projects.hostile_tasks"
NO_MODULE = (("schedules", "next"), ("schedules", "timezones"), ("adopt", "report"), ("init", TEXT))
RAW = ("\x1b", "\x9b", "\x07", "\u202e")


class Called:
    """The output and the exit code of a command, called as from a shell whose terminal has an encoding."""

    def __init__(self, arguments: tuple[str, ...], encoding: str) -> None:
        files = [io.BytesIO(), io.BytesIO()]
        streams = [io.TextIOWrapper(file, encoding=encoding, write_through=True) for file in files]
        before = sys.stdout, sys.stderr, sys.argv, list(sys.path)
        sys.stdout, sys.stderr, sys.argv = *streams, ["taskflow", *arguments]
        try:
            main()
            self.code: object = 0
        except SystemExit as left:
            self.code = left.code or 0
        finally:
            sys.stdout, sys.stderr, sys.argv, sys.path[:] = before
        printed = [file.getvalue().decode(encoding) for file in files]
        self.out, self.all = printed[0], "".join(printed)
        self.about = f"{arguments!r} in {encoding}, exit {self.code}:\n{self.all}"


def make_odd_record(valkey: RedisServer, base: str, run_id: str) -> None:
    """Make fields hostile that no verb lets through, as a record of another version or tool may have them."""
    with contextlib.closing(valkey.client()) as client:
        for field in ("task", "queue", "version", "canceled_by"):
            client.execute_command("HSET", f"{base}:run:{run_id}", field, TEXT)
        client.execute_command("SADD", f"{base}:queues", TEXT)
        client.execute_command("HSET", f"{base}:queue:{TEXT}", "paused", "1700000000000", "paused_by", TEXT)


def has_ended(run_id: str) -> bool:
    """Whether a message has become a run that has ended."""
    try:
        return runs.retrieve(run_id).is_finished
    except RunNotFoundError:
        return False


@pytest.mark.timeout(120)
def test_every_command_shows_hostile_text_as_it_is(
    start_fleet: StartFleet, valkey: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tag ended `runs list`, an output moved the cursor, and a part of a name vanished as markup."""
    fleet = start_fleet(valkey.url)
    fleet.start_node(executor="async", TASKFLOW_TASKS=MODULES, TASKFLOW_VERSION=f"{VERSION}\x1b[31m")
    done = hostile.say.trigger(TEXT, tags=[TEXT], concurrency_key=TEXT, metadata={TEXT: TEXT})
    failed = hostile.say.trigger(f"fail {TEXT}", tags=[TEXT], idempotency_key=TEXT)
    assert done.result(timeout=20) == TEXT
    fleet.flow.celery.send_task("he-say", args=["x"], task_id=TEXT)
    wait_until(lambda: failed.status().is_finished and has_ended(TEXT), "the runs to end")
    delayed, odd = (hostile.say.trigger("x", delay="1h", tags=[TEXT]) for _ in range(2))
    make_odd_record(valkey, fleet.flow.store.config.base(0), odd.id)
    token = wait.create_token(tags=[TEXT], idempotency_key=TEXT)
    wait.complete_token(token.id, {TEXT: TEXT})
    fleet.flow.engine.api_keys.create(TEXT)
    schedule = schedules.create("he-tick", cron="0 0 1 1 *", deduplication_key=TEXT, external_id=TEXT)
    file, home = tmp_path / "payloads.jsonl", tmp_path / "[red]home[bold]\x1b[31m"
    file.write_text(f"{json.dumps(TEXT)}\n5\n")
    with_text: list[tuple[str, ...]] = [
        ("runs", "get", done.id),
        ("runs", "get", failed.id),
        ("runs", "get", odd.id),
        ("runs", "get", TEXT),
        ("runs", "list"),
        ("runs", "logs", done.id),
        ("runs", "watch", failed.id),
        ("runs", "count", "--by", "task,queue,version"),
        ("runs", "stream", done.id, "he-lines"),
        ("runs", "cancel", TEXT),
        ("runs", "resume", TEXT),
        ("trigger", "he-say", json.dumps(TEXT), "--wait"),
        ("trigger", "he-say", json.dumps(f"fail {TEXT}"), "--wait"),
        ("trigger", TEXT, "1"),
        ("tokens", "get", token.id),
        ("tokens", "get", TEXT),
        ("tokens", "complete", TEXT, "1"),
        ("tokens", "list"),
        ("queues", "list"),
        ("queues", "get", TEXT),
        ("queues", "pause", TEXT),
        ("errors", "show", TEXT),
        ("errors", "mute", TEXT),
        ("errors", "resolve", TEXT),
        ("errors", "open", TEXT),
        ("workers", "list"),
        ("workers", "drain", TEXT),
        ("doctor",),
        ("batch", "get", TEXT),
        ("batch", "trigger", "he-say", TEXT),
        ("worker", "--queue", TEXT, "--show"),
        ("dev", "--watch", TEXT),
        ("schedules", "get", schedule.id),
        ("schedules", "get", TEXT),
        ("schedules", "activate", TEXT),
        ("schedules", "update", TEXT, "--cron", "0 0 1 1 *"),
        ("schedules", "run", TEXT),
        ("schedules", "create", TEXT, "--cron", "0 0 1 1 *"),
        ("keys", "list"),
        ("keys", "revoke", TEXT),
        ("users", "remove", TEXT),
        ("users", "password", TEXT),
        ("webhooks", "show", TEXT),
        ("webhooks", "replay", TEXT),
        ("webhooks", "send", TEXT, str(file)),
        ("init", TEXT, "--dry-run"),
        ("flower", TEXT),
    ]
    others: list[tuple[str, ...]] = [
        ("runs", "reschedule", delayed.id, "30m"),
        ("runs", "replay", done.id),
        ("runs", "send", delayed.id, "he-input", json.dumps(TEXT)),
        ("runs", "cancel", "--tag", TEXT, "--yes"),
        ("runs", "replay", "--tag", TEXT, "--yes"),
        ("batch", "trigger", "he-say", str(file)),
        ("tokens", "create", "--tag", TEXT),
        ("queues", "resume", "task/he-say"),
        ("queues", "override", "task/he-say", "5"),
        ("queues", "reset", "task/he-say"),
        ("errors", "list", "--task", TEXT),
        ("adopt", "refused", "--payload"),
        ("adopt", "report", TEXT),
        ("worker", "--show"),
        ("schedules", "list"),
        ("schedules", "deactivate", schedule.id),
        ("schedules", "delete", TEXT),
        ("schedules", "import", TEXT),
        ("schedules", "next", "0 0 1 1 *"),
        ("schedules", "timezones"),
        ("keys", "create", TEXT),
        ("users", "add", TEXT),
        ("users", "list"),
        ("webhooks", "deliveries", "--status", TEXT),
        ("webhooks", "list"),
        ("server", "--loglevel", TEXT),
        ("mcp", "--loglevel", TEXT),
    ]
    stores: list[tuple[str, ...]] = [("store", "status"), ("store", "stop")]
    every = set(commands(cast("Group", typer.main.get_command(app))))
    assert every <= {each[: len(command)] for each in with_text + others + stores for command in every}
    for encoding in ("utf-8", "ascii"):
        for arguments in with_text + others + stores:
            if arguments in stores:
                monkeypatch.setenv("TASKFLOW_HOME", str(home))
                called = Called(arguments, encoding)
            else:
                module = () if arguments[:2] in NO_MODULE else ("-A", "tests.projects.hostile_tasks")
                called = Called((*arguments, *module), encoding)
            assert called.code in (0, 1), called.about
            assert not [raw for raw in RAW if raw in called.all], called.about
            if arguments in with_text:
                shown = VERSION if arguments in [("workers", "list"), ("doctor",)] else PLAIN
                assert shown in called.all, called.about
            if arguments in stores:
                assert "[red]home[bold]" in called.all, called.about


@pytest.mark.timeout(120)
def test_an_odd_terminal_gets_json_as_exactly_as_any_other(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """The command is a process of its own here, whose encoding is its environment's."""
    fleet = start_fleet(valkey.url)
    made = hostile.say.trigger(TEXT, tags=[TEXT], delay="1h")
    for arguments, is_json in ((("runs", "get", made.id, "--json"), True), (("runs", "get", made.id), False)):
        command = [sys.executable, "-m", "taskflow", *arguments]
        env = {**fleet.env(), "PYTHONIOENCODING": "ascii", "PATH": os.environ["PATH"]}
        done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, timeout=30)
        assert done.returncode == 0, done.stderr
        assert PLAIN in done.stdout.decode("ascii")
        if is_json:
            shown = json.loads(done.stdout)
            assert (shown["tags"], shown["payload"]) == ([TEXT], TEXT)
        else:
            assert "\\x1b[31mred\\x1b[0m \\x9b1m \\x07 \\u202eback \\xe9" in done.stdout.decode("ascii")
