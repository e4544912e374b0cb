"""Queues for people: the oldest run of each, the reason why it does not start, and concurrency keys by wait."""

from datetime import timedelta

import pytest

from taskflow.definition.queue import QueueLimits
from taskflow.engine.reasons.facts import Facts
from taskflow.engine.reasons.queued import queued
from taskflow.engine.reasons.reason import Heartbeats, reason_of
from taskflow.models import ReasonCode, RunStatus
from taskflow.store import operations
from taskflow.store.operations.batches import open_batch, write_batch
from taskflow.store.operations.explanation import Explained, explain_runs
from taskflow.store.operations.overviews.batches import list_batches
from taskflow.store.operations.overviews.queues import QueueHead, QueueKeyPage, read_queue_heads, read_queue_keys
from taskflow.store.operations.queues import control_queue, read_queues
from taskflow.store.operations.waits import OpenedWait, wait_run
from tests.support.bench import ERROR, HEARTBEAT, LEASE, Bench

MINUTE = timedelta(minutes=1)
HOSTILE = ("<script>alert(1)</script>", "\x1b[31mred\x1b[0m", "k" * 500, "a\nb:c")


def heads(bench: Bench) -> dict[str, QueueHead]:
    """Return the queues with their oldest runs."""
    return {head.name: head for head in bench.run(read_queue_heads()).heads}


def head(bench: Bench, queue: str = "q") -> tuple[str, ReasonCode, int]:
    """Return the oldest run of a queue, why it does not start, and the seconds for which it has waited."""
    found = heads(bench)[queue]
    assert found.oldest is not None
    assert found.oldest_at is not None
    reason = queued(found.oldest, Facts(found.oldest.facts))
    return found.oldest.run.id, reason.code, round(bench.now[0] / 1_000_000 - found.oldest_at.timestamp())


def keys(bench: Bench, cursor: str = "", most: int = 20) -> QueueKeyPage:
    """Return a page of concurrency keys."""
    return bench.run(read_queue_keys("q", cursor, most))


def test_the_oldest_run_of_a_queue_says_what_keeps_the_queue(bench: Bench) -> None:
    """Its place in line, the limit, a pause, and a queue without limits behind busy workers."""
    bench.run(operations.making.declare({}, {"free": QueueLimits()}, by_worker=True))
    bench.node(capacity=1)
    bench.claim(bench.trigger("q", limit=1))
    oldest = bench.trigger("q", limit=1)
    bench.pass_time(90)
    bench.beat("n1")
    bench.trigger("q", limit=1)
    free = bench.trigger("free")
    bench.pass_time(5)
    assert head(bench) == (oldest, ReasonCode.CONCURRENCY_LIMIT, 95)
    assert heads(bench)["q"].total_used == 1
    assert head(bench, "free") == (free, ReasonCode.WORKERS_BUSY, 5)
    bench.run(control_queue("q", "pause", by="ben", note="supplier API is down"))
    assert head(bench) == (oldest, ReasonCode.QUEUE_PAUSED, 95)
    state = bench.run(read_queues("q"))[0]
    assert (state.paused_by, state.paused_note) == ("ben", "supplier API is down")
    bench.run(control_queue("q", "resume"))
    assert bench.run(read_queues("q"))[0].paused_note is None


def test_a_queue_without_queued_runs_has_no_oldest_one(bench: Bench) -> None:
    bench.node()
    bench.claim(bench.trigger("q", limit=2))
    assert heads(bench)["q"].oldest is None
    assert bench.run(read_queue_heads("unknown")).heads[0].oldest is None


def test_a_priority_does_not_make_a_run_older(bench: Bench) -> None:
    """Its place in the order is earlier by an hour; it has waited a second."""
    bench.run(control_queue("", "pause"))
    bench.trigger("q", priority=3600)
    bench.pass_time(1)
    assert head(bench)[2] == 1


def test_the_environment_counts_its_slots(bench: Bench) -> None:
    declared = operations.making.declare({}, {}, by_worker=True, environment_limit=2, burst_factor=2.0)
    bench.run(declared)
    bench.node()
    for queue in ("q", "r"):
        bench.claim(bench.trigger(queue))
    assert bench.run(read_queue_heads()).environment_used == 2
    assert bench.run(read_queues())[0].burst_factor == 2.0


