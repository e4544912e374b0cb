"""Retries of a block: how often, after what delays, and what ends them. Nothing here really waits."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from taskflow import AbortRun, BlockingCallError, DefinitionError, Retry, RetryAfter, WaitError
from taskflow.retrying.blocks import BlockRetry

NOW = datetime(2030, 1, 1, tzinfo=UTC)


class Waits(list[float]):
    """A retry whose waits are only noted."""

    def __init__(self) -> None:
        super().__init__()
        self.retry = BlockRetry(random=lambda: 0.5, sleep=self.append, asleep=self.anote, now=lambda: NOW)

    async def anote(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def waits() -> Waits:
    return Waits()


def failing(*errors: Exception) -> Iterator[Exception | None]:
    yield from errors
    while True:
        yield None


def raiser(*errors: Exception) -> tuple[list[int], Iterator[Exception | None]]:
    return [], failing(*errors)


def test_a_block_is_called_again_after_the_exact_delays(waits: Waits) -> None:
    """1.5 is the jitter; 1 s doubles, and the fourth attempt returns."""
    calls, errors = raiser(ValueError("1"), ValueError("2"), ValueError("3"))

    def block(attempt: int) -> str:
        calls.append(attempt)
        if error := next(errors):
            raise error
        return "done"

    assert waits.retry.on_error(block, Retry(max_attempts=4)) == "done"
    assert calls == [1, 2, 3, 4]
    assert waits == [1.5, 3.0, 6.0]


def test_the_last_error_is_raised_as_it_is(waits: Waits) -> None:
    """The attempt's record must show what the block raised, not a wrapper."""
    last = KeyError("last")
    errors = failing(ValueError("first"), last)

    def block() -> None:
        if error := next(errors):
            raise error

    with pytest.raises(KeyError) as raised:
        waits.retry.on_error(block, Retry(max_attempts=2))
    assert raised.value is last
    assert waits == [1.5]


def test_abort_run_ends_the_block_at_once_and_retry_after_chooses_the_delay(waits: Waits) -> None:
    """The signals mean in a block what they mean in a task."""
    errors = failing(RetryAfter("2m"), RetryAfter(NOW + timedelta(seconds=7)), RetryAfter(NOW), AbortRun("no use"))

    def block() -> None:
        if error := next(errors):
            raise error

    with pytest.raises(AbortRun, match="no use"):
        waits.retry.on_error(block, Retry(max_attempts=9))
    assert waits == [120, 7, 0]


def test_a_time_without_a_zone_is_refused(waits: Waits) -> None:
    """It would be another instant on each host."""

    def block() -> None:
        raise RetryAfter(datetime(2040, 1, 1))

    with pytest.raises(WaitError, match="no time zone"):
        waits.retry.on_error(block, Retry(max_attempts=9))
    assert waits == []


def test_an_argument_with_a_default_is_no_place_for_the_attempt(waits: Waits) -> None:
    """``lambda url=url: ...`` is how a loop's variable is kept."""

    def kept(value: str = "kept") -> str:
        return value

    assert waits.retry.on_error(kept) == "kept"
    assert waits.retry.on_error(lambda attempt: attempt * 10) == 10
    assert waits.retry.on_error(dict) == {}


def test_what_is_no_error_passes(waits: Waits) -> None:
    """A child told to leave, or Ctrl-C, must not be held by a retry."""

    def block() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        waits.retry.on_error(block)
    assert waits == []


def test_the_decorator_keeps_arguments_and_results(waits: Waits) -> None:
    """Every call has attempts of its own."""
    errors = failing(ValueError(), ValueError())

    @waits.retry.on_error(Retry(max_attempts=3, randomize=False))
    def add(one: int, *, other: int) -> int:
        """Add."""
        if error := next(errors):
            raise error
        return one + other

    assert add(1, other=2) == 3
    assert add(5, other=5) == 10
    assert (add.__name__, add.__doc__, list(waits)) == ("add", "Add.", [1, 2])


async def test_coroutines_are_awaited_again(waits: Waits) -> None:
    """As a function, as a decorator, and by the twin's name for what only returns an awaitable."""
    errors = failing(ValueError(), ValueError())
    more = failing(ValueError())

    async def fetch(attempt: int) -> int:
        if error := next(errors):
            raise error
        return attempt

    @waits.retry.on_error(Retry(randomize=False))
    async def read(name: str) -> str:
        if error := next(more):
            raise error
        return name

    assert await waits.retry.on_error(fetch, Retry(randomize=False)) == 3
    assert await read("x") == "x"
    assert await waits.retry.aon_error(lambda: read("y")) == "y"
    assert waits == [1, 2, 1]


async def test_canceling_ends_a_coroutines_wait_at_once() -> None:
    """A canceled run must not sleep its backoff out."""
    retry = BlockRetry()
    entered = asyncio.Event()

    async def block() -> None:
        entered.set()
        raise ValueError

    waiting = asyncio.create_task(retry.aon_error(block, Retry(min_delay=60, max_delay=60)))
    await entered.wait()
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(waiting, 1)


async def test_a_blocking_retry_is_refused_in_an_event_loop(waits: Waits) -> None:
    """Its delays would stop every other run of the node."""
    with pytest.raises(BlockingCallError, match=r"await retry\.aon_error"):
        waits.retry.on_error(lambda: 1)


def test_a_hidden_coroutine_is_refused(waits: Waits) -> None:
    """It would be returned unawaited, and never tried again."""

    async def fetch() -> int:
        return 1

    with pytest.raises(DefinitionError, match=r"await retry\.aon_error"):
        waits.retry.on_error(lambda: fetch()).close()
