"""A store that has lost its last second (an append-only file that was cut, a failover to a replica that lags)."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, Never

import pytest
import redis

from taskflow.engine.streams import StreamEngine
from taskflow.models import RunStatus
from taskflow.seams.streams import StreamAddress
from taskflow.store.notices import Notices
from taskflow.store.operations.streams import StreamLimits
from taskflow.store.sync_store import Store
from tests.store.test_fence import WRITES, is_taken
from tests.support.bench import Bench, real_time
from tests.support.servers import HOST
from tests.support.waiting import wait_until


def all_keys(bench: Bench) -> dict[bytes, bytes]:
    """Return every key of the shard with its value as the server dumps it."""
    with raw_client(bench) as client:
        return {key: client.dump(key) for key in client.keys(bench.key("*"))}


def go_back(bench: Bench, kept: dict[bytes, bytes]) -> None:
    """Give the store back what it had when ``kept`` was taken."""
    with raw_client(bench) as client:
        client.delete(*client.keys(bench.key("*")))
        for key, value in kept.items():
            client.restore(key, 0, value)


def raw_client(bench: Bench) -> Any:
    """Return a client that does not decode."""
    return redis.Redis(host=HOST, port=bench.server.port)


@pytest.mark.parametrize("name", WRITES)
def test_a_forgotten_claim_is_not_taken_for_the_one_after_it(one_bench: Bench, name: str) -> None:
    """Two nodes, or two children of one, execute the run then. Only the claim that the store has is good."""
    bench = one_bench
    bench.node()
    run_id = bench.trigger()
    kept = all_keys(bench)
    first = bench.claim(run_id, pid=1)
    go_back(bench, kept)
    second = bench.claim(run_id, pid=2)
    assert not is_taken(bench, WRITES[name](run_id, first.claim))
    assert bench.status(run_id) is RunStatus.EXECUTING
    assert is_taken(bench, WRITES[name](run_id, second.claim))


def test_a_claim_is_newer_than_those_before_although_the_clock_goes_back(one_bench: Bench) -> None:
    """Its number is the instant by the store's clock, and always above the last one."""
    bench = one_bench
    bench.node()
    run_id = bench.trigger()
    first = bench.claim(run_id)
    bench.pass_time(-60)
    assert bench.give_up(first)
    assert bench.claim(run_id).claim > first.claim


def test_a_reader_gets_the_items_that_were_given_the_indexes_of_lost_ones(one_bench: Bench) -> None:
    """It has read further than the stream reaches now, and would miss as many items as were lost."""
    bench = one_bench
    bench.node()
    claimed = bench.claim(bench.trigger())
    place = StreamAddress(claimed.run_id, "stream", "s", claimed.claim)
    store = Store(real_time(bench))
    engine = StreamEngine(store, loop_of_nobody, StreamLimits(), Notices(store.config))
    try:
        engine.append(place, [b"1", b"2"])
        kept = all_keys(bench)
        engine.append(place, [b"3", b"4"])
        reader = engine.read(place, 1, timeout=timedelta(seconds=10))
        assert [next(reader) for _ in range(3)] == [b"2", b"3", b"4"]
        later = engine.read(place, 3, timeout=timedelta(seconds=10))
        assert next(later) == b"4"
        go_back(bench, kept)
        with ThreadPoolExecutor(2) as threads:
            looked = [threads.submit(next, each) for each in (reader, later)]
            wait_until(lambda: engine_listens(bench, place), "the readers to follow the stream")
            engine.append(place, [b"5"])
            assert looked[0].result(10) == b"5"
            engine.append(place, [b"6", b"7"])
            assert looked[1].result(10) == b"6"
        assert [next(reader), next(reader)] == [b"6", b"7"]
    finally:
        engine.close()
        store.close()


def engine_listens(bench: Bench, place: StreamAddress) -> bool:
    """Whether somebody listens for items of a stream."""
    _, subscribers = bench.redis("PUBSUB", "NUMSUB", bench.key(f"stream:{place.run_id}:{place.name}"))
    return bool(subscribers)


def loop_of_nobody() -> Never:
    """Return no event loop: all verbs here block."""
    raise AssertionError
