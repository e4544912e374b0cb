"""A store that has lost its last second (an append-only file that was cut, a failover to a replica that lags)."""

from typing import Any

import pytest
import redis

from taskflow.models import RunStatus
from tests.store.test_fence import WRITES, is_taken
from tests.support.bench import Bench
from tests.support.servers import HOST


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
