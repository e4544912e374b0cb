"""Planned triggers as JSON: another process, of another version, makes the same runs of them."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from taskflow import Debounce
from taskflow.definition.calls.idempotency import IdempotencyKey
from taskflow.definition.queue import QueueLimits
from taskflow.models import BatchError
from taskflow.objects.address import Address, LargeValue
from taskflow.seams.batches import RefusedItem
from taskflow.store.operations.making import NewRun, trigger_run
from taskflow.store.planned_documents import PlannedDocument, dump_batch, dump_run, load

PLAIN = NewRun("run_1", "task", '{"name":"Zoë \\u0000"}'.encode(), None, "queue", "small-1x.process", 3)
FULL = NewRun(
    id="run_2",
    task_id="task",
    payload=b"@20261201/run_2/payload-0",
    args="...",
    queue="queue",
    class_name="small-1x.process",
    max_attempts=1,
    limits=QueueLimits(3, rate_count=10, rate_period=timedelta(minutes=1)),
    tags=("one", "two"),
    due=datetime(2026, 12, 1, 2, 3, 4, 567, UTC),
    idempotency_key=IdempotencyKey("key", "digest", "global"),
    idempotency_key_ttl=timedelta(days=1),
    concurrency_key="tenant",
    ttl=timedelta(seconds=1.5),
    priority=2.5,
    metadata=b'{"a":1}',
    max_duration=timedelta(hours=1),
    debounce=Debounce("key", "1m", mode="trailing", max_delay="1h"),
    is_test=True,
    parent_id="run_0",
    root_id="run_0",
    batch_id="batch_1",
    doubts="task",
    foreign="{}",
    patience=timedelta(seconds=3),
    large=LargeValue(Address("20261201/run_2/payload-0"), b"[1]"),
    trace='{"traceparent":"00-1"}',
    origin="user",
)


@pytest.mark.parametrize("new", [PLAIN, FULL])
def test_a_run_comes_back_as_it_was(new: NewRun) -> None:
    """With the same arguments for the store."""
    planned = load(dump_run(new))
    assert planned == PlannedDocument([new])
    (read,) = planned.items
    assert isinstance(read, NewRun)
    assert trigger_run(read).args == trigger_run(new).args


@pytest.mark.parametrize("due", [timedelta(0), timedelta(microseconds=1), timedelta(days=400, seconds=0.25), None])
def test_a_delay_stays_a_delay(due: timedelta | None) -> None:
    """It begins when the run is made."""
    (read,) = load(dump_run(NewRun("run_1", "task", b"1", None, "queue", "small-1x.async", 3, due=due))).items
    assert isinstance(read, NewRun)
    assert read.due == due


def test_refused_items_of_a_batch_keep_their_places() -> None:
    """The batch has the same errors as if its own process had made it."""
    errors = [BatchError(2, "task", "PayloadError", "wrong"), BatchError(0, "task", "PayloadError", "wrong too")]
    planned = load(dump_batch("batch_1", [PLAIN, FULL], errors, IdempotencyKey("key", "digest")))
    first, third = (RefusedItem("task", "PayloadError", text) for text in ("wrong too", "wrong"))
    assert planned == PlannedDocument([first, PLAIN, third, FULL], "batch_1", IdempotencyKey("key", "digest"))


def test_a_document_of_another_version_is_read() -> None:
    """Fields that are not known are ignored, and those that are missing have their defaults."""
    document = json.loads(dump_run(PLAIN))
    document["later"] = 1
    document["items"][0] |= {"later": [1, 2]}
    assert load(json.dumps(document).encode()) == PlannedDocument([PLAIN])


@pytest.mark.parametrize("wrong", [b"", b"null", b'{"items":["secret"]}', b'{"items":[],"format":2}'])
def test_what_is_no_document_is_refused_without_its_values(wrong: bytes) -> None:
    """They may be payloads."""
    with pytest.raises(ValueError, match=r"^This is no planned trigger: ") as refused:
        load(wrong)
    assert "secret" not in str(refused.value)
