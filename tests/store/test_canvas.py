"""The outbox of canvas, chords, and what is kept for Celery, in the store."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from taskflow.errors import RunNotFoundError, StaleClaimError
from taskflow.models import AttemptOutcome, RunStatus
from taskflow.store import operations
from taskflow.store.sync_store import Store
from tests.support.bench import ERROR, HEARTBEAT, Bench, make_bench, real_time
from tests.support.servers import RedisServer

HOLD = timedelta(seconds=10)
ASKED = '{"chain": ["a \\u00fc"]}'


def test_a_finished_run_leaves_its_canvas_until_it_is_dropped(bench: Bench) -> None:
    """The caller is told, and if it dies upkeep finds it: after the grace, and again after its own death."""
    bench.node()
    run_id, without = bench.trigger(canvas=ASKED), bench.trigger()
    for each in (run_id, without):
        bench.finish(bench.claim(each))
    assert bench.ended == [run_id]
    assert bench.run(operations.canvas.take_canvas(HOLD)) == []
    bench.pass_time(2.1)
    assert bench.run(operations.canvas.take_canvas(HOLD)) == [run_id]
    assert bench.run(operations.canvas.take_canvas(HOLD)) == []
    bench.pass_time(10.1)
    assert bench.run(operations.canvas.take_canvas(HOLD)) == [run_id]
    ended = bench.run(operations.canvas.claim_canvas(run_id, HOLD))
    assert bench.run(operations.canvas.claim_canvas(run_id, HOLD)) is None
    bench.pass_time(10.1)
    assert bench.run(operations.canvas.claim_canvas(run_id, HOLD)) == ended  # the first claimer died
    assert ended == operations.canvas.EndedRun(run_id, ASKED, RunStatus.COMPLETED, "t", b'"x"', None)
    bench.run(operations.canvas.drop_canvas(run_id))
    bench.run(operations.canvas.drop_canvas(run_id))
    bench.pass_time(20)
    assert bench.run(operations.canvas.take_canvas(HOLD)) == []
    assert bench.run(operations.canvas.claim_canvas(run_id, HOLD)) is None
    with pytest.raises(RunNotFoundError):
        bench.run(operations.canvas.claim_canvas("no-run", HOLD))
    with pytest.raises(RunNotFoundError):
        bench.run(operations.canvas.drop_canvas("no-run"))


def test_a_run_canceled_without_a_node_wakes_upkeep(bench: Bench) -> None:
    """Nobody else would honour its canvas."""
    run_id = bench.trigger(canvas=ASKED)
    hold = timedelta(seconds=2)
    idle = operations.nodes.take_tick("n1", heartbeat=HEARTBEAT, sweep=timedelta(seconds=30), hold=hold)
    bench.run(operations.nodes.reap_nodes(timedelta(seconds=9), HEARTBEAT, ERROR))
    bench.run(operations.nodes.sweep_slots("0"))
    assert not bench.run(idle).due
    bench.run(operations.runs.cancel_run(run_id, ERROR))
    assert bench.run(idle).due
    assert bench.redis("XLEN", bench.key("wake")) == 1
    assert bench.run(operations.canvas.take_canvas(HOLD)) == [run_id]


def test_a_chord_is_complete_once_however_often_its_members_are_counted(bench: Bench) -> None:
    """A repeated count is of no use to it, and after its body was applied nothing is."""
    assert bench.run(operations.canvas.add_chord_part("g", "a", b"1")) is None  # before the size is known
    bench.run(operations.canvas.size_chord("g", 2))
    assert bench.run(operations.canvas.add_chord_part("g", "a", b"other")) is None
    parts = bench.run(operations.canvas.add_chord_part("g", "b", b"2"))
    assert sorted(parts or []) == [b"1", b"2"]
    again = bench.run(
        operations.canvas.add_chord_part("g", "b", b"2")
    )  # the caller that got the parts died: a repeated call gets them again
    assert sorted(again or []) == [b"1", b"2"]
    bench.run(operations.canvas.close_chord("g"))
    assert bench.run(operations.canvas.add_chord_part("g", "b", b"2")) is None
    bench.run(operations.canvas.size_chord("g", 2))
    assert bench.redis("HGETALL", bench.key("chord:g")) == {"done": "1"}
    assert bench.redis("PTTL", bench.key("chord:g")) > 0


def test_one_of_many_racing_members_completes_a_chord(one_bench: Bench) -> None:
    """The last one, whichever it is."""
    store = Store(real_time(one_bench))
    store.run(operations.canvas.size_chord("race", 200))

    def end(member: int) -> bool:
        return store.run(operations.canvas.add_chord_part("race", str(member), b"1")) is not None

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(end, range(200))) == 1
    store.close()


def test_what_is_kept_is_read_forgotten_and_expires(bench: Bench) -> None:
    """A result that somebody may wait for is announced like a run's end."""
    bench.run(operations.canvas.keep_value("group", "id", "[1]"))
    assert bench.redis("XLEN", bench.key("finishes")) == 0
    bench.run(operations.canvas.keep_value("result", "id", '"ü"', is_awaited=True))
    assert bench.redis("XLEN", bench.key("finishes")) == 1
    assert [bench.run(operations.canvas.read_value(kind, "id")) for kind in ("group", "result")] == ["[1]", '"ü"']
    assert 0 < bench.redis("PTTL", bench.key("kept:result:id")) <= bench.config.retention.total_seconds() * 1000
    bench.run(operations.canvas.keep_value("result", "id", ""))
    assert bench.run(operations.canvas.read_value("result", "id")) is None


def test_every_operation_finds_an_adopted_run_on_its_shard(store_server: RedisServer) -> None:
    """Celery's id names none; a lost child that nobody gives up would hold its slot for good."""
    for bench in make_bench(store_server, shards=3, shard=2):
        store = Store(replace(bench.config, clock=None), bench)
        bench.node()
        run_id = bench.trigger(id="0b5e7a4e-celery")
        claimed = bench.claim(run_id)
        store.run_for(run_id, operations.runs.give_up_run(run_id, claimed.claim, AttemptOutcome.LOST, ERROR))
        with pytest.raises(StaleClaimError, match="no-run"):
            store.run_for("no-run", operations.runs.give_up_run("no-run", 1, AttemptOutcome.LOST, ERROR))
        again = bench.claim(run_id)
        finished = operations.runs.finish_run(run_id, again.claim, RunStatus.COMPLETED)
        assert store.run_for(run_id, finished) is RunStatus.COMPLETED
        with pytest.raises(RunNotFoundError):
            store.run_for("no-run", operations.runs.read_run("no-run"))
        store.close()
