"""The store on each server that it supports, driven through both shells."""

from collections.abc import Iterator

import pytest

from tests.support.bench import Bench, make_bench
from tests.support.servers import RedisServer


@pytest.fixture(params=["sync", "async"])
def bench(request: pytest.FixtureRequest, store_server: RedisServer) -> Iterator[Bench]:
    """A bench on each server, through each shell; the test's tickets are published by the caller."""
    yield from make_bench(store_server, request.param)


@pytest.fixture
def one_bench(store_server: RedisServer) -> Iterator[Bench]:
    """A bench on each server, through the blocking shell only."""
    yield from make_bench(store_server)
