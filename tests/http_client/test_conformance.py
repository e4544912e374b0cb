"""Verbs do the same on the store and over HTTP: each case runs on both engines."""

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from taskflow import (
    BatchItem,
    BatchItemsError,
    BatchStatus,
    Debounce,
    Queue,
    RunCanceledError,
    RunFailedError,
    RunFilter,
    RunStatus,
    ScheduleNotFoundError,
    TaskflowError,
    TokenStatus,
    batch,
    idempotency_keys,
    queues,
    runs,
    schedules,
    streams,
    tasks,
    wait,
)
from taskflow.seams.current_application import CURRENT
from taskflow.seams.engine import Application
from tests.http_client.conftest import MakeClient, Served
from tests.projects.client_tasks import Order, Receipt, buy, count, fail, nap, nothing, parts, tick
from tests.support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("application")


def test_a_run_is_triggered_and_its_typed_result_comes() -> None:
    handle = buy.trigger(Order(number=21), tags=["a,b", "shop"], metadata={"who": "me"}, priority=1.5)
    assert handle.result(20) == Receipt(total=42)
    run = handle.retrieve()
    assert (run.status, handle.status()) == (RunStatus.COMPLETED, RunStatus.COMPLETED)
    assert (run.payload, run.output) == ({"number": 21, "note": ""}, {"total": 42})
    assert (run.tags, run.metadata, run.priority) == (("shop", "a,b"), {"who": "me"}, 1.5)
    assert [attempt.number for attempt in run.attempts] == [1]
    assert nothing.trigger().result(20) is None
    assert tasks.trigger("hc-buy", {"number": 1}).result(20) == {"total": 2}


async def test_the_twins_do_the_same_in_an_event_loop() -> None:
    handle = await buy.atrigger(Order(number=2))
    assert await handle.aresult(20) == Receipt(total=4)
    assert (await handle.aretrieve()).status is await handle.astatus()
    several = await asyncio.gather(*(nap.atrigger(0.1) for _ in range(20)))
    assert await asyncio.gather(*(each.aresult(20) for each in several)) == [each.id for each in several]
    made = await buy.abatch_trigger([Order(number=1), Order(number=2)])
    assert [result.output for result in await made.aresults(20)] == [Receipt(total=2), Receipt(total=4)]
    assert [run.status async for run in (await nap.atrigger(0.1)).asubscribe()][-1] is RunStatus.COMPLETED


def test_a_failed_run_raises_its_error_and_a_canceled_one_too() -> None:
    handle = fail.trigger("out of paper")
    with pytest.raises(RunFailedError, match="ValueError: out of paper") as raised:
        handle.result(20)
    assert (raised.value.status, raised.value.type, raised.value.message) == ("FAILED", "ValueError", "out of paper")
    assert "client_tasks.py" in raised.value.traceback
    assert len(handle.retrieve().attempts) == 2
    delayed = nap.trigger(1.0, delay="1h")
    assert (delayed.cancel(), delayed.cancel()) == (True, False)
    with pytest.raises(RunCanceledError):
        delayed.result(20)


def test_every_option_arrives() -> None:
    """Also durations below a second, which the official client's texts cannot carry."""
    due = datetime.now(UTC) + timedelta(hours=3)
    run = nap.trigger(
        1.0, delay=due, queue=Queue("hc-other"), concurrency_key=7, machine="small-2x", ttl=90.5, max_attempts=7,
        max_duration=1.25, idempotency_key=f"key-{uuid4()}", idempotency_key_ttl=0.75, test=True,
    ).retrieve()  # fmt: skip
    assert (run.queue, run.concurrency_key, run.machine) == ("hc-other", "7", "small-2x")
    assert (run.ttl, run.max_duration) == (timedelta(seconds=90.5), timedelta(seconds=1.25))
    assert (run.max_attempts, run.is_test) == (7, True)
    assert run.due_at is not None
    assert abs(run.due_at - due) < timedelta(milliseconds=2)
    key = f"slow-{uuid4()}"
    first = nap.trigger(1.0, debounce=Debounce(key, 600.25, mode="trailing", max_delay="20m"))
    again = nap.trigger(2.0, debounce=Debounce(key, 600.25, mode="trailing", max_delay="20m"))
    assert (again.id, again.is_cached, again.retrieve().payload) == (first.id, True, 2.0)
    for handle in (runs.handle(run.id), first):
        handle.cancel()


