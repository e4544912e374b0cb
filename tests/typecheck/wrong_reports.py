"""Calls inside of runs that type checkers must refuse. Never run; see ``wrong_calls``."""
# pyright: reportUnnecessaryTypeIgnoreComment=error

from taskflow import ResetHeader, Retry, logger, metadata, retry, tags
from tests.typecheck.right_reports import decorated, plain


def two(one: int, other: int) -> int:
    return one + other


def wrong() -> None:
    metadata.set(1, 1)  # type: ignore[arg-type]  # a key is text
    metadata.increment("a", "1")  # type: ignore[arg-type]  # by a number
    metadata.parent.get("a")  # type: ignore[attr-defined]  # another run's is only written
    metadata.replace([1])  # type: ignore[arg-type]  # a mapping
    tags.add(1)  # type: ignore[arg-type]  # text
    logger.info(order="o_42")  # type: ignore[call-arg]  # a message
    retry.on_error(plain, 3)  # type: ignore[call-overload]  # Retry(3)
    retry.on_error(two)  # type: ignore[arg-type]  # at most the attempt
    decorated("2")  # type: ignore[arg-type]  # the decorator keeps the types
    retry.http({"5xx": 3})  # type: ignore[dict-item]  # Retry(3)
    ResetHeader("x-reset", "unix")  # type: ignore[arg-type]  # not a format
    Retry(max_attempts="3")  # type: ignore[arg-type]  # a number
