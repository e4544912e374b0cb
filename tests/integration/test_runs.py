"""One run on real nodes, with the store and with RabbitMQ as broker."""

import asyncio
import json
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from celery import Celery

from taskflow import (
    AttemptOutcome,
    BlockingCallError,
    DefinitionError,
    PayloadError,
    PayloadTooLargeError,
    ResultTimeoutError,
    RunCanceledError,
    RunFailedError,
    RunStatus,
    TriggerOptionError,
    runs,
)
from taskflow import tasks as by_id
from tests.conftest import StartFleet
from tests.projects import fleet_tasks as tasks
from tests.support.fleet import Fleet
from tests.support.measured_time import measured_unit
from tests.support.processes import is_alive
from tests.support.servers import RabbitServer, RedisServer
from tests.support.waiting import wait_until

OUTCOME = AttemptOutcome


@pytest.mark.timeout(60)
def test_runs_of_a_process_node_end_as_their_code_says(fleet: Fleet) -> None:
    """The thinnest path through every layer, and each way in which an attempt can end."""
    fleet.start_node()
    assert tasks.echo.trigger({"a": [1, "ü"]}).result(timeout=10) == {"a": [1, "ü"]}

    flaky = tasks.flaky.trigger(3)
    assert flaky.result(timeout=10) == 3
    attempts = flaky.retrieve().attempts
    assert [(a.number, a.outcome) for a in attempts] == [
        (1, OUTCOME.FAILED),
        (2, OUTCOME.FAILED),
        (3, OUTCOME.COMPLETED),
    ]
    assert attempts[0].error is not None
    assert (attempts[0].error.type, attempts[0].error.message) == ("ConnectionError", "attempt 1")
    assert "fleet_tasks.py" in attempts[0].error.traceback
    assert "taskflow/worker" not in attempts[0].error.traceback
    assert all(a.finished_at and a.started_at <= a.finished_at for a in attempts)

    failed = tasks.flaky.trigger(9, max_attempts=2)
    with pytest.raises(RunFailedError) as raised:
        failed.result(timeout=10)
    assert (raised.value.status, raised.value.type, raised.value.message) == ("FAILED", "ConnectionError", "attempt 2")
    assert "fleet_tasks.py" in raised.value.traceback
    assert len(failed.retrieve().attempts) == 2

    aborted = tasks.signals.trigger("abort")
    with pytest.raises(RunFailedError, match="no use in trying again"):
        aborted.result(timeout=10)
    assert len(aborted.retrieve().attempts) == 1

    assert tasks.signals.trigger("exit").result(timeout=10) == "second"
    memory = tasks.signals.trigger("memory")
    with pytest.raises(RunFailedError) as crashed:
        memory.result(timeout=10)
    assert crashed.value.status == "CRASHED"

    after = tasks.signals.trigger("after")
    assert after.result(timeout=10) == "second"
    first, second = after.retrieve().attempts
    assert first.finished_at is not None
    assert second.started_at - first.finished_at >= timedelta(seconds=1)

    with pytest.raises(RunFailedError, match=r"\$\.items\[1\]\.file is of type TextIOWrapper"):
        tasks.unserializable.trigger(None).result(timeout=10)


@pytest.mark.timeout(60)
def test_runs_of_an_async_node_end_as_their_code_says(fleet: Fleet) -> None:
    """They do the same through the asyncio pool, many at a time, and from coroutines."""
    node = fleet.start_node(executor="async", concurrency=50)
    handles = [tasks.async_sleep.trigger(tasks.Nap(seconds=0.1)) for _ in range(200)]
    assert [handle.result(timeout=20) for handle in handles] == [handle.id for handle in handles]
    assert [a.outcome for a in handles[0].retrieve().attempts] == [OUTCOME.COMPLETED]

    async def from_a_coroutine() -> None:
        handle = await tasks.async_flaky.atrigger(2)
        assert await handle.aresult(timeout=10) == 2
        assert await handle.astatus() is RunStatus.COMPLETED
        assert len((await handle.aretrieve()).attempts) == 2
        for verb in (handle.status, handle.result, handle.retrieve, handle.cancel):
            with pytest.raises(BlockingCallError):
                verb()
        long = await tasks.async_sleep.atrigger(tasks.Nap(seconds=30))
        with pytest.raises(ResultTimeoutError):
            await long.aresult(timeout=0.3)
        assert await long.acancel()
        with pytest.raises(RunCanceledError):
            await long.aresult(timeout=5)

    asyncio.run(from_a_coroutine())
    assert "Traceback" not in node.output()


