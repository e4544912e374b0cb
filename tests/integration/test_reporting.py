"""Metadata, tags and log lines of runs, on real nodes of both executors."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from taskflow import LogLine, RunNotFoundError, RunStatus, metadata, runs, tags
from taskflow.errors import OutsideRunError
from tests.conftest import StartFleet
from tests.projects import reporting_tasks as tasks
from tests.support.commands import run_command
from tests.support.fleet import TASKS, Fleet
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until

BOTH = f"{TASKS},tests.projects.reporting_tasks"


@pytest.fixture
def fleet(start_fleet: StartFleet, valkey: RedisServer) -> Fleet:
    return start_fleet(valkey.url, lease=2, heartbeat=0.5)


def lines(server: RedisServer, fleet: Fleet, run_id: str, kind: str = "log") -> list[dict[str, Any]]:
    """Return a run's log lines as the stream of events has them, each once, by attempt and number."""
    client: Any = server.client()
    entries = client.xrange(f"{{tf:{fleet.environment}:0}}:events", "-", "+")
    client.close()
    kept = [json.loads(each["value"]) for _, each in entries if (each["kind"], each["run"]) == (kind, run_id)]
    return list({(each["claim"], each["seq"]): each for each in kept}.values())


@pytest.mark.timeout(60)
def test_a_process_run_tells_metadata_tags_and_every_kind_of_log_line(fleet: Fleet, valkey: RedisServer) -> None:
    """All of it is in the store when the result is, because it is sent before the outcome."""
    fleet.start_node(TASKFLOW_TASKS=BOTH)
    handle = tasks.tell.trigger(7, metadata={"given": [], "tries": 40}, tags=["first"])
    returned = handle.result(timeout=20)
    run = handle.retrieve()
    expected = {
        "given": [],
        "tries": 42,
        "attempt": 2,
        "log": [1, 2],
        "progress": {"done": 0.1 + 0.2, "left": -14},
    }
    assert run.metadata == returned == expected
    assert run.tags == ("first", "told", "attempt/1", "attempt/2")
    for attempt in (1, 2):
        logged = [each for each in lines(valkey, fleet, handle.id) if each["attempt"] == attempt]
        assert [(each["level"], each["logger"], each["message"]) for each in logged] == [
            ("INFO", "taskflow.logger", "hello"),
            ("DEBUG", "taskflow.logger", "only kept"),
            ("WARNING", "shop.orders", "from logging"),
            ("INFO", "stdout", "printed"),
            ("ERROR", "shop.celery", "by Celery's"),
            ("ERROR", "shop.orders", "from a thread"),
        ]
        assert [each["seq"] for each in logged] == [1, 2, 3, 4, 5, 6]
        assert logged[0]["fields"] == {"payload": 7}
    assert "hello payload=7" in fleet.nodes[0].output()
    spans = lines(valkey, fleet, handle.id, kind="span")
    assert [(each["attempt"], each["message"], each["fields"]) for each in spans] == [
        (1, "told", {"payload": 7}),
        (2, "told", {"payload": 7}),
    ]


async def listed(lines: AsyncIterator[LogLine]) -> list[LogLine]:
    """Return all lines."""
    return [line async for line in lines]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("database", ["none", None])
def test_the_lines_of_a_run_are_printed_and_followed(
    start_fleet: StartFleet, valkey: RedisServer, database: str | None
) -> None:
    """Each line is there once and in order: from the history, from the store's stream, and as it comes."""
    fleet = start_fleet(valkey.url, database_url=database)
    fleet.start_node(TASKFLOW_TASKS=BOTH)
    handle = tasks.tell.trigger(7, metadata={"given": [], "tries": 40})
    lines = [*fleet.flow.engine.logs.lines(handle.id, follow=True)]
    followed = [line.message.split(" (")[0] for line in lines]
    assert followed == ["hello", "only kept", "from logging", "printed", "by Celery's", "from a thread", "told"] * 2
    assert [line.fields for line in lines if line.level == "SPAN"] == [{"payload": 7}] * 2
    if database is None:
        wait_until(lambda: len([*fleet.flow.lookup.events(handle.id)]) >= len(followed), "the history", timeout=20)
    printed = run_command("runs", "logs", handle.id, env=fleet.env())
    assert printed.returncode == 0, printed.stderr
    assert [line.split(maxsplit=2)[2] for line in printed.stdout.splitlines()][:2] == ["hello payload=7", "only kept"]
    assert len(printed.stdout.splitlines()) == len(followed)
    assert {line.split()[1].partition("#")[2] for line in printed.stdout.splitlines()} == {"1", "2"}
    assert [line.message for line in runs.logs(handle.id)] == [line.message for line in lines]
    assert [line.attempt for line in handle.logs()] == [1] * 7 + [2] * 7
    assert asyncio.run(listed(handle.alogs())) == [*handle.logs()]
    with pytest.raises(RunNotFoundError):
        asyncio.run(listed(runs.alogs("run_nothing")))
    with pytest.raises(RunNotFoundError):
        next(fleet.flow.engine.logs.lines("run_nothing"))


