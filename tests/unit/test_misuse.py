"""Every verb and option used wrongly, through every door: an error that names the remedy, and nothing is written.

The store of these tests does not exist: whatever tried to reach it would raise ``StoreUnavailableError`` instead.
"""

import asyncio
import inspect
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final, Unpack

import pytest
import typer
from pydantic import BaseModel
from typer.testing import CliRunner

import taskflow
from taskflow import (
    BatchItem,
    BlockingCallError,
    Debounce,
    OutsideRunError,
    PayloadError,
    Queue,
    RunFilter,
    Settings,
    StoreUnavailableError,
    TaskFlow,
    TaskflowError,
    batch,
    idempotency_keys,
    metadata,
    queues,
    runs,
    schedules,
    step,
    streams,
    tags,
    tasks,
    wait,
)
from taskflow.cli.trigger import trigger as cli_trigger
from taskflow.definition.calls.trigger_options import CommitKeywords, TriggerKeywords
from taskflow.definition.registry import declared
from taskflow.verbs.batch_handle import BatchHandle

FAR: Final = 200 * 365 * 86400
HUGE: Final = 10**5000
"""An integer that Python does not turn into text, and no parser of JSON reads."""
DEEP: Final = {"a": json.loads("[" * 250 + "]" * 250)}
LONE: Final = "a\ud800b"
"""A text with half of a surrogate pair: it comes of file names, and of JSON that was cut."""
UNREADABLE: Final = (
    datetime.max.replace(tzinfo=UTC),
    datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-12))),
    datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
    datetime.now(UTC) + timedelta(days=36_600),
)
"""Instants that can't be read back, or that no duration reaches."""
DURATION: Final[tuple[object, ...]] = (
    -1,
    "-1s",
    "soon",
    "1h1h",
    "5 m",
    True,
    math.nan,
    math.inf,
    FAR,
    [5],
    HUGE,
    timedelta.max,
)
MISUSE: Final[Mapping[str, tuple[object, ...]]] = {
    "queue": ("", "a b", "x" * 129, 5, Queue(concurrency_limit=1), True, LONE, "a\0"),
    "concurrency_key": ("", "x" * 513, "a\nb", 1.5, True, ["k"], HUGE, LONE, "a\0b"),
    "machine": ("huge", "", 5, {"cpu": 1}, True, LONE),
    "delay": (*DURATION, datetime(2030, 1, 1), "tomorrow", *UNREADABLE),
    "ttl": DURATION,
    "priority": ("high", math.nan, math.inf, True, [1]),
    "tags": (
        "",
        "x" * 129,
        [""],
        [5],
        [["x"]],
        [f"t{n}" for n in range(11)],
        5,
        True,
        {"a": 1},
        b"ab",
        None,
        [HUGE],
        LONE,
        ["a\0b"],
    ),
    "metadata": (
        "x",
        [1],
        {"a": math.nan},
        {"a": object()},
        {"a": "x" * (256 * 1024)},
        5,
        {1: object()},
        {"a": HUGE},
        {"a": LONE},
        {LONE: 1},
        {"a": {LONE: 1}},
        DEEP,
    ),
    "idempotency_key": ("", "x" * 2049, 5, ["k"], True, HUGE, LONE, "a\0b"),
    "idempotency_key_ttl": DURATION,
    "max_attempts": (0, -1, "3", 1.5, True, HUGE, sys.maxsize + 1),
    "max_duration": DURATION,
    "debounce": ("k", 5, True),
    "test": ("yes", 1, None),
}
"""Values that each option of a trigger refuses."""
CLI: Final[Mapping[str, tuple[str, ...]]] = {
    "queue": ("", "a b"),
    "machine": ("huge", ""),
    "delay": ("soon", "-1s"),
    "tag": ("", "x" * 129),
    "concurrency_key": ("", "x" * 513),
    "ttl": ("soon",),
    "priority": ("high", "nan"),
    "metadata": ("{", "[1]", "5"),
    "idempotency_key": ("", "x" * 2049),
    "idempotency_key_ttl": ("soon",),
    "max_attempts": ("0", "x"),
    "max_duration": ("soon",),
    "timeout": ("-1", "x"),
}
"""Texts that each option of ``taskflow trigger`` refuses."""