def test_a_key_of_one_engine_is_the_same_key_for_the_other(served: Served, make_client: MakeClient) -> None:
    """A shop may trigger over HTTP and on the store."""
    plain, several = f"k-{uuid4()}", idempotency_keys.create(["order", str(uuid4())])
    first = [buy.trigger(Order(number=1), idempotency_key=key) for key in (plain, several)]
    made = buy.batch_trigger([Order(number=1)], idempotency_key=plain)
    CURRENT.application = make_client() if CURRENT.application is served.flow else served.flow
    second = [buy.trigger(Order(number=1), idempotency_key=key) for key in (plain, several)]
    assert [handle.id for handle in second] == [handle.id for handle in first]
    assert all(handle.is_cached for handle in second)
    again = buy.batch_trigger([Order(number=1)], idempotency_key=plain)
    assert (again.id, again.run_ids) == (made.id, made.run_ids)


def test_runs_are_replayed_rescheduled_and_tagged() -> None:
    handle = nap.trigger(0.0, delay="1h", tags="first")
    due = handle.reschedule("2h")
    assert handle.retrieve().due_at == due
    assert runs.add_tags(handle.id, [f"t{number}" for number in range(10)]) == 1
    handle.cancel()
    again = handle.replay()
    assert again.result(20) == again.id
    assert again.retrieve().replay_of == handle.id


def test_runs_are_listed_counted_and_changed_by_filter() -> None:
    tag = f"list-{uuid4()}"
    ids = [nap.trigger(1.0, delay="1h", tags=tag).id for _ in range(3)]
    where = RunFilter(
        tag=tag, status=[RunStatus.DELAYED], task="hc-sleep", created_from=datetime(2020, 1, 1, tzinfo=UTC)
    )
    assert {run.id for run in runs.list(10, where=where)} == set(ids)
    assert runs.count(["status", "task"], where=where) == {("DELAYED", "hc-sleep"): 3}
    seen: list[int] = []
    action = runs.bulk_cancel(where=where, on_progress=lambda it: seen.append(it.success))
    assert (action.total, action.success, seen) == (3, 3, [3])
    again = runs.bulk_cancel([*ids, "run_00123"])
    assert {failure.run_id for failure in again.failures} == {*ids, "run_00123"}
    replayed = runs.bulk_replay(ids[:2])
    assert [result.status for result in map(runs.retrieve, replayed.run_ids)]
    for run_id in replayed.run_ids:
        runs.cancel(run_id)


def test_a_batch_has_the_runs_and_errors_of_its_items() -> None:
    made = buy.batch_trigger([Order(number=1), {"number": "x"}, BatchItem(Order(number=3), tags="third")])  # type: ignore[list-item]  # a mistake
    assert [(error.index, error.task_id, error.type) for error in made.errors] == [(1, "hc-buy", "PayloadError")]
    mixed = batch.trigger([(buy, Order(number=1)), ("hc-fail", BatchItem("x", max_attempts=1)), ("hc-nothing", None)])
    first, wrong, third = made.results(20)
    assert (first.output, wrong.ok, third.output) == (Receipt(total=2), False, Receipt(total=6))
    assert [result.status for result in mixed.results(20)] == ["COMPLETED", "FAILED", "COMPLETED"]
    record = made.retrieve()
    assert (record.status, record.item_count, record.run_ids) == (BatchStatus.COMPLETED, 3, made.run_ids)
    assert runs.retrieve(made.run_ids[1]).tags == ("shop", "third")
    with pytest.raises(BatchItemsError, match="1 of 2 items") as refused:
        buy.batch_trigger([Order(number=1), {}], atomic=True)  # type: ignore[list-item]  # a mistake
    assert [error.index for error in refused.value.errors] == [1]
    assert len(buy.batch_trigger([]).results(5)) == 0


