"""What type checkers know of the verbs inside of runs and of block retries. Never run."""

from collections.abc import Coroutine
from typing import Any, assert_type

import httpx

from taskflow import ResetHeader, Retry, idempotency_keys, logger, metadata, retry, tags
from taskflow.execution.reporting.metadata import Metadata
from taskflow.retrying.transport import RetryTransport


def told() -> None:
    assert_type(metadata.set("a", {"b": [1, None]}).increment("c").append("d", "e"), Metadata)
    metadata.decrement("a", 0.5).delete("b").del_("c").remove("d", 1).replace({"a": 1})
    assert_type(metadata.get("a"), object)
    assert_type(metadata.current(), dict[str, object])
    metadata.flush()
    tags.add("a", ["b", "c"])
    logger.info("paid", order="o_42", cents=1250)
    with logger.span("charge", order="o_42") as span:
        assert_type(span.set(cents=1250), None)
    idempotency_keys.create(["a", "b"], scope="global")


def plain() -> int:
    return 1


def numbered(attempt: int) -> str:
    return str(attempt)


async def fetch() -> bytes:
    return b""


async def numbered_fetch(attempt: int) -> bytes:
    return bytes(attempt)


@retry.on_error(Retry(max_attempts=5))
def decorated(one: int, *, other: str = "") -> list[str]:
    return [other] * one


@retry.on_error(Retry())
async def adecorated(one: int) -> bytes:
    return bytes(one)


async def blocks() -> None:
    assert_type(retry.on_error(plain, Retry(5)), int)
    assert_type(retry.on_error(plain), int)
    assert_type(retry.on_error(numbered, Retry(5)), str)
    assert_type(retry.on_error(lambda: [1]), list[int])
    coroutine: Coroutine[Any, Any, bytes] = retry.on_error(fetch)
    assert_type(await coroutine, bytes)
    assert_type(await retry.on_error(fetch, Retry()), bytes)
    assert_type(await retry.aon_error(numbered_fetch), bytes)
    assert_type(await retry.aon_error(lambda: fetch(), Retry(2)), bytes)
    assert_type(decorated(2, other="x"), list[str])
    assert_type(await adecorated(2), bytes)


def requests() -> None:
    httpx.Client(transport=retry.http())
    transport = retry.http({429: ResetHeader(), "5xx": Retry(5), "all": None}, timeout=None, connection_error=Retry(2))
    assert_type(transport, RetryTransport)
    httpx.AsyncClient(transport=transport)
    retry.http(transport=httpx.HTTPTransport(retries=0))