class Order(BaseModel):
    """A payload."""

    number: int
    note: str = ""


GOOD: Final = {"number": 1}
Door = Callable[[Any, object, dict[str, Any]], object]
DOORS: Final[Mapping[str, Door]] = {
    "trigger": lambda task, payload, options: task.trigger(payload, **options),
    "atrigger": lambda task, payload, options: asyncio.run(task.atrigger(payload, **options)),
    "tasks.trigger": lambda _, payload, options: tasks.trigger("misused", payload, **options),
    "tasks.atrigger": lambda _, payload, options: asyncio.run(tasks.atrigger("misused", payload, **options)),
    "batch_trigger": lambda task, payload, options: task.batch_trigger([BatchItem(payload, **options)], atomic=True),
    "batch.trigger": lambda task, payload, options: batch.trigger([(task, BatchItem(payload, **options))], atomic=True),
}


@pytest.fixture(scope="module")
def misused() -> Iterator[Any]:
    """A task whose runs would go to a store that does not exist."""
    settings = Settings.read(
        redis_url="redis://127.0.0.1:1/0", connect_timeout=0.05, database_url="none", payload_limit=1000
    )
    with declared.isolated():

        @taskflow.task(id="misused")
        def task(payload: Order) -> None:
            """Never runs."""

        flow = TaskFlow(settings)
        with flow:
            yield task
        flow.close()


def refused(call: Callable[[], object]) -> str:
    """Return what a call is refused with."""
    with pytest.raises(TaskflowError) as error:
        call()
    assert not isinstance(error.value, StoreUnavailableError), "it reached for the store"
    text = str(error.value)
    text.encode()  # it can be printed
    assert len(text) < 1000
    return text


def test_every_option_has_its_misuse() -> None:
    """A new option without a case fails here; all doors have the same options."""
    options = [*TriggerKeywords.__annotations__]
    assert [*MISUSE] == options
    doors: list[Any] = [taskflow.Task[Any, Any].trigger, tasks.trigger]
    assert all(door.__annotations__["options"] == Unpack[CommitKeywords] for door in doors)
    assert {*CommitKeywords.__annotations__} == {*options, "on_commit"}
    twins: list[Any] = [taskflow.Task[Any, Any].atrigger, tasks.atrigger]
    assert all(twin.__annotations__["options"] == Unpack[TriggerKeywords] for twin in twins)
    assert [field.name for field in fields(BatchItem)][1:] == options
    flags = {"task_id", "payload", "app", "wait", "test", "as_json"}
    assert set(CLI) == set(inspect.signature(cli_trigger).parameters) - flags


@pytest.mark.parametrize("option", MISUSE)
def test_a_wrong_option_is_refused_with_its_remedy(misused: Any, option: str) -> None:
    """Whichever way it comes, before anything is written."""
    for door in DOORS.values():
        for value in MISUSE[option]:
            assert option in refused(lambda: door(misused, GOOD, {option: value}))  # noqa: B023 - called at once


@pytest.mark.parametrize("name", DOORS)
def test_an_unknown_option_and_a_wrong_payload_are_refused(misused: Any, name: str) -> None:
    """The near miss is named; a payload is checked for its type and its size."""
    door = DOORS[name]
    assert "'priority'" in refused(lambda: door(misused, GOOD, {"priorty": 1}))
    for payload in ({"number": "x"}, {}, None, 5, object(), {"number": 1, "note": "x" * 1000}):
        text = refused(lambda: door(misused, payload, {}))  # noqa: B023
        assert "misused" in text
    assert "TASKFLOW_PAYLOAD_LIMIT" in refused(lambda: door(misused, {"number": 1, "note": "x" * 1000}, {}))


@pytest.mark.parametrize("option", CLI)
def test_the_command_refuses_what_the_verbs_refuse(misused: Any, option: str) -> None:
    """With the option's name, as the shell wants it or as the verbs say it."""
    for value in CLI[option]:
        result = command(["misused", '{"number": 1}', f"--{option.replace('_', '-')}={value}"])
        told = f"{result.output}{result.exception}"
        assert isinstance(result.exception, TaskflowError) or result.exit_code == 2, told
        assert not isinstance(result.exception, StoreUnavailableError)
        assert option.replace("_", "-") in told or option in told