def test_queues_and_the_environment_are_seen_and_changed() -> None:
    assert "hc-sleepers" in [state.name for state in queues.list()]
    queues.override_concurrency_limit("hc-sleepers", 3)
    state = queues.retrieve("hc-sleepers")
    assert (state.concurrency_limit, state.declared_limit, state.overridden_at is not None) == (3, 50, True)
    queues.reset_concurrency_limit("hc-sleepers")
    queues.pause("hc-sleepers")
    try:
        held = nap.trigger(0.0)
        reason, paused_at = held.retrieve().reason, queues.retrieve("hc-sleepers").paused_at
    finally:
        queues.resume("hc-sleepers")
    assert reason is not None
    assert (reason.code, reason.details["since"]) == ("queue_paused", paused_at)
    assert held.result(20) == held.id
    queues.pause_environment()
    try:
        assert queues.environment().is_paused
    finally:
        queues.resume_environment()
    assert not queues.environment().is_paused


def test_tokens_are_made_completed_and_listed() -> None:
    tag, key = f"token-{uuid4()}", f"token-{uuid4()}"
    token = wait.create_token(Order, tags=tag, timeout="1h", idempotency_key=key)
    assert wait.create_token(Order, idempotency_key=key).id == token.id
    record = wait.retrieve_token(token)
    assert (record.status, record.tags, record.idempotency_key) == (TokenStatus.WAITING, (tag,), key)
    assert record.schema is not None
    assert wait.complete_token(token, Order(number=3)) is True
    assert wait.complete_token(token, Order(number=4)) is False
    assert wait.retrieve_token(token.id).output == {"number": 3, "note": ""}
    assert [each.id for each in wait.list_tokens(tags=tag, status="COMPLETED")] == [token.id]


def test_schedules_are_made_changed_and_run() -> None:
    key = f"nightly-{uuid4()}"
    made = schedules.create(
        tick, cron="0 3 * * *", timezone="Europe/Berlin", jitter="10m", deduplication_key=key, external_id="c1"
    )
    assert (made.jitter, made.description, made.is_active) == (timedelta(minutes=10), "At 03:00", True)
    assert schedules.create("hc-tick", every=90.5, jitter="30%", deduplication_key=key).id == made.id
    changed = schedules.update(made.id, every=timedelta(minutes=2), overlap="skip")
    assert (changed.every, changed.jitter, changed.overlap) == (timedelta(minutes=2), "30%", "skip")
    assert schedules.retrieve(made.id) == changed
    assert schedules.deactivate(made.id).next_run is None
    assert schedules.activate(made.id).next_run is not None
    assert made.id in [each.id for each in schedules.list(task=tick)]
    start = datetime.now(UTC) + timedelta(days=1)
    with_payload = schedules.create("hc-sleep", every="1h", payload=0.01, start=start)
    assert (with_payload.payload, with_payload.rule.after(start)) == (0.01, with_payload.next_run)
    assert schedules.update(with_payload.id, payload=0.02).payload == 0.02
    schedules.delete(with_payload.id)
    assert schedules.run_now(made.id).result(20) == made.id
    schedules.delete(made.id)
    with pytest.raises(ScheduleNotFoundError):
        schedules.retrieve(made.id)


