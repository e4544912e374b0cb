"""Streams of runs in the store: order, fences, limits, repetition, and how long they live."""

import json

import pytest

from taskflow.errors import RunNotFoundError, StaleClaimError, StreamClosedError, StreamError
from taskflow.models import AttemptOutcome, RunStatus
from taskflow.seams.streams import StreamAddress
from taskflow.seams.waits import Waiter
from taskflow.store import operations
from taskflow.store.operations.streams import MOST_STREAMS, READ_BYTES, StreamLimits, append_items, ask_item, read_items
from taskflow.store.operations.waits import OpenedWait, read_waits, wait_run
from tests.support.bench import ERROR, Bench
from tests.support.permanent_keys import is_permanent

LIMITS = StreamLimits()


def executing(bench: Bench) -> StreamAddress:
    """Return the stream "s" of a run that executes."""
    bench.node()
    claimed = bench.claim(bench.trigger())
    return StreamAddress(claimed.run_id, "stream", "s", claimed.claim)


def append(
    bench: Bench, place: StreamAddress, *items: bytes, closing: bool = False, limits: StreamLimits = LIMITS
) -> int:
    return bench.run(append_items(place, items, limits, closing=closing))


def read(bench: Bench, place: StreamAddress, start: int = 0) -> tuple[list[bytes], bool]:
    part = bench.run(read_items(place, start))
    return [*part.items], part.is_last


def test_items_are_read_from_any_index_until_the_run_has_ended(bench: Bench) -> None:
    """The index is the whole of a reader's place: it goes on with it after a lost connection."""
    place = executing(bench)
    assert read(bench, place) == ([], False)
    assert append(bench, place, b"1", b'"two"') == 2
    assert append(bench, place._replace(claim=None), b"[3]") == 3
    assert read(bench, place) == ([b"1", b'"two"', b"[3]"], False)
    assert read(bench, place, 2) == ([b"[3]"], False)
    assert read(bench, place, 9) == ([], False)
    assert read(bench, place._replace(kind="input")) == ([], False)
    bench.run(operations.runs.finish_run(place.run_id, place.claim or 0, RunStatus.COMPLETED))
    assert read(bench, place, 1) == ([b'"two"', b"[3]"], True)
    assert read(bench, place._replace(name="other")) == ([], True)


def test_a_call_whose_reply_was_lost_appends_once(bench: Bench) -> None:
    """It does so whatever others append meanwhile, and although the run has ended since."""
    place = executing(bench)
    once = append_items(place, [b"1", b"2"], LIMITS)
    assert bench.run(once) == 2
    for number in range(100):
        append(bench, place._replace(claim=None), b"%d" % number)
    assert bench.run(once) == 102
    bench.run(operations.runs.finish_run(place.run_id, place.claim or 0, RunStatus.COMPLETED))
    assert bench.run(once) == 102


def test_stale_claims_and_ended_runs_take_nothing(bench: Bench) -> None:
    """A worker that lost its run tells nothing more; nobody tells an ended run something that it will not hear."""
    place = executing(bench)
    others = place._replace(claim=None, kind="input")
    bench.run(operations.runs.give_up_run(place.run_id, place.claim or 0, AttemptOutcome.LOST, ERROR))
    again = bench.claim(place.run_id)
    with pytest.raises(StaleClaimError):
        append(bench, place, b"1")
    append(bench, others, b"1")
    bench.finish(again)
    with pytest.raises(StaleClaimError):
        append(bench, place._replace(claim=again.claim), b"1")
    with pytest.raises(StreamClosedError, match="COMPLETED"):
        append(bench, others, b"1")
    unknown = StreamAddress("run_x", "stream", "s")
    with pytest.raises(RunNotFoundError):
        append(bench, unknown, b"1")
    with pytest.raises(RunNotFoundError):
        read(bench, unknown)


def test_a_closed_stream_is_opened_again_by_the_next_attempt_only(bench: Bench) -> None:
    """A retry tells what it has to tell, although the attempt before thought that it was done."""
    place = executing(bench)
    append(bench, place, b"1", closing=True)
    assert read(bench, place) == ([b"1"], True)
    for refused in (place, place._replace(claim=None)):
        with pytest.raises(StreamClosedError, match="closed"):
            append(bench, refused, b"2")
    bench.run(operations.runs.give_up_run(place.run_id, place.claim or 0, AttemptOutcome.LOST, ERROR))
    append(bench, place._replace(claim=bench.claim(place.run_id).claim), b"2")
    assert read(bench, place) == ([b"1", b"2"], False)


def test_what_is_too_much_is_refused_as_a_whole(bench: Bench) -> None:
    """Items, bytes and streams are bounded: no run can fill the store."""
    place = executing(bench)
    append(bench, place, b"1", b"2")
    with pytest.raises(StreamError, match=r"4 items and the limit is 3.*TASKFLOW_STREAM_ITEMS"):
        append(bench, place, b"3", b"4", limits=StreamLimits(items=3))
    with pytest.raises(StreamError, match=r"53 bytes and the limit is 52.*TASKFLOW_STREAM_BYTES"):
        append(bench, place, b"[3]", limits=StreamLimits(bytes=52))
    assert read(bench, place)[0] == [b"1", b"2"]
    for number in range(MOST_STREAMS - 1):
        append(bench, place._replace(name=f"s{number}", kind="input"), b"1")
    with pytest.raises(StreamError, match="number 101"):
        append(bench, place._replace(name="more"), b"1")
    append(bench, place, b"3")