@pytest.mark.timeout(60)
def test_an_executing_child_is_canceled_with_all_it_spawned(fleet: Fleet) -> None:
    """The node goes on, and the slot is free for the next run."""
    node = fleet.start_node()
    spawning = tasks.spawn_sleep.trigger(60.0)
    wait_until(lambda: any(line[0] == "spawned" for line in fleet.ledger()), "the task to spawn")
    spawned = int(next(line[2] for line in fleet.ledger() if line[0] == "spawned"))
    one = tasks.one.trigger(tasks.Nap(seconds=60))
    wait_until(lambda: one.status() is RunStatus.EXECUTING, "the run to start")
    waiting = tasks.one.trigger(tasks.Nap())
    assert spawning.cancel()
    assert one.cancel()
    assert not one.cancel()
    assert waiting.result(timeout=10) == 1
    wait_until(lambda: not is_alive(spawned), "the spawned process to die")
    assert [a.outcome for a in one.retrieve().attempts] == [OUTCOME.CANCELED]
    assert node.process.poll() is None


@pytest.mark.timeout(60)
def test_a_dead_child_costs_less_than_a_second(fleet: Fleet) -> None:
    """The next attempt starts at once, and the node goes on."""
    node = fleet.start_node()
    with measured_unit() as unit:
        handle = tasks.signals.trigger("die")
        assert handle.result(timeout=10) == "second"
    lost, again = handle.retrieve().attempts
    assert (lost.outcome, again.outcome) == (OUTCOME.LOST, OUTCOME.COMPLETED)
    assert lost.error is not None
    assert "signal 9" in lost.error.message
    starts = [float(line[4]) for line in fleet.ledger() if line[0] == "start"]
    assert starts[1] - starts[0] < unit.times(20)
    assert node.process.poll() is None


@pytest.mark.timeout(60)
def test_memory_beyond_the_machine_ends_the_child_or_moves_the_run(
    start_fleet: StartFleet, valkey: RedisServer
) -> None:
    """The run is CRASHED, or is retried on a machine with more memory when its task declares that."""
    fleet = start_fleet(valkey.url)
    fleet.start_node()
    fleet.start_node("small-2x")
    with pytest.raises(RunFailedError) as raised:
        tasks.eat.trigger(700).result(timeout=30)
    assert (raised.value.status, raised.value.type) == ("CRASHED", "OutOfMemory")
    larger = tasks.eat_larger.trigger(700)
    assert larger.result(timeout=30) == f"{700 << 20} on small-2x"
    assert [a.outcome for a in larger.retrieve().attempts] == [OUTCOME.FAILED, OUTCOME.COMPLETED]


@pytest.mark.timeout(60)
def test_a_plain_celery_message_becomes_a_run(fleet: Fleet) -> None:
    """It comes from the app, or from a producer that only has a broker and a queue. A wrong payload fails the run."""
    node = fleet.start_node()
    sent = fleet.flow.celery.send_task("t-flaky", args=[2])
    wait_until(lambda: _is_completed(sent.id), "the adopted run to complete")
    run = runs.retrieve(sent.id)
    assert (run.task_id, run.payload, run.output, len(run.attempts)) == ("t-flaky", 2, 2, 2)
    queue = f"{fleet.environment}.small-1x.process"
    plain = Celery("other", broker=fleet.flow.celery.conf.broker_write_url, set_as_current=False)
    plain.conf.task_default_exchange_type = "direct"
    with plain.connection_for_write() as connection, fleet.flow.celery.amqp.Producer(connection) as producer:
        other = fleet.flow.celery.send_task("t-one", args=[{"seconds": 0}], queue=queue, producer=producer)
    wait_until(lambda: _is_completed(other.id), "the other adopted run to complete")
    wrong = fleet.flow.celery.send_task("t-flaky", args=["SECRET-VALUE"])
    wait_until(lambda: _has_status(wrong.id, RunStatus.FAILED), "the run of the wrong message to fail")
    assert "SECRET-VALUE" not in node.output()