def test_the_command_refuses_a_wrong_payload_and_an_unknown_option(misused: Any) -> None:
    """Before anything is written."""
    for payload in ("{", '{"number": "x"}', "null"):
        assert isinstance(command(["misused", payload]).exception, PayloadError)
    assert "--priority" in command(["misused", "--priorty=1"]).output


def command(arguments: list[str]) -> Any:
    """Run ``taskflow trigger`` on the app of the tests."""
    app = typer.Typer()
    app.command()(cli_trigger)
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, [*arguments, "-A", "json"])


NAIVE: Final = datetime(2030, 1, 1)
ITEMS: Final = streams.define("items")
ANSWERS: Final = streams.input("answers")
CALLS: Final[Mapping[str, Callable[[Any], object]]] = {
    "timeout 1": lambda _: runs.handle("run_1").result(timeout=-1),
    "timeout 2": lambda _: runs.handle("run_1").result(timeout="soon"),
    "timeout 3": lambda _: asyncio.run(runs.handle("run_1").aresult(timeout=True)),
    "delay 1": lambda _: runs.reschedule("run_1", -1),
    "delay 2": lambda _: runs.reschedule("run_1", NAIVE),
    "delay 4": lambda _: runs.reschedule("run_1", UNREADABLE[0]),
    "timeout 4": lambda _: wait.create_token(timeout=UNREADABLE[0]),
    "timeout 5": lambda _: wait.create_token(timeout=UNREADABLE[1]),
    "key 1": lambda _: idempotency_keys.create(["a", LONE]),
    "key 2": lambda _: Debounce(LONE, "5s"),
    "key 3": lambda _: wait.create_token(idempotency_key=LONE),
    "tags 3": lambda _: wait.create_token(tags=[LONE]),
    "tags 4": lambda _: wait.list_tokens(tags=[LONE]),
    "tags 5": lambda _: runs.add_tags("run_1", [LONE]),
    "token 1": lambda _: wait.retrieve_token(LONE),
    "token 2": lambda _: wait.complete_token(LONE),
    "queue 4": lambda _: queues.pause(LONE),
    "schedule 1": lambda _: schedules.retrieve(LONE),
    "schedule 2": lambda _: schedules.delete(5),  # type: ignore[arg-type]  # no id
    "cron 1": lambda _: schedules.create("t", cron=LONE),
    "cron 2": lambda _: schedules.create("t", cron=["* * * * *"]),  # type: ignore[arg-type]  # no text
    "timezone": lambda _: schedules.create("t", cron="* * * * *", timezone=[1]),  # type: ignore[arg-type]  # no text
    "every": lambda _: schedules.create("t", every=HUGE),
    "task id 2": lambda _: schedules.create(LONE, every="1s"),
    "schedule 3": lambda _: asyncio.run(schedules.aupdate("sched_1", cron="* * * *")),
    "queue 6": lambda _: queues.pause(HUGE),  # type: ignore[arg-type]  # no name
    "queue 5": lambda _: asyncio.run(queues.aretrieve(LONE)),
    "batch 3": lambda _: batch.retrieve(LONE),
    "tag": lambda _: RunFilter(tag=["a", LONE]),
    "error": lambda _: RunFilter(error=LONE),
    "version": lambda _: runs.list(where=RunFilter(version=LONE)),
    "run 6": lambda _: runs.retrieve(LONE),
    "run 7": lambda _: runs.cancel(LONE),
    "run 8": lambda _: runs.replay(LONE),
    "run 9": lambda _: runs.reschedule(LONE, 5),
    "run 10": lambda _: runs.add_tags(LONE, "a"),
    "run 11": lambda _: next(iter(runs.subscribe(LONE))),
    "run 12": lambda _: next(iter(runs.logs(LONE))),
    "run 13": lambda _: runs.bulk_cancel(["run_1", LONE]),
    "run 14": lambda _: runs.handle(LONE).status(),
    "run 15": lambda _: asyncio.run(runs.handle(LONE).aresult()),
    "run 16": lambda _: ITEMS.append(1, target=LONE),
    "run 17": lambda _: next(iter(ITEMS.read(LONE))),
    "index 1": lambda _: ITEMS.read("run_1", start_index=HUGE),
    "index 2": lambda _: ITEMS.aread("run_1", start_index=-1),
    "run 18": lambda _: ANSWERS.send(LONE, 1),
    "task id": lambda _: tasks.trigger(LONE),
    "name": lambda _: streams.define(LONE),
    "step": lambda _: step(LONE, int),
    "limit 7": lambda _: runs.list(HUGE),
    "limit 8": lambda _: wait.list_tokens(limit=HUGE),
    "token": lambda _: wait.complete_token("token_00" + "0" * 32, [HUGE]),
    "delay 3": lambda _: runs.handle("run_1").reschedule(None),  # type: ignore[arg-type]  # as callers without types do
    "tags 1": lambda _: runs.add_tags("run_1", [""]),
    "tags 2": lambda _: runs.add_tags("run_1", 5),  # type: ignore[arg-type]  # no text
    "limit 1": lambda _: runs.list(0),
    "limit 2": lambda _: runs.list(1001),
    "limit 3": lambda _: runs.list("5"),  # type: ignore[arg-type]  # no number
    "limit 4": lambda _: asyncio.run(runs.alist(True)),
    "limit 5": lambda _: queues.override_concurrency_limit("q", 0),
    "limit 6": lambda _: asyncio.run(queues.aoverride_concurrency_limit("q", "5")),  # type: ignore[arg-type]  # no number
    "where 1": lambda _: runs.bulk_cancel(),
    "where 2": lambda _: runs.bulk_replay(["run_1"], where=RunFilter(queue="q")),
    "where 3": lambda _: runs.bulk_cancel(where=RunFilter()),
    "where 4": lambda _: runs.list(where="FAILED"),  # type: ignore[arg-type]  # no filter
    "cursor": lambda _: runs.list(cursor="x"),
    "status 1": lambda _: RunFilter(status="FAILD"),
    "status 2": lambda _: RunFilter(status=["COMPLETED", 5]),  # type: ignore[list-item]  # no status
    "task": lambda _: RunFilter(task=5),  # type: ignore[arg-type]  # no text
    "created_from": lambda _: RunFilter(created_from=NAIVE),
    "created_to": lambda _: RunFilter(created_to="today"),  # type: ignore[arg-type]  # no instant
    "is_test": lambda _: RunFilter(is_test="yes"),  # type: ignore[arg-type]  # neither
    "queue 1": lambda _: queues.pause(""),
    "queue 2": lambda _: queues.resume(5),  # type: ignore[arg-type]  # no name
    "queue 3": lambda _: queues.retrieve(Queue(concurrency_limit=1)),
    "run 1": lambda _: runs.retrieve(5),  # type: ignore[arg-type]  # no id
    "run 2": lambda _: runs.cancel(None),  # type: ignore[arg-type]  # no id
    "run 3": lambda _: asyncio.run(runs.areplay(["run_1"])),  # type: ignore[arg-type]  # no id
    "run 4": lambda _: runs.bulk_cancel([5]),  # type: ignore[list-item]  # no id
    "run 5": lambda _: next(iter(runs.subscribe(5))),  # type: ignore[arg-type]  # no id
    "batch 1": lambda _: batch.retrieve("run_1"),
    "batch 2": lambda _: batch.retrieve(5),  # type: ignore[arg-type]  # no id
    "items 1": lambda task: task.batch_trigger(5),
    "items 2": lambda task: task.batch_trigger("ab"),
    "items 3": lambda task: task.batch_trigger({"number": 1}),
    "items 4": lambda task: task.batch_trigger([GOOD] * 10_001),
    "items 5": lambda task: asyncio.run(task.abatch_trigger(None)),
    "items 6": lambda _: batch.trigger([GOOD], atomic=True),  # type: ignore[list-item]  # no pair
    "abatch_trigger": lambda task: task.batch_trigger(_several()),
    "atomic 1": lambda task: task.batch_trigger([GOOD], atomic="yes"),
    "atomic 2": lambda task: asyncio.run(task.abatch_trigger([GOOD], atomic=1)),
    "idempotency_key": lambda task: task.batch_trigger([GOOD], idempotency_key=""),
    "idempotency_key_ttl": lambda task: tasks.batch_trigger("misused", [GOOD], idempotency_key_ttl=-1),
    "did you mean 'atomic'": lambda task: task.batch_trigger([GOOD], atomc=True),
}
"""Calls of further verbs, by a word that their error has (and a number)."""


