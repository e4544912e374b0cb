"""Runs whose task or queue no worker has registered wait in PENDING_VERSION, without ticket, slot or running time."""

from datetime import datetime, timedelta
from typing import Any

from taskflow.definition.calls.debounce import Debounce
from taskflow.definition.queue import QueueLimits
from taskflow.models import RunError, RunStatus
from taskflow.store import operations
from taskflow.store.operations.encoding import instant
from taskflow.store.operations.making import declare
from taskflow.store.operations.operation import PER_PASS
from taskflow.store.operations.overviews.tasks import RetryDetails, TaskDetails, read_tasks
from taskflow.store.operations.queues import read_queues
from taskflow.store.operations.registration import TaskRegistration, read_workers
from tests.support.bench import CLASS, Bench

PATIENCE = timedelta(days=1)
REASON = RunError("Canceled", "Canceled by user")
OPEN = "executor machine queue max_attempts ttl max_duration"


def unsure(bench: Bench, queue: str = "task/t", *, doubts: str = "task", **options: Any) -> str:
    """Trigger a run of which the producer doesn't know whether a worker has registered its task, or its queue."""
    return bench.trigger(queue, doubts=doubts, patience=PATIENCE, **options)


def register(bench: Bench, task: str = "t", *, queue: str = "task/t", **options: Any) -> None:
    """Let a worker register a task and its queue, and upkeep see it."""
    limits = options.pop("limits", QueueLimits())
    values: dict[str, Any] = {
        "class_name": CLASS, "max_attempts": 3, "ttl": None, "max_duration": None, "tags": (), "schema_digest": "d",
        "version": "v1",
    }  # fmt: skip
    told = TaskRegistration(id=task, queue=queue, limits=limits, **(values | options))
    bench.run(declare({}, {queue: limits}, by_worker=True, registrations={task: told.to_json()}))
    bench.upkeep()


def test_a_run_of_a_task_that_no_worker_has_registered_is_pending(bench: Bench) -> None:
    """It costs no message, no slot and no place in its queue's load."""
    run_id = unsure(bench, limit=1)
    assert bench.status(run_id) is RunStatus.PENDING_VERSION
    assert bench.published == []
    assert bench.slots("task/t") == set()
    [state] = bench.run(read_queues("task/t"))
    assert (state.pending_version, state.queued, state.delayed) == (1, 0, 0)


def test_registering_a_task_starts_what_waited_for_it_in_the_order_of_triggering(bench: Bench) -> None:
    """More of them than one pass of upkeep takes."""
    bench.node()
    ids = [unsure(bench) for _ in range(PER_PASS + 5)]
    other = unsure(bench, "task/other", doubts="queue")
    register(bench)
    assert [ticket.run_id for ticket in bench.published] == ids
    assert bench.status(ids[0]) is RunStatus.QUEUED
    assert bench.status(other) is RunStatus.PENDING_VERSION
    [state] = bench.run(read_queues("task/t"))
    assert (state.pending_version, state.queued) == (0, len(ids))
    assert not [key for key in bench.redis("KEYS", bench.key("*")) if ":awaiting:task" in str(key)]


def test_a_registered_task_is_known_although_no_worker_is_up(bench: Bench) -> None:
    """Or every restart of the workers would hold runs back."""
    register(bench)
    assert bench.status(unsure(bench)) is RunStatus.QUEUED


def test_a_queue_that_nobody_declared_holds_its_runs_until_a_worker_declares_it(bench: Bench) -> None:
    """A misspelt name must not run without the limit that was meant."""
    bench.node()
    register(bench)
    first, second = (unsure(bench, "invoices", doubts="task queue") for _ in range(2))
    assert {bench.status(first), bench.status(second)} == {RunStatus.PENDING_VERSION}
    register(bench, "u", queue="invoices", limits=QueueLimits(1))
    assert bench.slots("invoices") == {first}
    bench.finish(bench.claim(first))
    assert bench.slots("invoices") == {second}


def test_a_run_that_waits_for_both_starts_with_the_later_of_them(bench: Bench) -> None:
    """Whichever comes first."""
    run_id = unsure(bench, "invoices", doubts="task queue")
    register(bench)
    register(bench, "u", queue="other")
    assert bench.status(run_id) is RunStatus.PENDING_VERSION
    register(bench, "u", queue="invoices")
    assert bench.status(run_id) is RunStatus.QUEUED


def test_a_ttl_counts_from_the_registration(bench: Bench) -> None:
    """As in Trigger.dev: only a run that could start may have waited too long."""
    run_id = unsure(bench, ttl=timedelta(seconds=60))
    bench.pass_time(600)
    bench.upkeep()
    assert bench.status(run_id) is RunStatus.PENDING_VERSION
    register(bench)
    bench.pass_time(59)
    bench.upkeep()
    assert bench.status(run_id) is RunStatus.QUEUED
    bench.pass_time(2)
    bench.upkeep()
    assert bench.status(run_id) is RunStatus.EXPIRED


def test_what_is_left_of_a_delay_follows_the_registration(bench: Bench) -> None:
    """DELAYED until the instant that was asked for; one that is over delays no more."""
    later, over = (unsure(bench, due=timedelta(seconds=seconds)) for seconds in (100, 10))
    assert bench.status(later) is RunStatus.PENDING_VERSION
    bench.pass_time(50)
    register(bench)
    assert (bench.status(later), bench.status(over)) == (RunStatus.DELAYED, RunStatus.QUEUED)
    bench.pass_time(51)
    bench.upkeep()
    assert bench.status(later) is RunStatus.QUEUED


