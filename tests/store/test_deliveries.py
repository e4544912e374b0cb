"""Deliveries of webhooks: each id of a sender makes one run, in one script with its record."""

from datetime import timedelta
from typing import Any

import pytest

from taskflow.definition.queue import NO_LIMITS, QueueLimits
from taskflow.definition.webhooks.deliveries import Delivery, DeliveryStatus
from taskflow.errors import DeliveryNotFoundError
from taskflow.models import RunStatus
from taskflow.store.operations.making import NewRun
from taskflow.store.operations.webhooks.deliveries import (
    FIRST,
    Accepted,
    NewDelivery,
    accept_delivery,
    keep_delivery,
    list_deliveries,
    read_delivery,
    replay_delivery,
)
from taskflow.store.wire import new_delivery_id, new_run_id
from tests.support.bench import CLASS, Bench

DEDUPE, KEPT = timedelta(hours=1), timedelta(hours=2)


def a_run(bench: Bench, task_id: str = "t", limits: QueueLimits = NO_LIMITS) -> NewRun:
    """Return a run to make."""
    return NewRun(
        id=new_run_id(bench.shard),
        task_id=task_id,
        payload=b'{"a":1}',
        args=None,
        queue=f"task/{task_id}",
        class_name=CLASS,
        max_attempts=3,
        limits=limits,
    )


def a_delivery(bench: Bench, sender_id: str = "d1", **more: Any) -> NewDelivery:
    """Return a delivery to keep."""
    given: dict[str, Any] = {
        "id": new_delivery_id(bench.shard), "task_id": "t", "source": "GitHub", "event_type": "push",
        "sender_id": sender_id, "headers": {"x-a": "é"}, "body": b'{"a": "\xc3\xa9"}', "is_body_kept": True,
        "dedupe": DEDUPE, "kept": KEPT,
    }  # fmt: skip
    return NewDelivery(**(given | more))


def accept(bench: Bench, sender_id: str = "d1", **more: Any) -> Accepted:
    """Accept a new delivery."""
    new = a_delivery(bench, sender_id, **more)
    return bench.run(accept_delivery(new, a_run(bench, new.task_id)))


def listed(bench: Bench, status: DeliveryStatus | None = None, task: str | None = None) -> list[Delivery]:
    """Return all deliveries of the shard, page by page."""
    cursor, found = FIRST, list[Delivery]()
    while True:
        cursor, page = bench.run(list_deliveries(cursor, 3, status, task))
        found += [delivery for _, delivery in page]
        if cursor == FIRST:
            return found


def test_an_id_of_a_sender_makes_one_run(bench: Bench) -> None:
    """Later ones are counted at the first, whatever their body. Another task's ids are its own."""
    first = accept(bench)
    assert not first.is_duplicate
    assert bench.status(first.run_id) is RunStatus.QUEUED
    again = accept(bench, body=b"[]")
    assert again == Accepted(first.id, first.run_id, True)
    assert bench.run(read_delivery(first.id)).duplicates == 1
    other = accept(bench, task_id="u")
    assert not other.is_duplicate
    assert other.run_id != first.run_id


def test_a_call_that_is_repeated_after_a_lost_reply_is_no_duplicate(bench: Bench) -> None:
    """The shells repeat an operation when a connection breaks."""
    operation = accept_delivery(a_delivery(bench), a_run(bench))
    first = bench.run(operation)
    assert bench.run(operation) == first
    assert not first.is_duplicate
    assert bench.run(read_delivery(first.id)).duplicates == 0
    assert bench.redis("ZCARD", bench.key("live")) == 1


def test_an_id_counts_for_its_time_and_the_record_stays_for_its_own(bench: Bench) -> None:
    """Both are keys with a TTL, the id's longer than its sender tries."""
    first = accept(bench)
    [key] = bench.redis("KEYS", bench.key("delivery_key:*").replace("{", "\\{"))
    assert 3_500_000 < int(bench.redis("PTTL", key)) <= 3_600_000
    assert 7_100_000 < int(bench.redis("PTTL", bench.key(f"delivery:{first.id}"))) <= 7_200_000
    bench.redis("DEL", key)
    assert not accept(bench).is_duplicate