async def _several() -> Any:
    yield GOOD


@pytest.mark.parametrize("word", CALLS)
def test_further_verbs_refuse_what_is_not_possible(misused: Any, word: str) -> None:
    """Before anything is asked of the store."""
    text = refused(lambda: CALLS[word](misused))
    assert word.rstrip(" 0123456789").lower() in text.lower()


TEMPLATE: Final = {"ids": ["run_1"], "items": [], "limit": 1}


def blocking_verbs() -> Iterator[tuple[str, str, Callable[[Any], Callable[..., object]]]]:
    """Yield every verb that has an async twin: its name, its twin's, and how it is found."""
    handles: Any = BatchHandle
    owners: dict[str, Callable[[Any], object]] = {
        "runs": lambda _: runs,
        "queues": lambda _: queues,
        "batch": lambda _: batch,
        "tasks": lambda _: tasks,
        "task": lambda task: task,
        "handle": lambda _: runs.handle("run_1"),
        "batch handle": lambda _: object.__new__(handles),
    }
    kinds = (type(runs), type(queues), type(batch), type(tasks), taskflow.Task, type(runs.handle("r")), BatchHandle)
    for (owner, find), kind in zip(owners.items(), kinds, strict=True):
        for name in dir(kind):
            if not name.startswith("_") and hasattr(kind, f"a{name}"):
                yield f"{owner}.{name}", f"a{name}", _found(find, name)