@pytest.mark.timeout(60)
def test_coroutines_of_one_process_tell_each_for_itself(fleet: Fleet, valkey: RedisServer) -> None:
    """Fifty coroutines at a time in one thread: no line is attributed to the wrong run."""
    fleet.start_node(executor="async", concurrency=50, TASKFLOW_TASKS=BOTH)
    handles = [tasks.atell.trigger(number) for number in range(50)]
    for number, handle in enumerate(handles):
        assert handle.result(timeout=20) == number
        run = handle.retrieve()
        assert (run.metadata, run.tags) == ({"who": number}, (f"n{number}",))
        messages = [each["message"] for each in lines(valkey, fleet, handle.id)]
        assert messages == ["hello", f"still {number}"]


@pytest.mark.timeout(60)
def test_what_children_count_on_their_parent_composes(fleet: Fleet) -> None:
    """The parallel children are processes and coroutines. The parent reads the counts while it goes on."""
    fleet.start_node(concurrency=3, TASKFLOW_TASKS=BOTH)
    fleet.start_node(executor="async", TASKFLOW_TASKS=BOTH)
    handle = tasks.parent.trigger(12)
    assert handle.result(timeout=40) == 12 * 10 + sum(range(12))
    metadata = handle.retrieve().metadata
    assert sorted(metadata["who"]) == list(range(12))  # type: ignore[call-overload]  # a list
    assert (metadata["mine"], metadata["all"]) == (True, 6)


@pytest.mark.timeout(60)
def test_the_last_lines_of_a_killed_child_are_not_lost(fleet: Fleet, valkey: RedisServer) -> None:
    """SIGKILL comes right after the last line. The node sends the lines that the child could not send."""
    node = fleet.start_node(TASKFLOW_TASKS=BOTH)
    handle = tasks.crash.trigger(300)
    assert handle.result(timeout=20) == 2
    wait_until(lambda: len(lines(valkey, fleet, handle.id)) == 600, "every line of both attempts")
    assert "log.rescued" in node.output()
    for attempt in (1, 2):
        logged = [each for each in lines(valkey, fleet, handle.id) if each["attempt"] == attempt]
        assert [each["fields"]["number"] for each in logged] == list(range(300))
    wait_until(lambda: not list(fleet.folder.glob("spool/*/*.lines")), "the spool to be empty")


@pytest.mark.timeout(60)
def test_the_last_lines_of_a_killed_node_are_sent_by_the_next_one(fleet: Fleet, valkey: RedisServer) -> None:
    """A coroutine's lines are in a file of its node. The host's next node finds them."""
    node = fleet.start_node(executor="async", TASKFLOW_TASKS=BOTH)
    handle = tasks.acrash.trigger(300)
    wait_until(lambda: node.process.poll() is not None, "the node to die")
    fleet.start_node(executor="async", TASKFLOW_TASKS=BOTH)
    wait_until(lambda: len(lines(valkey, fleet, handle.id)) >= 300, "every line of the first attempt")
    assert handle.result(timeout=20) == 2
    assert handle.status() is RunStatus.COMPLETED
    wait_until(lambda: len(lines(valkey, fleet, handle.id)) == 600, "every line of both attempts")


def test_outside_of_a_run_the_verbs_say_so() -> None:
    """A silent no-op would hide that the code is called from the wrong place."""
    verbs: list[Callable[[], object]] = [
        lambda: metadata.set("a", 1),
        lambda: metadata.parent.increment("a"),
        lambda: metadata.get("a"),
        metadata.current,
        metadata.flush,
        lambda: tags.add("a"),
        lambda: asyncio.run(metadata.aflush()),
    ]
    for verb in verbs:
        with pytest.raises(OutsideRunError, match="where no run executes"):
            verb()