def test_a_run_is_followed_to_its_end_with_its_lines_and_items() -> None:
    handle = nap.trigger(0.2)
    seen = [run.status for run in handle.subscribe()]
    assert seen[-1] is RunStatus.COMPLETED
    assert handle.retrieve().metadata == {"slept": 0.2}
    bought = buy.trigger(Order(number=9))
    bought.result(20)
    lines = wait_until(lambda: list(bought.logs()), "the line of the run")
    assert [(line.message, line.fields, line.attempt) for line in lines] == [("bought", {"number": 9}, 1)]
    counted = count.trigger(3)
    assert list(parts.read(counted.id)) == [0, 1, 2]
    assert list(parts.read(counted.id, start_index=2)) == [2]
    assert counted.result(20) == 3
    delayed = nap.trigger(1.0, delay="1h")
    streams.define("hc-notes", str).append("hello", target=delayed.id)
    notes = streams.define("hc-notes", str).read(delayed.id, timeout=5)
    assert next(notes) == "hello"
    notes.close()
    streams.input("hc-orders", int).send(delayed.id, 5)
    delayed.cancel()


WRONG: dict[str, Callable[[], object]] = {
    "run": lambda: runs.retrieve("run_00none"),
    "no id": lambda: runs.retrieve(""),
    "two dots": lambda: runs.retrieve(".."),
    "an id with a slash": lambda: runs.cancel("a/b%2Fc"),
    "half a character": lambda: runs.handle("run_\ud800").status(),
    "a batch with a slash": lambda: batch.retrieve("batch/x"),
    "cancel": lambda: runs.cancel("run_00none"),
    "result": lambda: runs.handle("run_00none").result(5),
    "replay": lambda: runs.replay("run_00none"),
    "journal": lambda: runs.replay(buy.trigger(Order(number=1), delay="1h").id, keep_journal=True),
    "reschedule": lambda: runs.reschedule(_finished(), "1h"),
    "subscribe": lambda: list(runs.subscribe("run_00none")),
    "logs": lambda: list(runs.logs("run_00none")),
    "stream": lambda: list(parts.read("run_00none")),
    "closed stream": lambda: parts.append(1, target=_finished()),
    "silence": lambda: list(parts.read(nap.trigger(1.0, delay="1h").id, timeout=0.1)),
    "batch": lambda: batch.retrieve("batch_00none"),
    "queue": lambda: queues.retrieve("hc-none"),
    "pause": lambda: queues.pause("hc-none"),
    "token": lambda: wait.complete_token("token_00none"),
    "token's type": lambda: wait.complete_token(wait.create_token(int).id, "x"),
    "payload": lambda: buy.trigger({"number": "x"}),  # type: ignore[arg-type]  # a mistake
    "machine": lambda: buy.trigger(Order(number=1), machine="huge"),
    "cursor": lambda: runs.list(10, cursor="x"),
    "tokens' cursor": lambda: wait.list_tokens(cursor="x"),
    "schedule": lambda: schedules.delete("sched_none"),
    "schedule's task": lambda: schedules.create("hc-none", every="1h"),
    "late": lambda: nap.trigger(30.0, delay="1h").result(0.1),
}


@pytest.mark.parametrize("call", WRONG)
def test_a_wrong_call_raises_the_same_error_as_on_the_store(
    call: str, application: Application, served: Served, make_client: MakeClient
) -> None:
    """Its type, its message and its facts, except for the ids and times of what the call has made."""
    here = _raised(call)
    CURRENT.application = make_client() if application is served.flow else served.flow
    assert _raised(call) == here


def _finished() -> str:
    handle = nothing.trigger()
    handle.result(20)
    return handle.id


def _raised(call: str) -> tuple[object, ...]:
    with pytest.raises(TaskflowError) as raised:
        WRONG[call]()
    error = raised.value
    made = [str(value) for name, value in vars(error).items() if name in ("run_id", "token_id")]
    message, facts = str(error), str({name: str(value) for name, value in sorted(vars(error).items())})
    for each in (*made, *re.findall(r"run_[0-9a-f]{33}", message)):
        message, facts = message.replace(each, "..."), facts.replace(each, "...")
    return type(error), message, facts
