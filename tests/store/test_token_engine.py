"""The engine of tokens on a store of several shards: a token lives where its run does, or anywhere."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from taskflow.definition.calls.idempotency import idempotency_keys
from taskflow.definition.calls.tokens import TokenStatus
from taskflow.definition.context import entered
from taskflow.engine.loops import Loops
from taskflow.engine.tokens import TokenEngine
from taskflow.errors import TokenDataError, TokenNotFoundError, WaitError
from taskflow.seams.server_secret import ServerSecret
from taskflow.seams.token_links import TokenLinks
from taskflow.seams.tokens import TokenOptions, TokenQuery
from taskflow.seams.waits import Waiter
from taskflow.settings import Settings
from taskflow.store.async_store import AsyncStore
from taskflow.store.operations.waits import OpenedWait, read_waits, wait_run
from taskflow.store.sync_store import Store
from taskflow.store.wire import new_run_id, new_token_id, shard_of_token
from taskflow.testing import context
from tests.support.bench import Bench, make_bench
from tests.support.servers import RedisServer

SHARDS = 3


@pytest.fixture
def sharded(valkey: RedisServer) -> Iterator[Bench]:
    """A store of three shards; its runs are on the first."""
    yield from make_bench(valkey, shards=SHARDS)


@pytest.fixture
def engine(sharded: Bench, tmp_path: Path) -> TokenEngine:
    """An engine that takes 100 bytes of data."""
    assert isinstance(sharded.store, Store)
    settings = Settings.read(home=tmp_path)
    loop = Loops(lambda: AsyncStore(sharded.config)).current
    return TokenEngine(sharded.store, loop, timedelta(hours=1), 100, TokenLinks(settings, ServerSecret(settings)))


def on_shard(engine: TokenEngine, shard: int) -> str:
    """Return a token of a shard."""
    while True:
        token_id = engine.create(TokenOptions()).id
        if shard_of_token(token_id) == shard:
            return token_id


@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_token_that_is_done_wakes_a_run_of_any_shard_at_once(sharded: Bench, engine: TokenEngine, shard: int) -> None:
    """Nobody has to perform an effect for that."""
    sharded.node()
    run_id = sharded.trigger()
    claimed = sharded.claim(run_id)
    token_id = on_shard(engine, shard)
    assert engine.complete(token_id, b"5")
    sharded.run(wait_run(run_id, claimed.claim, [OpenedWait("w", 1)]))
    assert engine.wait(token_id, Waiter(run_id, "w")) is None
    assert sharded.run(read_waits(run_id, ["w"])).values == {"w": (b'{"status":"COMPLETED","output":5}',)}


def test_a_token_lives_where_its_run_does_and_a_global_key_where_it_is_found(engine: TokenEngine) -> None:
    """A key of a run is one for each run; a global one is the same in a run and outside of all."""
    found: set[str] = set()
    for shard in range(SHARDS):
        with entered(context(run_id=new_run_id(shard))):
            own, *_ = engine.create(TokenOptions(idempotency_key=idempotency_keys.create("k")))
            again = engine.create(TokenOptions(idempotency_key=idempotency_keys.create("k")))
            shared, *_ = engine.create(TokenOptions(idempotency_key=idempotency_keys.create("k", scope="global")))
        assert shard_of_token(own) == shard
        assert again[:2] == (own, True)
        found.add(shared)
    assert len(found) == 1
    assert engine.create(TokenOptions(idempotency_key=idempotency_keys.create("k")))[:2] == (found.pop(), True)


def test_pages_go_through_all_shards_newest_first(sharded: Bench, engine: TokenEngine) -> None:
    """Tokens of one microsecond among them."""
    made: list[tuple[int, str]] = []
    for number in range(20):
        sharded.now[0] += number % 2
        made.append((sharded.now[0], engine.create(TokenOptions())[0]))
    query = TokenQuery(TokenStatus.WAITING, (), 3, None)
    listed: list[str] = []
    while True:
        page = engine.list(query)
        listed += [token.id for token in page]
        if page.cursor is None:
            break
        assert len(page) == 3
        query = TokenQuery(TokenStatus.WAITING, (), 3, page.cursor)
    assert listed == [token_id for _, token_id in sorted(made, reverse=True)]
    with pytest.raises(WaitError, match="the cursor of a page"):
        engine.list(TokenQuery(None, (), 3, "x"))


def test_data_is_bounded_and_an_id_that_is_none_is_not_looked_for(engine: TokenEngine) -> None:
    token_id = engine.create(TokenOptions()).id
    with pytest.raises(TokenDataError, match="its JSON is 101 bytes and the limit is 100"):
        engine.complete(token_id, b'"' + b"x" * 99 + b'"')
    assert engine.retrieve(token_id).status is TokenStatus.WAITING
    for wrong in ("", "token_00", "run_1", new_token_id(SHARDS), token_id + "\n"):
        with pytest.raises(TokenNotFoundError, match="No token"):
            engine.retrieve(wrong)
