"""The thread that writes what runs tell: in order, in few writes, and across the claims of a run that waits."""

from collections.abc import Callable, Iterator

import pytest

from taskflow.engine.stream_sender import QueuedWriter, StreamSender
from taskflow.errors import StaleClaimError, StreamClosedError
from taskflow.models import AttemptOutcome, RunStatus
from taskflow.seams.streams import StreamAddress
from taskflow.seams.waits import Waiter
from taskflow.store import operations
from taskflow.store.operations.streams import StreamLimits, read_items
from taskflow.store.operations.waits import OpenedWait, complete_item, wait_run
from taskflow.store.sync_store import Store
from tests.store.test_streams import executing
from tests.support.bench import ERROR, Bench, real_time

Make = Callable[..., QueuedWriter]


@pytest.fixture
def make_writer(one_bench: Bench) -> Iterator[Make]:
    """Make writers over one thread."""
    store = Store(real_time(one_bench))
    sender = StreamSender(store, StreamLimits())

    def make(place: StreamAddress, claim: Callable[[], int] | None = None) -> QueuedWriter:
        return QueuedWriter(place, claim, sender)

    yield make
    store.close()


def items(bench: Bench, place: StreamAddress) -> list[bytes]:
    """Return what was written."""
    return [*bench.run(read_items(place, 0)).items]


def resumed(bench: Bench, place: StreamAddress) -> int:
    """Let a run wait and go on. Returns its new claim."""
    claim = place.claim or 0
    wait = f"{claim}.1"  # a wait that is done keeps nobody waiting again
    bench.run(wait_run(place.run_id, claim, [OpenedWait(wait, 1)], [wait]))
    bench.run(complete_item(Waiter(place.run_id, wait), b"1"))
    assert bench.claim_number(place.run_id) == claim + 1
    return claim + 1


def test_many_items_go_in_few_writes(one_bench: Bench, make_writer: Make) -> None:
    """A round trip each would take the time of the task's own work."""
    place = executing(one_bench)
    one_bench.redis("CONFIG", "RESETSTAT")
    writer = make_writer(place._replace(claim=None))
    for number in range(1000):
        writer.put(b"%d" % number)
    writer.flush()
    calls = one_bench.client.info("commandstats")["cmdstat_fcall"]["calls"]
    assert items(one_bench, place) == [b"%d" % number for number in range(1000)]
    assert calls < 500
    assert not writer.is_dirty


def test_what_is_put_before_the_code_has_read_the_claim_of_a_resume_is_written(
    one_bench: Bench, make_writer: Make
) -> None:
    """The store resumes a run before its code knows; from then on that may write under either claim."""
    place = executing(one_bench)
    claims = [place.claim or 0]
    writer = make_writer(place, lambda: claims[-1])
    writer.put(b"1")
    writer.flush()
    claim = resumed(one_bench, place)
    writer.put(b"2")
    writer.flush()
    claims.append(claim)
    writer.put(b"3")
    writer.flush()
    assert items(one_bench, place) == [b"1", b"2", b"3"]


def test_a_write_that_was_late_is_repeated_under_the_claim_that_the_code_has_read_since(
    one_bench: Bench, make_writer: Make
) -> None:
    """An append may be under way for so long that the run waits and goes on twice meanwhile."""
    place = executing(one_bench)
    first = place.claim or 0
    second = resumed(one_bench, place)
    third = resumed(one_bench, place._replace(claim=second))
    claims = iter([first])
    writer = make_writer(place, lambda: next(claims, third))
    writer.put(b"1")
    writer.put(b"2")
    writer.flush()
    assert items(one_bench, place) == [b"1", b"2"]


def test_what_a_lost_run_tells_is_refused(one_bench: Bench, make_writer: Make) -> None:
    """Once, and again for every later item; what has gathered is dropped."""
    place = executing(one_bench)
    claim = resumed(one_bench, place)
    one_bench.run(operations.runs.give_up_run(place.run_id, claim, AttemptOutcome.LOST, ERROR))
    one_bench.claim(place.run_id)
    writer = make_writer(place, lambda: place.claim or 0)
    writer.put(b"1")
    with pytest.raises(StaleClaimError):
        writer.flush()
    with pytest.raises(StaleClaimError):
        writer.put(b"2")
    assert items(one_bench, place) == []


def test_a_refusal_is_told_to_whoever_asks_first(one_bench: Bench, make_writer: Make) -> None:
    """Until then the writer is dirty: the end of an attempt must not pass over it."""
    place = executing(one_bench)
    one_bench.run(operations.runs.finish_run(place.run_id, place.claim or 0, RunStatus.COMPLETED))
    writer = make_writer(place._replace(claim=None))
    writer.put(b"1")
    with pytest.raises(StreamClosedError):
        writer.flush()
    assert not writer.is_dirty
