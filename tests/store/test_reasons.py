"""Why a run does not start or go on: one sentence, a code, and the facts behind it."""

from datetime import timedelta

import pytest

from taskflow.definition.calls.debounce import Debounce
from taskflow.definition.queue import QueueLimits
from taskflow.engine.reasons.reason import Heartbeats, reason_of
from taskflow.errors import BrokerUnavailableError
from taskflow.models import Reason, ReasonCode, RunError, RunStatus
from taskflow.seams.waits import Waiter
from taskflow.store import operations
from taskflow.store.operations.explanation import explain_run
from taskflow.store.operations.queues import control_queue, note_refusal, read_queues
from taskflow.store.operations.tokens import NewToken, create_token, read_token
from taskflow.store.operations.waits import OpenedWait, complete_item, wait_run
from taskflow.store.wire import new_token_id
from tests.support.bench import ERROR, HEARTBEAT, LEASE, Bench

MINUTE = timedelta(minutes=1)


def why(bench: Bench, run_id: str, token_id: str = "") -> Reason:
    """Return why a run does not start or go on."""
    token = bench.run(read_token(token_id)) if token_id else None
    reason = reason_of(bench.run(explain_run(run_id)), Heartbeats(LEASE, HEARTBEAT), token)
    assert reason is not None
    assert "\n" not in reason.text
    return reason


def test_a_run_behind_a_limit_knows_its_place_in_line(bench: Bench) -> None:
    bench.node()
    first, second, third = (bench.trigger("q", limit=1) for _ in range(3))
    bench.claim(first)
    reason = why(bench, third)
    assert reason.code is ReasonCode.CONCURRENCY_LIMIT
    assert reason.text == "Queue 'q' executes 1 run at a time, and 1 do. It is number 2 of 2 in line."
    assert {"queue": "q", "limit": 1, "running": 1, "place": 2, "waiting": 2}.items() <= reason.details.items()
    assert why(bench, second).details["place"] == 1
    assert reason_of(bench.run(explain_run(first)), Heartbeats(LEASE, HEARTBEAT)) is None


@pytest.mark.parametrize(
    "limits, key, code, text",
    [
        (
            QueueLimits(per_key=1),
            "k",
            ReasonCode.KEY_LIMIT,
            "Concurrency key 'k' of queue 'q' executes 1 run at a time",
        ),
        (QueueLimits(total=1), "k", ReasonCode.TOTAL_LIMIT, "Queue 'q' executes 1 run over all concurrency keys"),
        (QueueLimits(rate_count=1, rate_period=MINUTE), None, ReasonCode.RATE_LIMIT, "Queue 'q' starts 1 in 1 min 0 s"),
    ],
)
def test_each_limit_has_its_reason(
    one_bench: Bench, limits: QueueLimits, key: str | None, code: ReasonCode, text: str
) -> None:
    one_bench.node()
    first, second = (one_bench.trigger("q", limit=limits, concurrency_key=key) for _ in range(2))
    one_bench.claim(first)
    reason = why(one_bench, second)
    assert reason.code is code
    assert reason.text.startswith(text)
    assert reason.details["place"] == 1


def test_the_limit_of_the_environment_has_its_reason(one_bench: Bench) -> None:
    one_bench.run(operations.making.declare({}, {}, by_worker=True, environment_limit=1))
    one_bench.node()
    one_bench.claim(one_bench.trigger("q"))
    assert why(one_bench, one_bench.trigger("r")).code is ReasonCode.ENVIRONMENT_LIMIT


def test_a_pause_names_who_paused(bench: Bench) -> None:
    """The queue's list does, too, until it is resumed."""
    bench.node()
    run_id = bench.trigger("q", limit=1)
    bench.run(control_queue("q", "pause", by="ann@desk"))
    reason = why(bench, run_id)
    assert (reason.code, reason.details["by"]) == (ReasonCode.QUEUE_PAUSED, "ann@desk")
    assert "by ann@desk. Resume: taskflow queues resume q" in reason.text
    assert bench.run(read_queues("q"))[0].paused_by == "ann@desk"
    bench.run(control_queue("q", "resume"))
    bench.run(control_queue("", "pause", by="bob@desk"))
    assert why(bench, run_id).code is ReasonCode.ENVIRONMENT_PAUSED
    assert bench.run(read_queues("q"))[0].paused_by is None