def test_a_record_has_what_was_delivered(bench: Bench) -> None:
    """The raw body, unless it is too large; headers and texts in any script."""
    accepted = accept(bench)
    delivery = bench.run(read_delivery(accepted.id))
    assert (delivery.body, delivery.headers, delivery.size) == ('{"a": "é"}', {"x-a": "é"}, 11)
    assert (delivery.status, delivery.run_id, delivery.replays) == (DeliveryStatus.ACCEPTED, accepted.run_id, ())
    large = accept(bench, "d2", is_body_kept=False)
    assert bench.run(read_delivery(large.id)).body is None
    with pytest.raises(DeliveryNotFoundError):
        bench.run(read_delivery(new_delivery_id(bench.shard)))


def test_a_filtered_delivery_is_kept_and_does_not_count(bench: Bench) -> None:
    """Its id may come again, when the filter takes it."""
    filtered = a_delivery(bench)
    bench.run(keep_delivery(filtered))
    delivery = bench.run(read_delivery(filtered.id))
    assert (delivery.status, delivery.run_id, delivery.body) == (DeliveryStatus.FILTERED, None, None)
    assert not accept(bench).is_duplicate


def test_a_replay_makes_another_run_once_per_id(bench: Bench) -> None:
    """The record names its replays in their order."""
    accepted = accept(bench)
    operations = [replay_delivery(accepted.id, a_run(bench)) for _ in range(2)]
    replays = [bench.run(each) for each in operations]
    assert bench.run(operations[0]) == replays[0]
    assert bench.run(read_delivery(accepted.id)).replays == tuple(replays)
    assert len({accepted.run_id, *replays}) == 3
    with pytest.raises(DeliveryNotFoundError):
        bench.run(replay_delivery(new_delivery_id(bench.shard), a_run(bench)))


def test_deliveries_are_listed_newest_first_by_task_and_status(bench: Bench) -> None:
    """Across pages; those whose record has expired are taken off."""
    ids = [accept(bench, f"d{number}", task_id="t" if number % 2 else "u").id for number in range(8)]
    filtered = a_delivery(bench)
    bench.run(keep_delivery(filtered))
    assert [each.id for each in listed(bench)] == [filtered.id, *reversed(ids)]
    assert [each.id for each in listed(bench, DeliveryStatus.FILTERED)] == [filtered.id]
    assert [each.id for each in listed(bench, task="u")] == [*reversed(ids[0::2])]
    assert {each.body for each in listed(bench)} == {None}
    bench.redis("DEL", bench.key(f"delivery:{ids[3]}"))
    assert ids[3] not in [each.id for each in listed(bench)]
    assert bench.redis("ZSCORE", bench.key("deliveries"), ids[3]) is None


def test_the_list_forgets_what_is_older_than_it_is_kept(bench: Bench) -> None:
    """Each new delivery takes off the old ones, so that the list needs no sweep."""
    accept(bench)
    bench.pass_time(KEPT.total_seconds() + 1)
    second = accept(bench, "d2")
    assert bench.redis("ZRANGE", bench.key("deliveries"), 0, -1) == [second.id]


def test_the_run_of_a_delivery_obeys_its_queue(bench: Bench) -> None:
    """It is made as by any trigger: here it waits behind a limit."""
    bench.node()
    made = [a_run(bench, limits=QueueLimits(1)) for _ in range(3)]
    for number, run in enumerate(made):
        bench.run(accept_delivery(a_delivery(bench, f"d{number}"), run))
    assert bench.slots("task/t") == {made[0].id}
    assert {bench.status(run.id) for run in made} == {RunStatus.QUEUED}