def test_a_plain_celery_message_is_adopted_while_replicas_are_away(
    start_fleet: StartFleet, valkey: RedisServer
) -> None:
    """Its node must not wait for replicas, because control commands and other tickets would wait too."""
    fleet = start_fleet(valkey.url, store_replicas=1, connect_timeout=60)  # a trigger waits so long for replicas
    node = fleet.start_node()
    sent = fleet.flow.celery.send_task("t-echo", args=[1])
    wait_until(lambda: _is_completed(sent.id), "the adopted run to complete")
    assert "message.returned" not in node.output()


def test_bad_input_is_refused_before_anything_is_written(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """The error has a remedy, and the store stays empty."""
    fleet = start_fleet(valkey.url, is_new=True)
    with pytest.raises(PayloadError):
        by_id.trigger("t-sleep", {"seconds": "long"})
    with pytest.raises(PayloadTooLargeError):
        tasks.echo.trigger("x" * 3_000_001)
    with pytest.raises(TriggerOptionError):
        tasks.echo.trigger(1, delay=-1)
    with pytest.raises(TriggerOptionError):
        tasks.echo.trigger(1, tags=["x" * 129])
    with pytest.raises(DefinitionError, match="small-1x"):
        tasks.echo.trigger(1, machine="smal-1x")
    client = valkey.client()
    assert client.execute_command("KEYS", f"*{fleet.environment}*") == []
    client.close()


def test_trigger_options_make_the_run_that_they_say(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """The record has them. No worker is needed."""
    start_fleet(valkey.url)
    run = tasks.echo.trigger(1, tags=["a", "b"], machine="large-1x", queue="other", max_attempts=7).retrieve()
    assert (run.tags, run.machine, run.queue, run.max_attempts) == (("a", "b"), "large-1x", "other", 7)
    at = datetime.now(UTC) + timedelta(hours=1)
    delayed = tasks.echo.trigger(1, delay=at).retrieve()
    assert delayed.status is RunStatus.DELAYED
    assert delayed.due_at is not None
    assert abs(delayed.due_at - at) <= timedelta(milliseconds=1)
    first = tasks.echo.trigger(1, idempotency_key="k")
    assert tasks.echo.trigger(2, idempotency_key="k") == first
    assert {listed.id for listed in runs.list()} >= {first.id, delayed.id}
    assert runs.cancel(first.id)
    assert runs.retrieve(first.id).status is RunStatus.CANCELED


@pytest.mark.timeout(60)
def test_a_ticket_on_the_broker_names_exchange_routing_key_and_queue(fleet: Fleet, valkey: RedisServer) -> None:
    """A client of the broker sees the names that the user chose."""
    node = fleet.start_node("large-1x")  # declares the queues on RabbitMQ
    node.stop()
    handle = tasks.heavy.trigger(tasks.Nap())
    queue = f"{fleet.environment}.large-1x.process"
    with fleet.flow.celery.connection_for_read() as connection, connection.channel() as channel:
        message = cast("Any", channel).basic_get(queue, no_ack=True)
    assert message is not None
    delivery = message.delivery_info
    assert (delivery["exchange"], delivery["routing_key"]) == ("taskflow", queue)
    assert message.headers["id"] == handle.id
    assert message.headers["task"] == "t-heavy"
    assert json.loads(message.headers["argsrepr"]) == {"seconds": 0.0, "again": None}
    assert message.headers["taskflow"] == {"reservation": 1}


@pytest.mark.timeout(60)
def test_heavy_work_runs_on_its_machine_class_and_a_limited_queue_has_its_node(fleet: Fleet) -> None:
    """The machine routes a run. ``--concurrency`` of a limited queue's own node is its limit."""
    small, large = fleet.start_node(), fleet.start_node("large-1x", concurrency=1)
    own = fleet.start_node(queue="t-three", concurrency=3)
    heavy = tasks.heavy.trigger(tasks.Nap())
    limited = [tasks.three.trigger(tasks.Nap(seconds=0.1)) for _ in range(6)]
    assert heavy.result(timeout=10) == "large-1x"
    assert heavy.retrieve().attempts[0].node.startswith(large.name)
    assert [handle.result(timeout=10) for handle in limited] == [1] * 6
    assert all(handle.retrieve().attempts[0].node.startswith(own.name) for handle in limited)
    stats = fleet.flow.celery.control.inspect(timeout=3).stats() or {}
    sizes = {name.split("@")[0]: stat["pool"]["max-concurrency"] for name, stat in stats.items()}
    assert sizes[own.name] == 3
    assert small.process.poll() is None


def test_celery_shows_the_retry_options_of_every_task(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """The retry options are those of Celery's autoretry with backoff."""
    fleet = start_fleet(valkey.url)
    for task in fleet.flow.registry:
        celery_task: Any = fleet.flow.celery.tasks[task.id]
        retry = task.retry
        assert celery_task.autoretry_for == (Exception,)
        assert celery_task.max_retries == retry.max_attempts - 1
        assert celery_task.retry_backoff == retry.min_delay.total_seconds()
        assert celery_task.retry_backoff_max == retry.max_delay.total_seconds()
        assert celery_task.retry_jitter is retry.randomize


@pytest.mark.timeout(90)
def test_a_queue_of_one_is_one_at_a_time_in_order_over_three_nodes(fleet: Fleet) -> None:
    """An independent ledger shows it."""
    for _ in range(3):
        fleet.start_node()
    handles = [tasks.one.trigger(tasks.Nap(seconds=0.02)) for _ in range(30)]
    for handle in handles:
        handle.result(timeout=30)
    lines = fleet.ledger()
    assert [line[0] for line in lines] == ["start", "end"] * 30
    assert [line[1] for line in lines if line[0] == "start"] == [handle.id for handle in handles]


@pytest.mark.timeout(90)
def test_a_class_without_a_worker_does_not_block_its_queue(fleet: Fleet) -> None:
    """A queue of limit 1 is shared by two machines, the first of which has no worker."""
    fleet.start_node()
    first = tasks.one_large.trigger(tasks.Nap())
    assert tasks.one.trigger(tasks.Nap()).result(timeout=5) == 1
    assert first.status() is RunStatus.QUEUED
    fleet.start_node("large-1x")
    began = time.monotonic()
    with measured_unit() as unit:
        assert first.result(timeout=20) == 1
    assert time.monotonic() - began < unit.times(40)


@pytest.mark.timeout(60)
def test_delayed_runs_are_on_no_broker_and_in_no_worker(fleet: Fleet) -> None:
    """A thousand of them cost only their records."""
    node = fleet.start_node()
    for _ in range(1000):
        tasks.echo.trigger(1, delay="1h")
    queue = f"{fleet.environment}.small-1x.process"
    assert not fleet.flow.publisher.queue_length(queue)
    soon = tasks.echo.trigger("soon", delay=1)
    assert soon.result(timeout=5) == "soon"
    assert len([line for line in fleet.ledger() if line[0] == "start"]) == 1
    assert node.process.poll() is None


@pytest.mark.interpreter
@pytest.mark.timeout(60)
def test_sigterm_puts_unclaimed_tickets_back_and_finishes_what_runs(fleet: Fleet) -> None:
    """All tickets without a claim are on the broker before the node exits."""
    node = fleet.start_node(concurrency=1)
    running = tasks.sleep.trigger(tasks.Nap(seconds=2))
    wait_until(lambda: running.status() is RunStatus.EXECUTING, "the run to start")
    waiting = [tasks.sleep.trigger(tasks.Nap()) for _ in range(5)]
    assert node.stop() == 0
    assert running.status() is RunStatus.COMPLETED
    assert {handle.status() for handle in waiting} == {RunStatus.QUEUED}
    queue = f"{fleet.environment}.small-1x.process"
    wait_until(lambda: (fleet.flow.publisher.queue_length(queue) or 0) >= 5, "the tickets to be back", timeout=5)
    fleet.start_node()
    for handle in waiting:
        handle.result(timeout=10)


@pytest.mark.timeout(60)
def test_a_ticket_of_a_run_whose_record_is_gone_is_dropped(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """It names a run, so it must not be adopted as a plain message and run again."""
    fleet = start_fleet(valkey.url)
    handle = tasks.echo.trigger(1)
    queue = f"{fleet.environment}.small-1x.process"
    client = valkey.client()
    ticket = client.execute_command("LINDEX", queue, 0)
    node = fleet.start_node()
    handle.result(timeout=10)
    client.execute_command("DEL", f"{{tf:{fleet.environment}:0}}:run:{handle.id}")
    client.execute_command("LPUSH", queue, ticket)
    client.close()
    wait_until(lambda: "ticket.dropped" in node.output(), "the ticket to be dropped")
    assert len([line for line in fleet.ledger() if line[0] == "start"]) == 1


@pytest.mark.timeout(60)
def test_no_visibility_timeout_runs_anything_twice(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """Celery on Redis would start a run of 8 s again after 5 s of visibility timeout."""
    fleet = start_fleet(valkey.url)
    fleet.start_node(TEST_VISIBILITY_TIMEOUT="2")
    fleet.start_node(TEST_VISIBILITY_TIMEOUT="2")
    tasks.sleep.trigger(tasks.Nap(seconds=8)).result(timeout=20)
    assert [line[0] for line in fleet.ledger()] == ["start", "end"]


@pytest.mark.timeout(60)
def test_celery_events_name_the_task_and_the_run(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """Flower and every monitor of Celery need these events, for both executors."""
    fleet = start_fleet(valkey.url)
    fleet.start_node(options=("-E",))
    fleet.start_node(executor="async", concurrency=10, options=("-E",))
    state = fleet.flow.celery.events.State()
    kinds: dict[str, list[str]] = {}

    def seen(event: dict[str, object]) -> None:
        state.event(event)
        if "uuid" in event:
            kinds.setdefault(str(event["uuid"]), []).append(str(event["type"]))

    with fleet.flow.celery.connection_for_read() as connection:
        receiver = fleet.flow.celery.events.Receiver(connection, handlers={"*": seen})
        listener = threading.Thread(target=receiver.capture, kwargs={"wakeup": False}, daemon=True)
        listener.start()
        wait_until(lambda: any(w.startswith("n") for w in state.workers), "a worker's heartbeat event", timeout=20)
        flaky, coroutine = tasks.flaky.trigger(2), tasks.async_flaky.trigger(2)
        failed = tasks.async_flaky.trigger(9, max_attempts=1)

        def is_told() -> bool:
            ends = ((flaky, "task-succeeded"), (coroutine, "task-succeeded"), (failed, "task-failed"))
            return all(end in kinds.get(handle.id, []) for handle, end in ends)

        try:
            wait_until(is_told, "the events", timeout=20)
        finally:
            receiver.should_stop = True
            listener.join(5)
    for handle, name in ((flaky, "t-flaky"), (coroutine, "t-async-flaky")):
        assert state.tasks[handle.id].name == name
        assert "task-retried" in kinds[handle.id]
        assert state.tasks[handle.id].args == "2"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("executor", ["process", "async"])
def test_no_ticket_waits_in_a_busy_node(fleet: Fleet, executor: str) -> None:
    """The next free node starts at once a run that a full node cannot start."""
    task = tasks.sleep if executor == "process" else tasks.async_sleep
    fleet.start_node(executor=executor, concurrency=1)
    long = task.trigger(tasks.Nap(seconds=60))
    wait_until(lambda: long.status() is RunStatus.EXECUTING, "the long run to start")
    short = task.trigger(tasks.Nap())
    fleet.start_node(executor=executor, concurrency=1)
    assert short.result(timeout=5) == short.id
    assert long.cancel()


@pytest.mark.timeout(90)
@pytest.mark.parametrize("executor", ["process", "async"])
def test_a_ticket_is_acknowledged_before_rabbitmq_loses_patience(
    start_fleet: StartFleet, valkey: RedisServer, rabbitmq: RabbitServer, executor: str
) -> None:
    """A run may take days. Its busy node gets no ticket that it cannot start, neither then nor later."""
    fleet = start_fleet(valkey.url, rabbitmq.url, ticket_hold=0.5, reservation_timeout=60)
    task = tasks.sleep if executor == "process" else tasks.async_sleep
    node = fleet.start_node(executor=executor, concurrency=1)
    long = task.trigger(tasks.Nap(seconds=6))
    wait_until(lambda: "ticket.acknowledged_early" in node.output(), "the early acknowledgement")
    assert long.status() is RunStatus.EXECUTING
    short = task.trigger(tasks.Nap())
    other = fleet.start_node(executor=executor, concurrency=1)
    assert short.result(timeout=4) == short.id
    other.stop()
    last = task.trigger(tasks.Nap())
    assert (long.result(timeout=20), last.result(timeout=5)) == (long.id, last.id)


def _is_completed(run_id: str) -> bool:
    return _has_status(run_id, RunStatus.COMPLETED)


def _has_status(run_id: str, status: RunStatus) -> bool:
    try:
        return runs.retrieve(run_id).status is status
    except LookupError:
        return False
