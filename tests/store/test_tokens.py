"""Tokens: completed once, by whoever is first; what waits for them goes on exactly once."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from taskflow.definition.calls.idempotency import idempotency_keys
from taskflow.definition.calls.token_schema import schema_digest
from taskflow.definition.calls.tokens import Token, TokenStatus
from taskflow.engine.effects import perform_effect
from taskflow.errors import TokenNotFoundError
from taskflow.models import RunStatus
from taskflow.seams.waits import Waiter
from taskflow.store import operations
from taskflow.store.operations.operation import Operation
from taskflow.store.operations.tokens import (
    NewToken,
    Unchecked,
    complete_token,
    create_token,
    list_tokens,
    read_token,
    watch_token,
)
from taskflow.store.operations.waits import OpenedWait, close_waits, read_waiters, read_waits, resume_run, wait_run
from taskflow.store.wire import new_token_id
from tests.support.bench import ERROR, Bench, make_bench
from tests.support.permanent_keys import is_permanent
from tests.support.servers import RedisServer

KEPT = timedelta(hours=1)
DONE = b'{"status":"COMPLETED","output":{"yes":true}}'


def token(bench: Bench, key: str | None = None, **options: object) -> str:
    """Make a token and return its id."""
    made = idempotency_keys.create(key) if key else None
    new = NewToken(new_token_id(bench.shard), KEPT, key=made, **options)  # type: ignore[arg-type]  # passed on
    return bench.run(create_token(new))[0]


def complete(bench: Bench, token_id: str) -> bool:
    """Complete a token."""
    return bench.run(complete_token(token_id, b'{"yes":true}')) is True


def waits_for(bench: Bench, token_id: str, run_id: str | None = None) -> str:
    """Let a run wait for a token."""
    run_id = run_id or bench.trigger()
    claimed = bench.claim(run_id)
    bench.run(wait_run(run_id, claimed.claim, [OpenedWait("w", 1)]))
    bench.run(watch_token(token_id, Waiter(run_id, "w")))
    bench.run(wait_run(run_id, claimed.claim, [], ["w"]))
    return run_id


def waiters(bench: Bench, token_id: str) -> int:
    """Return how many waits a token knows."""
    return int(bench.client.scard(bench.key(f"waiters:{token_id}")))


def test_the_first_completion_wakes_all_that_wait_and_the_later_ones_change_nothing(bench: Bench) -> None:
    bench.node()
    token_id = token(bench)
    run_ids = [waits_for(bench, token_id) for _ in range(3)]
    assert {bench.status(run_id) for run_id in run_ids} == {RunStatus.WAITING}
    assert complete(bench, token_id)
    assert not bench.run(complete_token(token_id, b"2"))
    for run_id in run_ids:
        assert bench.status(run_id) is RunStatus.EXECUTING
        assert bench.run(read_waits(run_id, ["w"])).values == {"w": (DONE,)}
    assert bench.run(read_token(token_id)).output == {"yes": True}


def test_an_output_is_checked_against_the_schema_before_it_completes(bench: Bench) -> None:
    """The reply is the schema unless the call names it, and the token stays open. Lists do not carry it."""
    schema = '{"type":"integer"}'
    token_id = token(bench, schema=schema)
    for checked in ("", schema_digest('{"type":"string"}')):
        assert bench.run(complete_token(token_id, b"1", checked)) == Unchecked(schema)
    assert bench.run(read_token(token_id)).status is TokenStatus.WAITING
    assert bench.run(read_token(token_id)).schema == {"type": "integer"}
    assert bench.run(complete_token(token_id, b"1", schema_digest(schema))) is True
    assert bench.run(complete_token(token_id, b"2")) is False
    assert [each.schema for _, each in bench.run(list_tokens("", 10, None, ()))[1]] == [None]


def test_a_token_with_an_output_that_cannot_be_read_back_breaks_no_list(bench: Bench) -> None:
    """Earlier versions took an integer of more digits than Python reads."""
    odd, other = token(bench), token(bench)
    assert complete(bench, odd)
    bench.redis("HSET", bench.key(f"token:{odd}"), "output", "9" * 5000, "timeout", "1e300")
    shown = {each.id: each.output for _, each in bench.run(list_tokens("", 10, None, ()))[1]}
    assert shown == {odd: "(an integer of 5,000 digits)", other: None}
    assert bench.run(read_token(odd)).output == "(an integer of 5,000 digits)"


def test_a_repeated_call_is_told_what_the_first_did(bench: Bench) -> None:
    """Its reply was lost: the same operation is sent again."""
    new = create_token(NewToken(new_token_id(0), KEPT))
    assert bench.run(new) == bench.run(new)
    completion = complete_token(bench.run(new)[0], b"1")
    assert bench.run(completion)
    assert bench.run(completion)


def test_a_token_that_is_done_lets_a_wait_go_on_at_once(bench: Bench) -> None:
    bench.node()
    token_id = token(bench)
    complete(bench, token_id)
    run_id = waits_for(bench, token_id)
    assert bench.status(run_id) is RunStatus.EXECUTING
    assert waiters(bench, token_id) == 0


def test_a_timeout_is_told_and_a_completion_after_it_is_none(bench: Bench) -> None:
    bench.node()
    token_id = token(bench, timeout=timedelta(seconds=1))
    run_id = waits_for(bench, token_id)
    bench.pass_time(1.1)
    bench.upkeep()
    assert bench.run(read_waits(run_id, ["w"])).values == {"w": (b'{"status":"TIMED_OUT","output":null}',)}
    assert not complete(bench, token_id)
    assert bench.run(read_token(token_id)).status is TokenStatus.TIMED_OUT


def test_an_idempotency_key_gives_the_same_token_until_its_time_is_up(bench: Bench) -> None:
    """Completed or not; a token that is forgotten frees it, too."""
    first = token(bench, "one", key_ttl=timedelta(milliseconds=50))
    assert token(bench, "one") == first
    assert complete(bench, first)
    assert token(bench, "one") == first
    assert token(bench, "two") != first
    bench.client.delete(bench.key(f"token_key:{idempotency_keys.create('one').digest}"))  # as its TTL does
    other = token(bench, "one")
    assert other != first
    bench.client.delete(bench.key(f"token:{other}"))
    assert token(bench, "one") not in (first, other)


def test_a_wait_that_is_over_leaves_its_token(bench: Bench) -> None:
    """Given up, retried, or of a run that has ended: a token that is open for years keeps none of them."""
    bench.node()
    token_id = token(bench)
    given_up, retried, finished = (waits_for(bench, token_id) for _ in range(3))
    assert waiters(bench, token_id) == 3
    claims = {run_id: int(bench.field(run_id, "claim")) for run_id in (given_up, retried, finished)}
    bench.run(resume_run(given_up, claims[given_up]))
    bench.run(close_waits(given_up, claims[given_up] + 1, ["w"]))
    bench.run(operations.runs.retry_run(retried, claims[retried], ERROR, timedelta(0)))
    bench.run(operations.runs.finish_run(finished, claims[finished], RunStatus.COMPLETED, output=b"1"))
    assert waiters(bench, token_id) == 0
    waits_for(bench, token_id, retried)
    assert complete(bench, token_id)
    assert bench.status(retried) is RunStatus.EXECUTING


def test_a_token_is_forgotten_a_while_after_it_is_done(bench: Bench) -> None:
    """And leaves nothing behind."""
    bench.node()
    for key, timeout in (("k", None), (None, timedelta(seconds=1))):
        token_id = token(bench, key, timeout=timeout, tags=["a"])
        complete(bench, token_id)
        assert not [key for key in bench.client.keys(bench.key("token*:*")) if bench.client.pttl(key) < 0]
        bench.pass_time(KEPT.total_seconds() + 1)
        bench.beat("n1")
        bench.upkeep()
        with pytest.raises(TokenNotFoundError):
            bench.run(read_token(token_id))
    assert not bench.client.exists(bench.key("tokens"))
    assert not bench.client.zcard(bench.key("timers"))


def test_an_open_token_is_on_the_permanent_list(one_bench: Bench) -> None:
    one_bench.node()
    waits_for(one_bench, token(one_bench, "k"))
    keys = [key for key in one_bench.client.keys("*") if "token" in key]
    assert len(keys) == 4
    assert all(is_permanent(key) for key in keys)


def test_an_unknown_token_is_named(bench: Bench) -> None:
    unknown = new_token_id(0)
    waiter = Waiter(bench.trigger(), "w")
    calls: list[Operation[Any]] = [complete_token(unknown, b"1"), read_token(unknown), watch_token(unknown, waiter)]
    for operation in calls:
        with pytest.raises(TokenNotFoundError, match="token_00"):
            bench.run(operation)


def listed(bench: Bench, limit: int = 300, **where: object) -> Iterator[Token]:
    """Yield all tokens, page by page."""
    cursor = ""
    while True:
        wanted = list_tokens(cursor, limit, where.get("status"), where.get("tags", ()))  # type: ignore[arg-type]
        cursor, found = bench.run(wanted)
        yield from (each for _, each in found)
        if not cursor:
            return


def test_tokens_are_listed_newest_first_by_status_and_tag(bench: Bench) -> None:
    """However many the filter leaves out, and however small a page is."""
    ids = [token(bench, tags=["even" if number % 2 == 0 else "odd"]) for number in range(250)]
    complete(bench, ids[4])
    assert [each.id for each in listed(bench, 7)] == ids[::-1]
    assert [each.id for each in listed(bench, 30, tags=["even", "none"])] == ids[::2][::-1]
    assert [each.id for each in listed(bench, status=TokenStatus.COMPLETED, tags=["even"])] == [ids[4]]
    assert not list(listed(bench, status=TokenStatus.COMPLETED, tags=["odd"]))


def test_a_thousand_runs_that_wait_for_one_token_are_told_bit_by_bit(one_bench: Bench) -> None:
    """No script holds the store for long; who waits elsewhere is told in the same way."""
    bench = one_bench
    bench.node(capacity=2000)
    token_id = token(bench)
    run_ids = [waits_for(bench, token_id) for _ in range(300)]
    complete(bench, token_id)
    assert bench.run(operations.nodes.read_effects()) == [f"deliver:{token_id}"]
    perform_effect(bench.store, 0, f"deliver:{token_id}")  # type: ignore[arg-type]  # the blocking shell
    assert {bench.status(run_id) for run_id in run_ids} == {RunStatus.EXECUTING}
    assert waiters(bench, token_id) == 0


def test_a_run_waits_for_a_token_on_another_shard(valkey: RedisServer) -> None:
    """The token tells it by a second operation; one that is done gives its value at once."""
    for bench in make_bench(valkey, shards=2):
        bench.node()
        run_id = bench.trigger()
        claimed = bench.claim(run_id)
        bench.shard = 1
        open_token, done = token(bench), token(bench)
        complete(bench, done)
        bench.shard = 0
        bench.run(wait_run(run_id, claimed.claim, [OpenedWait("w", 1)]))
        bench.shard = 1
        assert bench.run(watch_token(done, Waiter(run_id, "w"))) == (None, DONE)
        assert bench.run(watch_token(open_token, Waiter(run_id, "w"))) == (None, b"")
        complete(bench, open_token)
        perform_effect(bench.store, 1, f"deliver:{open_token}")  # type: ignore[arg-type]  # the blocking shell
        bench.shard = 0
        assert bench.run(read_waits(run_id, ["w"])).values == {"w": (DONE,)}


def test_who_comes_while_others_are_told_is_told_as_well(valkey: RedisServer) -> None:
    """Of an end on another shard: between the reading of who waits and the end of the telling."""
    for bench in make_bench(valkey, shards=2):
        bench.node()
        child = bench.trigger()
        bench.finish(bench.claim(child))
        bench.shard = 1
        parents = [bench.trigger(), bench.trigger()]
        bench.shard = 0
        again: dict[str, Any] = {"id": child}
        bench.trigger(waiter=Waiter(parents[0], "w"), **again)
        told = bench.run(read_waiters(child))[1]
        bench.trigger(waiter=Waiter(parents[1], "w"), **again)
        bench.run(operations.nodes.drop_effect(f"deliver:{child}", notified=len(told)))
        assert bench.run(operations.nodes.read_effects()) == [f"deliver:{child}"]
        told = bench.run(read_waiters(child))[1]
        assert {waiter.run_id for waiter in told} == set(parents)
        bench.run(operations.nodes.drop_effect(f"deliver:{child}", notified=len(told)))
        assert bench.run(operations.nodes.read_effects()) == []
        assert waiters(bench, child) == 0


def test_a_wait_that_is_gone_is_not_begun_for_a_token(bench: Bench) -> None:
    """Its run was canceled before its code came to it: nothing of it stays in the store."""
    bench.node()
    token_id, run_id = token(bench), bench.trigger()
    claimed = bench.claim(run_id)
    bench.run(wait_run(run_id, claimed.claim, [OpenedWait("w", 1)]))
    bench.run(operations.runs.cancel_run(run_id, ERROR))
    bench.run(watch_token(token_id, Waiter(run_id, "w")))
    assert waiters(bench, token_id) == 0
    assert not bench.client.exists(bench.key(f"waits:{run_id}"))