def test_keys_come_by_the_longest_wait_page_by_page(bench: Bench) -> None:
    """Then those with nothing queued; every key once, whatever its name."""
    bench.node(capacity=100)
    limits = QueueLimits(per_key=1)
    names = [*HOSTILE, *(f"tenant:{number:02}" for number in range(20))]
    for name in names:
        bench.claim(bench.trigger("q", limit=limits, concurrency_key=name))
    for number, name in enumerate(names[:10]):
        bench.pass_time(1)
        for _ in range(number + 1):
            bench.trigger("q", limit=limits, concurrency_key=name)
    first = keys(bench, most=7)
    assert [each.key for each in first.keys] == names[:7]
    assert [(each.queued, each.used) for each in first.keys] == [(number + 1, 1) for number in range(7)]
    assert (first.limit, first.with_queued, first.idle) == (1, 10, 14)
    seen, page = list(first.keys), first
    while page.cursor is not None:
        page = keys(bench, page.cursor, most=7)
        seen += page.keys
    assert [each.key for each in seen[:10]] == names[:10]
    assert sorted(each.key for each in seen) == sorted(names)
    assert all(each.oldest_at is None for each in seen[10:])
    oldest = first.keys[0].oldest_at
    assert oldest is not None
    assert round(bench.now[0] / 1_000_000 - oldest.timestamp()) == 9


def test_keys_that_wait_for_their_rate_or_for_room_are_known(bench: Bench) -> None:
    """Neither has a turn meanwhile."""
    limits = QueueLimits(rate_count=1, rate_period=MINUTE)
    bench.node()
    for _ in range(2):
        bench.trigger("q", limit=limits, concurrency_key="slow")
    bench.trigger("q", limit=limits, concurrency_key="large", class_name="large-2x.process")
    assert {each.key: each.queued for each in keys(bench).keys if each.queued} == {"slow": 1, "large": 1}


@pytest.mark.parametrize("cursor", ["", "x", "12 <script>", "9" * 40, "-1 a", "idle", "nan b", "1e400 c"])
def test_a_cursor_that_was_made_up_breaks_nothing(one_bench: Bench, cursor: str) -> None:
    one_bench.node()
    for _ in range(3):
        one_bench.trigger("q", limit=QueueLimits(per_key=1), concurrency_key="k")
    assert len(keys(one_bench, cursor).keys) <= 1


def test_the_reasons_of_a_lists_runs_come_in_one_call(bench: Bench) -> None:
    """As each run's own page says it. Runs that have ended are left out."""
    bench.node()
    first, second, third = (bench.trigger("q", limit=1) for _ in range(3))
    waiting, ended = (bench.claim(bench.trigger("other")) for _ in range(2))
    bench.run(wait_run(waiting.run_id, waiting.claim, [OpenedWait("w", 1, MINUTE)], ["w"]))
    bench.finish(ended)
    executing = bench.claim(first)
    retried = bench.claim(bench.trigger("retried", max_attempts=2))
    bench.run(operations.runs.retry_run(retried.run_id, retried.claim, ERROR, MINUTE))
    asked = [third, second, waiting.run_id, ended.run_id, executing.run_id, retried.run_id, "<script>"]
    rows = {explained.run.id: explained for explained in bench.run(explain_runs(asked))}
    assert rows.keys() == {third, second, waiting.run_id, executing.run_id, retried.run_id}
    assert reason(rows[third])[0] is ReasonCode.CONCURRENCY_LIMIT
    assert "number 2 of 2 in line" in reason(rows[third])[1]
    assert reason(rows[waiting.run_id])[0] is ReasonCode.WAITS_FOR_TIME
    assert reason(rows[retried.run_id])[0] is ReasonCode.RETRY
    assert "Attempt 1 failed with Boom: it broke" in reason(rows[retried.run_id])[1]
    assert rows[executing.run_id].run.status is RunStatus.EXECUTING
    assert reason_of(rows[executing.run_id], Heartbeats(LEASE, HEARTBEAT)) is None


def reason(explained: Explained) -> tuple[ReasonCode, str]:
    """Return why a run does not start or go on."""
    found = reason_of(explained, Heartbeats(LEASE, HEARTBEAT))
    assert found is not None
    return found.code, found.text


def test_batches_are_listed_newest_first_until_their_records_expire(bench: Bench) -> None:
    """A batch that is written in parts, or announced, is listed once."""
    for number in range(3):
        bench.run(write_batch(f"b{number}", 0, ["r1"]))
        bench.pass_time(1)
    bench.run(write_batch("b0", 1, ["r2"], count=2))
    bench.run(open_batch("b3", 5))
    listed = bench.run(list_batches(10))
    assert [batch_id for _, batch_id in listed] == ["b3", "b2", "b1", "b0"]
    assert [batch_id for _, batch_id in bench.run(list_batches(10, listed[1][0]))] == ["b2", "b1", "b0"]
    assert 0 < bench.redis("PTTL", bench.key("batches")) <= bench.config.retention.total_seconds() * 1000
    bench.pass_time(bench.config.retention.total_seconds() - 0.5)
    bench.run(write_batch("b4", 0, ["r1"]))
    assert [batch_id for _, batch_id in bench.run(list_batches(10))] == ["b4", "b3"]