def waiting(bench: Bench, index: int = 0) -> StreamAddress:
    """Return the input stream "s" of a run that waits for an item of it."""
    place = executing(bench)._replace(kind="input")
    assert bench.run(wait_run(place.run_id, place.claim or 0, [OpenedWait("w", 1)])) == "OPEN"
    bench.run(ask_item(place, index, Waiter(place.run_id, "w")))
    return place._replace(claim=None)


def claim_of(bench: Bench, place: StreamAddress) -> int:
    """Return the claim of a stream's run."""
    return int(bench.field(place.run_id, "claim"))


def resumed(bench: Bench, place: StreamAddress) -> list[object]:
    """Return what the wait was told, nothing while it is not done."""
    values = bench.run(read_waits(place.run_id, ["w"])).values
    return [json.loads(value) for value in values.get("w", ())]


def test_a_wait_is_done_by_its_item(bench: Bench) -> None:
    """By that which it waits for, and once, however often the call is repeated."""
    place = waiting(bench, 1)
    append(bench, place._replace(kind="stream"), b"0", b"1", b"2")
    once = append_items(place, [b'"a"'], LIMITS)
    bench.run(once)
    assert resumed(bench, place) == []
    assert bench.run(wait_run(place.run_id, claim_of(bench, place), [], ["w"])) == "WAITING"
    append(bench, place, b'"b"', b'"c"')
    bench.run(once)
    assert resumed(bench, place) == [{"index": 1, "item": "b"}]
    assert bench.status(place.run_id) is RunStatus.EXECUTING


def test_a_wait_for_an_item_that_is_there_is_done_at_once(bench: Bench) -> None:
    """And one for an item that will never come, too."""
    place = waiting(bench)
    append(bench, place, b"[1]", closing=True)
    assert resumed(bench, place) == [{"index": 0, "item": [1]}]
    for index, value in ((0, {"index": 0, "item": [1]}), (1, {"closed": True})):
        bench.run(wait_run(place.run_id, claim_of(bench, place), [OpenedWait(f"w{index}", 1)]))
        bench.run(ask_item(place, index, Waiter(place.run_id, f"w{index}")))
        (told,) = bench.run(read_waits(place.run_id, [f"w{index}"])).values[f"w{index}"]
        assert json.loads(told) == value


def test_waits_for_items_end_when_the_stream_is_closed(bench: Bench) -> None:
    """All of them: nothing will come."""
    place = waiting(bench)
    bench.run(wait_run(place.run_id, claim_of(bench, place), [OpenedWait("other", 1)]))
    bench.run(ask_item(place, 1, Waiter(place.run_id, "other")))
    append(bench, place, closing=True)
    found = bench.run(read_waits(place.run_id, ["w", "other"])).values
    assert found == {"w": (b'{"closed":true}',), "other": (b'{"closed":true}',)}


def test_a_wait_for_a_later_item_ends_with_the_stream(bench: Bench) -> None:
    """Though nobody waits for those before: the wait for them may be on its way."""
    place = waiting(bench, 2)
    append(bench, place, b"0", closing=True)
    assert resumed(bench, place) == [{"closed": True}]


def test_a_wait_that_is_gone_asks_for_no_item(bench: Bench) -> None:
    """Nothing of it stays with the run."""
    place = executing(bench)._replace(kind="input")
    bench.run(ask_item(place, 0, Waiter(place.run_id, "w")))
    assert not bench.field(place.run_id, "asked:s:0")


def test_one_reading_is_bounded(one_bench: Bench) -> None:
    """However large the items are, and however many."""
    place = executing(one_bench)
    large = b"x" * (READ_BYTES // 4)
    for _ in range(3):
        append(one_bench, place, *[large] * 4)
    part, is_last = read(one_bench, place)
    assert 0 < len(part) <= 4
    assert not is_last


def test_streams_live_as_long_as_their_run(bench: Bench) -> None:
    """For ever while it is live, then as long as its record."""
    place = executing(bench)
    append(bench, place, b"1")
    append(bench, place._replace(kind="input", claim=None), b"1")
    keys = [
        bench.key(name) for name in (f"stream:{place.run_id}:s", f"input:{place.run_id}:s", f"streams:{place.run_id}")
    ]
    assert all(is_permanent(key) for key in keys)
    assert [bench.redis("PTTL", key) for key in keys] == [-1] * 3
    bench.run(operations.runs.finish_run(place.run_id, place.claim or 0, RunStatus.COMPLETED))
    assert all(3_600_000 < bench.redis("PTTL", key) <= 86_400_000 for key in keys)
    bench.run(operations.nodes.retire_runs([place.run_id], bench.config.retention / 1000))
    assert all(0 < bench.redis("PTTL", key) <= 86_400 for key in keys)