def test_a_pending_run_can_be_canceled(bench: Bench) -> None:
    """And leaves nothing behind that would start it."""
    run_id = unsure(bench)
    assert bench.run(operations.runs.cancel_run(run_id, REASON))
    register(bench)
    assert bench.status(run_id) is RunStatus.CANCELED
    assert bench.published == []
    assert bench.redis("ZCARD", bench.key("timers")) == 0
    assert bench.redis("HGET", bench.key("load"), "pending:task/t") == "0"


def test_patience_ends_with_an_error_that_names_task_and_remedy(bench: Bench) -> None:
    """So that a parent which waits for such a child goes on."""
    run_id = unsure(bench)
    bench.pass_time(PATIENCE.total_seconds() + 1)
    bench.upkeep()
    status, _, error = bench.run(operations.runs.read_result(run_id))
    assert status is RunStatus.EXPIRED
    assert error is not None
    assert "task 't'" in error.message
    assert "Start a worker" in error.message
    register(bench)
    assert bench.status(run_id) is RunStatus.EXPIRED


def test_a_debounced_pending_run_stays_one(bench: Bench) -> None:
    """The second trigger of a key puts it off, as it does with a delayed one."""
    debounce = Debounce("k", delay=timedelta(seconds=10))
    first = unsure(bench, debounce=debounce, due=debounce.delay)
    bench.pass_time(5)
    assert unsure(bench, debounce=debounce, due=debounce.delay) == first
    register(bench)
    assert bench.status(first) is RunStatus.DELAYED
    bench.pass_time(6)
    bench.upkeep()
    assert bench.status(first) is RunStatus.DELAYED


def test_a_trigger_without_the_tasks_code_takes_the_workers_word(bench: Bench) -> None:
    """Before the registration and after it; what the trigger chose itself stays."""
    before = unsure(bench, foreign=OPEN, tags=("mine",), class_name="micro.process")
    chosen = unsure(
        bench, foreign="executor queue", max_attempts=7, class_name="large-1x.process", ttl=timedelta(seconds=5)
    )
    told: dict[str, Any] = {
        "class_name": "small-2x.async",
        "max_attempts": 5,
        "ttl": timedelta(minutes=1),
        "tags": ("theirs",),
    }
    register(bench, queue="shared", limits=QueueLimits(1), **told)
    after = unsure(bench, foreign=OPEN, tags=("mine",))
    for run_id in (before, after):
        run = bench.run(operations.runs.read_run(run_id))
        assert (run.machine, run.executor, run.queue, run.max_attempts) == ("small-2x", "async", "shared", 5)
        assert (run.tags, run.ttl, run.status) == (("theirs", "mine"), timedelta(minutes=1), RunStatus.QUEUED)
    run = bench.run(operations.runs.read_run(chosen))
    assert (run.machine, run.executor, run.max_attempts, run.ttl) == ("large-1x", "async", 7, timedelta(seconds=5))
    [state] = bench.run(read_queues("shared"))
    assert (state.queued, state.pending_version, state.concurrency_limit) == (3, 0, 1)
    assert bench.redis("HGET", bench.key("load"), "pending:task/t") == "0"


def test_a_run_records_the_version_that_executed_it(bench: Bench) -> None:
    """The last one, when attempts ran on several."""
    run_id = bench.trigger()
    bench.node()
    bench.run(operations.runs.claim_run(run_id, node_id="n1", reservation=1, version="20260701.1"))
    assert bench.run(operations.runs.read_run(run_id)).version == "20260701.1"
    [listed] = bench.run(operations.runs.list_runs(1))
    assert listed.version == "20260701.1"


def test_workers_and_what_they_registered_can_be_read(bench: Bench) -> None:
    """The reply has the versions that are up, and all registered tasks."""
    register(bench, queue="shared")
    bench.node("n1")
    description: dict[str, str | int] = {"version": "v2", "concurrency": 4}
    told = operations.nodes.register_node(
        "n2", lease=timedelta(seconds=9), queues=["e.small-1x.async"], capacity=4, classes=[], description=description
    )
    bench.run(told)
    found = bench.run(read_workers())
    assert [(worker.id, worker.version, worker.concurrency) for worker in found.workers] == [
        ("n1", None, 0),
        ("n2", "v2", 4),
    ]
    assert isinstance(found.workers[0].since, datetime)
    assert found.workers[0].since == instant(bench.now[0] // 1000)
    [task] = found.tasks
    assert (task.id, task.queue, task.class_name, task.version) == ("t", "shared", CLASS, "v1")


def test_what_people_read_of_a_declaration_is_read_back_with_its_schema(bench: Bench) -> None:
    """A list of tasks leaves schemas out; a task that only an earlier release has registered has no details."""
    retry = RetryDetails(5, 2.0, timedelta(minutes=1), timedelta(hours=1), randomize=True)
    details = TaskDetails(
        "schedule", "Sends <b>mail</b>.", "send", "shop/tasks.py", 12, retry,
        hooks={"on_failure": ("alarm",)}, ttl=timedelta(minutes=1), tags=("a",), cron="0 3 * * *", timezone="UTC",
    )  # fmt: skip
    for task in ("mail", "old"):
        register(bench, task)
    schema = '{"type": "object"}'
    bench.run(declare({}, {}, by_worker=True, schemas={"mail": schema}, details={"mail": details.to_json()}))
    mail, old = bench.run(read_tasks())
    assert (mail.id, mail.details, mail.schema) == ("mail", details, "")
    assert (old.id, old.details) == ("old", None)
    [one] = bench.run(read_tasks("mail"))
    assert (one.details, one.schema) == (details, schema)
    assert bench.run(read_tasks("<script>")) == []
