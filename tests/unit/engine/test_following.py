"""A subscriber's reading of events and records, and the search for the ends of many runs. No I/O."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from taskflow.engine.batches.ends import Search
from taskflow.engine.subscriptions import Subscription
from taskflow.errors import RunNotFoundError
from taskflow.models import Run, RunStatus
from taskflow.seams.batches import RunEnd
from taskflow.store.events import Event

NOW = datetime(2030, 1, 1, tzinfo=UTC)
QUEUED = Run("run_1", "t", RunStatus.QUEUED, "q", "small-1x", "process", NOW, 3)
COMPLETED = replace(QUEUED, status=RunStatus.COMPLETED, output="x", finished_at=NOW)


def unknown(run_id: str) -> RunEnd:
    """Be a history that knows nothing."""
    raise RunNotFoundError(run_id)


def event(place: int, value: str, kind: str = "status") -> Event:
    """Return an event."""
    return Event(f"{place}-0", "run_1", kind, value)


def test_what_the_record_shows_already_is_no_news() -> None:
    """The record is read together with its place in the stream; what is told twice is told once."""
    subscription = Subscription("5-0", QUEUED)
    assert not subscription.is_news(event(5, "QUEUED"))
    assert subscription.is_news(event(6, "EXECUTING"))
    assert not subscription.is_news(event(6, "EXECUTING"))
    assert not subscription.is_news(event(7, "{}", "log"))
    assert subscription.is_news(event(8, '["a"]', "tags"))


def test_a_change_that_is_read_late_shows_the_status_it_told() -> None:
    """The record may be further on by then: its end is not told before the end."""
    subscription = Subscription("5-0", QUEUED)
    early = subscription.changed(event(6, "EXECUTING"), COMPLETED)
    assert (early.status, early.output, early.finished_at) == (RunStatus.EXECUTING, None, None)
    tagged = subscription.changed(event(7, '["a"]', "tags"), replace(COMPLETED, tags=("a",)))
    assert (tagged.status, tagged.tags) == (RunStatus.EXECUTING, ("a",))
    assert subscription.changed(event(8, "COMPLETED"), COMPLETED) == COMPLETED


def test_what_the_listener_went_past_is_told_by_the_record() -> None:
    """Only when nothing can come any more: otherwise the events would tell it again."""
    subscription = Subscription("5-0", QUEUED)
    assert subscription.missed("9-0", COMPLETED, read_up_to="8-0") is None
    assert subscription.missed("9-0", QUEUED, read_up_to="9-0") is None
    assert subscription.missed("9-0", COMPLETED, read_up_to="9-0") == COMPLETED
    assert not subscription.is_news(event(9, "COMPLETED"))


@pytest.mark.parametrize("every", [1, 3, 10_000])
def test_the_ends_of_many_runs_take_few_reads(every: int) -> None:
    """All at once when they have ended, one by one where each is waited for."""
    ids = [f"run_{number}" for number in range(1_200)]
    search, reads, waits = Search(ids, unknown), 0, 0
    ended = {run_id for number, run_id in enumerate(ids) if number % every == 0}
    while search.left:
        asked = [search.left[place] for place in range(len(search.reads()))]
        reads += len(asked)
        ends = [RunStatus.COMPLETED if run_id in ended else RunStatus.EXECUTING for run_id in asked]
        waited = search.took([(status, b"1", None) for status in ends])
        if waited is not None:
            waits += 1
            search.ended(waited, (RunStatus.FAILED, None, None))
    assert list(map(search.ends.__contains__, ids)) == [True] * len(ids)
    assert waits == len(ids) - len(ended)
    assert reads <= 3 * len(ids)


def test_a_run_that_is_gone_is_told() -> None:
    """It would be waited for for ever."""
    with pytest.raises(RunNotFoundError):
        Search(["run_1"], unknown).took([RunNotFoundError("run_1")])