def _found(find: Callable[[Any], object], name: str) -> Callable[[Any], Any]:
    return lambda task: getattr(find(task), name)


VERBS: Final = {name: (twin, find) for name, twin, find in blocking_verbs()}


@pytest.mark.parametrize("name", VERBS)
def test_a_blocking_verb_names_its_twin_where_an_event_loop_runs(misused: Any, name: str) -> None:
    """It would stop every coroutine of the thread."""
    twin, find = VERBS[name]
    verb = find(misused)
    needed = [
        each.name
        for each in inspect.signature(verb).parameters.values()
        if each.default is each.empty and each.kind is each.POSITIONAL_OR_KEYWORD
    ]

    async def call() -> object:
        return verb(**{each: TEMPLATE.get(each, "x") for each in needed})

    with pytest.raises(BlockingCallError, match=twin):
        asyncio.run(call())


def test_there_are_verbs_to_look_at() -> None:
    """A wrong derivation would test nothing."""
    assert len(VERBS) > 30


@pytest.mark.parametrize(
    "call",
    [
        lambda: metadata.set("a", 1),
        lambda: metadata.current(),
        lambda: metadata.parent.increment("a"),
        lambda: tags.add("a"),
    ],
)
def test_what_concerns_an_executing_run_is_refused_elsewhere(call: Callable[[], object]) -> None:
    """It says where to call it."""
    with pytest.raises(OutsideRunError, match="no run executes"):
        call()


@pytest.mark.parametrize("on_commit", [True, "default", 1, object()])
def test_on_commit_is_refused_where_no_database_is_followed(misused: Any, on_commit: object) -> None:
    """It would be ignored, and the run made before the commit."""
    assert "on_commit" in refused(lambda: misused.trigger(GOOD, on_commit=on_commit))
    assert "on_commit" in refused(lambda: misused.batch_trigger([GOOD], on_commit=on_commit))


def test_on_commit_is_refused_by_verbs_that_cannot_wait(misused: Any) -> None:
    """No transaction spans an await."""
    assert "no transaction spans an await" in refused(lambda: asyncio.run(misused.atrigger(GOOD, on_commit=True)))
    assert "no transaction spans an await" in refused(lambda: misused.trigger_and_wait(GOOD, on_commit=True))
    assert "on_commit" in refused(lambda: misused.trigger(GOOD, on_comit=True))