@pytest.mark.parametrize("limit", [None, 1])
def test_a_class_that_no_node_serves_is_named_with_those_that_are(bench: Bench, limit: int | None) -> None:
    run_id = bench.trigger("q", limit=limit, class_name="large-1x.process")
    assert "No worker is up" in why(bench, run_id).text
    bench.node()
    reason = why(bench, run_id)
    assert (reason.code, reason.details["served"]) == (ReasonCode.NO_WORKER, ["small-1x.process"])
    assert "No worker that is up serves machine large-1x with executor process" in reason.text
    assert "taskflow worker --machine large-1x" in reason.text


@pytest.mark.parametrize("limit", [None, 5])
def test_busy_workers_and_a_broker_that_refuses(bench: Bench, limit: int | None) -> None:
    bench.node(capacity=1)
    bench.claim(bench.trigger("q", limit=limit))
    run_id = bench.trigger("q", limit=limit)
    reason = why(bench, run_id)
    assert (reason.code, reason.details["capacity"], reason.details["running"]) == (ReasonCode.WORKERS_BUSY, 1, 1)
    bench.run(note_refusal(bench.field(run_id, "ticket"), "ACCESS_REFUSED - no access to exchange 'taskflow'"))
    reason = why(bench, run_id)
    assert reason.code is ReasonCode.BROKER_REFUSES
    assert "ACCESS_REFUSED - no access" in reason.text


def test_what_the_broker_says_is_kept_when_it_refuses_a_ticket(bench: Bench) -> None:
    """The caller of the script publishes, and its error is the run's reason from then on."""

    def refuse(tickets: object) -> None:
        raise BrokerUnavailableError("ACCESS_REFUSED - no configure right")

    bench.node()
    bench.publish = refuse  # type: ignore[method-assign]  # the broker is a mock here
    assert "ACCESS_REFUSED - no configure right" in why(bench, bench.trigger()).text


def test_an_unknown_task_has_a_near_miss(bench: Bench) -> None:
    bench.run(operations.making.declare({}, {}, by_worker=True, registrations={"send-mail": "{}"}))
    run_id = bench.trigger(task_id="send-mial", doubts="task queue", patience=MINUTE)
    reason = why(bench, run_id)
    assert (reason.code, reason.details["near"]) == (ReasonCode.UNKNOWN_TASK, "send-mail")
    assert reason.text.startswith(
        "No worker has registered task 'send-mial'; no worker is up. Did you mean 'send-mail'?"
    )
    assert reason.details["expires_at"]
    bench.pass_time(61)
    bench.upkeep()
    assert why(bench, run_id).code is ReasonCode.EXPIRED


def test_time_that_is_still_to_pass(one_bench: Bench) -> None:
    """A delay, a debounce, and the next attempt with the first line of the last error."""
    one_bench.node()
    delayed = why(one_bench, one_bench.trigger(due=MINUTE))
    assert delayed.code is ReasonCode.DELAYED
    assert delayed.text.endswith("UTC (in 1 min 0 s).")
    debounced = one_bench.trigger("d", due=MINUTE, debounce=Debounce("k", MINUTE))
    assert why(one_bench, debounced).code is ReasonCode.DEBOUNCED
    retried = one_bench.claim(one_bench.trigger())
    error = RunError("ValueError", "one.\ntwo")
    one_bench.run(operations.runs.retry_run(retried.run_id, retried.claim, error, MINUTE))
    reason = why(one_bench, retried.run_id)
    assert (reason.code, reason.details["attempt"]) == (ReasonCode.RETRY, 1)
    assert "Attempt 1 failed with ValueError: one. The next one starts at" in reason.text