def said(fleet: Fleet, run_id: str) -> list[tuple[str, str]]:
    """Return the logger and message of each line of a run."""
    return [(line.logger, line.message) for line in fleet.flow.engine.logs.lines(run_id)]


@pytest.mark.timeout(60)
def test_standard_output_of_a_process_run_is_a_real_stream_of_lines(fleet: Fleet) -> None:
    """Programs write to it by its descriptor, a print of several values is one line, and the order is kept."""
    node = fleet.start_node(concurrency=1, TASKFLOW_TASKS=BOTH)
    handle = tasks.streams.trigger(5)
    assert handle.result(timeout=20) == [["utf-8", True, True, False, False, 8, 6, True]] * 2
    assert {line.level for line in handle.logs()} == {"INFO"}
    assert said(fleet, handle.id) == [
        *[(stream, text) for stream in ("stdout", "stderr") for text in ("written", "bytes")],
        ("stdout", "took 5 seconds"),
        ("stdout", "one"),
        ("stdout", "two"),
        ("stderr", "2/2"),
        ("stdout", "by a program"),
        ("stdout", "between"),
        ("stderr", "to stderr"),
        ("stdout", "between"),
        ("stdout", "to stdout"),
        ("stdout", "to a descriptor"),
        ("stdout", "no line break"),
    ]
    assert "INFO/ForkPoolWorker" in next(line for line in node.output().splitlines() if "took 5 seconds" in line)


@pytest.mark.timeout(60)
def test_lines_of_threads_and_programs_are_not_mixed_and_not_lost(fleet: Fleet) -> None:
    """They write at once, and each thread writes its lines in pieces."""
    fleet.start_node(concurrency=1, TASKFLOW_TASKS=BOTH)
    handle = tasks.many_lines.trigger(300)
    handle.result(timeout=40)
    names = [f"thread{number}" for number in range(4)] + [f"program{number}" for number in range(3)]
    messages = [message for _, message in said(fleet, handle.id)]
    for name in names:
        assert [each for each in messages if each.startswith(name)] == [f"{name} {number}" for number in range(300)]
    assert len(messages) == 300 * 7


@pytest.mark.timeout(90)
def test_what_a_run_does_to_streams_and_logging_does_not_reach_the_next(fleet: Fleet) -> None:
    """Both run in the same process. The lines that follow a change of the logging configuration are kept, too."""
    fleet.start_node(concurrency=1, TASKFLOW_TASKS=BOTH)
    ways = ("close", "replace", "detach", "descriptors", "basicConfig", "dictConfig")
    for way in ways:
        spoiler = tasks.spoils.trigger(way)
        pid = spoiler.result(timeout=20)
        next_run = tasks.says.trigger(way)
        assert next_run.result(timeout=20) == pid
        assert sorted(said(fleet, next_run.id)) == [
            ("shop.orders", "logged"),
            ("stderr", "of an error"),
            ("stderr", "to stderr"),
            ("stdout", "by a program"),
            ("stdout", f"printed {way}"),
        ], way
        if way.endswith("Config"):
            assert said(fleet, spoiler.id) == [("shop.orders", f"configured by {way}")]


@pytest.mark.timeout(60)
def test_prints_of_coroutines_go_to_the_run_that_prints(fleet: Fleet) -> None:
    """Fifty runs print in pieces, while another closes the streams of their process."""
    fleet.start_node(executor="async", concurrency=60, TASKFLOW_TASKS=BOTH)
    handles = [tasks.aprints.trigger(number) for number in range(50)]
    tasks.aspoils.trigger("close").result(timeout=20)
    for handle in handles:
        handle.result(timeout=20)
    for way in ("close", "replace"):
        tasks.aspoils.trigger(way).result(timeout=20)
    handles += [tasks.aprints.trigger(number) for number in range(50, 60)]
    for number, handle in enumerate(handles):
        handle.result(timeout=20)
        expected = [f"run {number} ends", f"thread of {number}", f"without a break {number}"]
        assert [message for _, message in said(fleet, handle.id)] == expected
