"""Operations on many runs, through both shells, on Redis 7 and Valkey."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from taskflow.definition.calls.idempotency import idempotency_keys
from taskflow.definition.calls.run_filter import RunFilter
from taskflow.errors import BatchNotFoundError, RunNotFoundError, TaskflowError
from taskflow.models import BatchError, RunStatus
from taskflow.store import operations
from taskflow.store.operations.making import NewRun
from taskflow.store.wire import new_batch_id, new_run_id, shard_of_batch
from tests.support.bench import CLASS, Bench
from tests.support.permanent_keys import is_permanent

BATCH = "batch_00" + "1" * 31
WRONG = BatchError(1, "t", "PayloadError", "no")


def a_run(**more: Any) -> NewRun:
    """Return a run to make."""
    return replace(NewRun(new_run_id(0), "t", b"1", None, "task/t", CLASS, 3), **more)


def test_many_runs_are_made_in_one_call_like_one_by_one(bench: Bench) -> None:
    """With their options, in their order, each with its ticket; a repeated call changes nothing."""
    key = idempotency_keys.create("k")
    news = [a_run(), a_run(due=timedelta(hours=1)), a_run(idempotency_key=key), a_run(idempotency_key=key, tags=("x",))]
    made = bench.run(operations.batches.trigger_runs(news))
    assert made == [*((new.id, True) for new in news[:3]), (news[2].id, False)]
    assert [ticket.run_id for ticket in bench.published] == [news[0].id, news[2].id]
    again = bench.run(operations.batches.trigger_runs(news))
    assert again == [(run_id, False) for run_id, _ in made]
    assert len(bench.published) == 2
    ids = [new.id for new in news]
    statuses = bench.run(operations.batches.read_statuses(ids))
    assert statuses == [RunStatus.QUEUED, RunStatus.DELAYED, RunStatus.QUEUED, None]
    alone = bench.trigger(id=new_run_id(0), payload=b"1")
    one, other = (bench.client.hgetall(bench.key(f"run:{run_id}")) for run_id in (alone, ids[0]))
    assert set(one) == set(other)


def test_runs_of_one_call_share_the_limit_of_their_queue(bench: Bench) -> None:
    """The script that makes many reserves no more slots than the one that makes one."""
    bench.node(queue="q")
    first = bench.trigger("q", limit=2)
    bench.run(operations.batches.trigger_runs([a_run(queue="q") for _ in range(5)]))
    assert first in bench.slots("q")
    assert len(bench.slots("q")) == 2


def test_a_batch_is_recorded_part_by_part(bench: Bench) -> None:
    """Its parts may be written again; the last one closes it; it expires."""
    with pytest.raises(BatchNotFoundError):
        bench.run(operations.batches.read_batch(BATCH))
    second = operations.batches.write_batch(BATCH, 2, ["run_c"], count=3, key="k")
    bench.run(operations.batches.write_batch(BATCH, 0, ["run_a", None], [WRONG], key="k"))
    stored = bench.run(operations.batches.read_batch(BATCH))
    assert (stored.count, stored.run_ids, stored.errors, stored.key) == (None, ("run_a", None), (WRONG,), "k")
    bench.pass_time(60)
    for _ in range(2):
        bench.run(second)
    stored = bench.run(operations.batches.read_batch(BATCH))
    assert (stored.count, stored.run_ids, stored.errors) == (3, ("run_a", None, "run_c"), (WRONG,))
    assert stored.written_at - stored.created_at >= timedelta(seconds=60)
    bench.run(operations.batches.write_batch(BATCH, 0, ["run_a", "run_b"], key="k"))
    assert bench.run(operations.batches.read_batch(BATCH)).errors == ()
    key = bench.key(f"batch:{BATCH}")
    assert not is_permanent(key)
    assert bench.client.pttl(key) > 0


def test_runs_are_found_by_what_they_have_in_common(bench: Bench) -> None:
    """Among the living and the finished, page by page."""
    bench.node()
    ids = [bench.trigger(tags=("x", "y") if number % 2 else ()) for number in range(4)]
    other = bench.trigger("other")
    bench.finish(bench.claim(ids[1]))

    def found(index: str, **where: Any) -> set[str]:
        cursor, runs = bench.run(operations.batches.find_runs(index, "0", 100, RunFilter(**where)))
        assert cursor == "0"
        return {run.id for run in runs}

    assert found(":live") == {*ids, other} - {ids[1]}
    assert found(":live", tag=["y", "z"]) == {ids[3]}
    assert found(":live", queue="other") == {other}
    assert found(":live", task="none") == set()
    assert found(":finished", status=RunStatus.COMPLETED, task=("t", "u")) == {ids[1]}
    assert found(":finished", status=RunStatus.FAILED) == set()
    made = datetime.fromtimestamp(bench.now[0] / 1e6, UTC)
    assert found(":live", created_from=made - timedelta(hours=1)) == found(":live")
    assert found(":live", created_from=made + timedelta(hours=1)) == set()


def test_a_run_is_read_together_with_its_place_in_the_events(bench: Bench) -> None:
    """A reader that follows the events from there misses none and gets none twice."""
    with pytest.raises(RunNotFoundError):
        bench.run(operations.batches.watch_run("run_none"))
    run_id = bench.trigger(due=timedelta(hours=1))
    place, run = bench.run(operations.batches.watch_run(run_id))
    assert run.status is RunStatus.DELAYED
    bench.run(operations.runs.reschedule_run(run_id, timedelta(hours=2)))
    later = bench.client.xrange(bench.key("events"), f"({place}", "+")
    assert len(later) == 1


def test_many_operations_in_one_write_answer_each_for_itself(one_bench: Bench) -> None:
    """One that fails does not hide the results of the others; scripts that the server lost are loaded again."""
    one_bench.server.client().script_flush()
    store: Any = one_bench.store
    run = a_run()
    made, missing, status = store.run_many(
        [
            (operations.making.trigger_run(run), 0),
            (operations.runs.read_run("run_none"), 0),
            (operations.runs.read_result(run.id), 0),
        ]
    )
    assert made == (run.id, True)
    assert isinstance(missing, TaskflowError)
    assert status[0] is RunStatus.QUEUED
    assert [ticket.run_id for ticket in one_bench.published] == [run.id]
    assert store.run_many([]) == []


def test_a_batch_id_names_its_shard() -> None:
    """That of a key is always the same."""
    assert new_batch_id("k", 7) == new_batch_id("k", 7) != new_batch_id("", 7)
    assert {shard_of_batch(new_batch_id("", 3)) for _ in range(50)} == {0, 1, 2}
    assert shard_of_batch("batch_1") is None