def waiting(bench: Bench, *opened: OpenedWait) -> str:
    """Let a run wait."""
    run_id = bench.trigger()
    claimed = bench.claim(run_id)
    bench.run(wait_run(run_id, claimed.claim, opened, [wait.name for wait in opened]))
    return run_id


def test_a_waiting_run_names_what_it_waits_for(bench: Bench) -> None:
    bench.node()
    assert why(bench, waiting(bench, OpenedWait("w", 1, MINUTE))).code is ReasonCode.WAITS_FOR_TIME
    assert "input stream 'chat'" in why(bench, waiting(bench, OpenedWait("w", 1, what="input chat"))).text
    token_id, _ = bench.run(create_token(NewToken(new_token_id(0), MINUTE, timeout=MINUTE)))
    reason = why(bench, waiting(bench, OpenedWait("w", 1, what=f"token {token_id}")), token_id)
    assert (reason.code, reason.details["token"]) == (ReasonCode.WAITS_FOR_TOKEN, token_id)
    assert reason.details["until"]
    batch = waiting(bench, OpenedWait("w", 3, what="batch t"))
    bench.run(complete_item(Waiter(batch, "w"), b"7"))
    assert "1 of 3 runs have ended" in why(bench, batch).text
    parent = waiting(bench, OpenedWait("w", 1, what="task t"))
    child = bench.trigger(parent_id=parent, waiter=Waiter(parent, "w"))
    reason = why(bench, parent)
    assert (reason.code, reason.details["run_ids"]) == (ReasonCode.WAITS_FOR_RUN, (child,))
    assert bench.run(explain_run(parent)).run.children == {child: RunStatus.QUEUED}
    several = why(bench, waiting(bench, OpenedWait("w", 1, MINUTE), OpenedWait("v", 1, what="input chat")))
    assert several.code is ReasonCode.WAITS_FOR_SEVERAL


def test_a_node_that_is_late_with_its_heartbeat_is_named(one_bench: Bench) -> None:
    one_bench.node()
    run_id = one_bench.trigger()
    one_bench.claim(run_id)
    one_bench.pass_time(7)
    reason = why(one_bench, run_id)
    assert (reason.code, reason.details["node"]) == (ReasonCode.LATE_HEARTBEAT, "n1")
    assert "was heard last 7 s ago" in reason.text
    one_bench.pass_time(3)
    assert "has no lease any more" in why(one_bench, run_id).text


def test_an_end_says_its_reason(one_bench: Bench) -> None:
    one_bench.node()
    canceled = one_bench.trigger()
    one_bench.run(operations.runs.cancel_run(canceled, RunError("Canceled", "Canceled by user"), "ann@desk"))
    assert why(one_bench, canceled).text == "Canceled by user, ann@desk."
    failed = one_bench.claim(one_bench.trigger())
    one_bench.finish(failed, RunStatus.FAILED)
    assert why(one_bench, failed.run_id).text == "It failed after 1 of 3 attempts: Boom: it broke"
    lost = one_bench.trigger()
    for _ in range(one_bench.config.max_lost + 1):
        one_bench.give_up(one_bench.claim(lost))
        if one_bench.status(lost) is RunStatus.REATTEMPTING:
            assert "was lost, not for the first time" in why(one_bench, lost).text
        one_bench.pass_time(300)
        one_bench.beat("n1")
        one_bench.upkeep()
    reason = why(one_bench, lost)
    assert (reason.code, reason.details["lost"]) == (ReasonCode.SYSTEM_FAILURE, one_bench.config.max_lost + 1)
    expired = one_bench.trigger("x", ttl=MINUTE)
    one_bench.pass_time(61)
    one_bench.beat("n1")
    one_bench.upkeep()
    assert why(one_bench, expired).text.startswith("It expired before it started: Expired: Run expired because the TTL")
    assert ERROR.message in str(why(one_bench, failed.run_id))
