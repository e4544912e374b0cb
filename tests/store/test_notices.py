"""Notices: whoever listens is woken by what is published, also after a lost connection."""

import asyncio
import threading

import pytest

from taskflow.store.connections.link import Link
from taskflow.store.notices import AsyncNotices, Notices
from tests.support.bench import Bench
from tests.support.waiting import wait_until

KILL = ("CLIENT", "KILL", "TYPE", "pubsub")


def listens(bench: Bench, channel: str) -> bool:
    """Whether the server knows somebody who listens."""
    return bool(bench.redis("PUBSUB", "NUMSUB", channel)[1])


def is_serving() -> bool:
    """Whether a thread listens in this process."""
    return "taskflow-notices" in {thread.name for thread in threading.enumerate()}


def test_threads_are_woken_by_what_is_published(one_bench: Bench) -> None:
    """Over one connection, which is made again when it is lost; the thread ends with the last of them."""
    notices = Notices(one_bench.config)
    with notices.listening(b"a") as first, notices.listening(b"b") as second:
        assert first.wait(10), "the server confirms: from here on nothing is missed"
        for _ in range(2):
            wait_until(lambda: listens(one_bench, "a") and listens(one_bench, "b"), "both to be heard")
            for _ in range(3):
                first.clear()
                one_bench.redis("PUBLISH", "a", "")
                assert first.wait(10)
            second.clear()
            one_bench.redis(*KILL)
            assert second.wait(10), "a lost connection wakes all: they look themselves"
    wait_until(lambda: not listens(one_bench, "a"), "nobody to listen")
    wait_until(lambda: not is_serving(), "the thread to end")
    notices.close()


@pytest.mark.parametrize("wait_ms", [0, 5])
def test_listeners_may_come_and_go_and_the_app_may_close_at_any_moment(one_bench: Bench, wait_ms: int) -> None:
    """No thread of ours fails: pytest would tell."""
    for number in range(20):
        notices = Notices(one_bench.config)
        with notices.listening(b"a") as news:
            news.wait(wait_ms / 1000)
            if number % 2:
                notices.close()
        notices.close()
    wait_until(
        lambda: "taskflow-notices" not in {thread.name for thread in threading.enumerate()}, "the threads to end"
    )


def test_coroutines_are_woken_by_what_is_published(one_bench: Bench) -> None:
    """The same for an event loop."""

    async def listen() -> None:
        notices = AsyncNotices(one_bench.config)
        with notices.listening(b"a") as first, notices.listening(b"b") as second:
            await asyncio.wait_for(first.wait(), 10)
            for _ in range(2):
                while not (listens(one_bench, "a") and listens(one_bench, "b")):
                    await asyncio.sleep(0.01)
                for _ in range(3):
                    first.clear()
                    one_bench.redis("PUBLISH", "a", "")
                    await asyncio.wait_for(first.wait(), 10)
                second.clear()
                one_bench.redis(*KILL)
                await asyncio.wait_for(second.wait(), 10)
        while listens(one_bench, "a"):
            await asyncio.sleep(0.01)

    asyncio.run(listen())


def test_a_channel_left_and_entered_at_the_same_moment_is_listened_to(
    one_bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server hears of the leaving first: else nobody is woken any more."""
    notices = Notices(one_bench.config)
    send = notices._send  # pyright: ignore[reportPrivateUsage]
    entered, is_over = threading.Event(), threading.Event()

    def enter() -> None:
        with notices.listening(b"a"):
            entered.set()
            is_over.wait(10)

    other = threading.Thread(target=enter)

    def send_late(connection: Link, *command: bytes) -> None:
        if command == (b"UNSUBSCRIBE", b"a") and not is_over.is_set():
            other.start()
            entered.wait(0.2)
        send(connection, *command)

    monkeypatch.setattr(notices, "_send", send_late)
    with notices.listening(b"other"):
        with notices.listening(b"a"):
            wait_until(lambda: listens(one_bench, "a"), "it to be heard")
        assert entered.wait(10)
        with notices.listening(b"last") as last:
            assert last.wait(10), "what was sent before is known to the server"
        is_heard = listens(one_bench, "a")
        is_over.set()
        other.join(10)
    notices.close()
    assert is_heard
