"""Followers of a run get what is written about it, over one connection for all of them."""

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from taskflow.errors import StoreUnavailableError
from taskflow.store.async_store import AsyncStore
from taskflow.store.followers import AsyncStreamFollower, StreamEntry, StreamFollower
from taskflow.store.keys import FINISHES
from taskflow.store.sync_store import Store
from tests.support.bench import Bench, real_time
from tests.support.waiting import wait_until

NAME = "taskflow-followers"


class AwayOnce(Store):
    """A store that does not answer the first time."""

    was_asked = False

    def last_stream_id(self, name: str, *, shard: int = 0) -> str:
        """Fail once."""
        if not self.was_asked:
            self.was_asked = True
            raise StoreUnavailableError("away")
        return super().last_stream_id(name, shard=shard)


@pytest.fixture
def store(one_bench: Bench) -> Iterator[Store]:
    """A store of its own on the bench's server."""
    made = AwayOnce(real_time(one_bench))
    made.was_asked = True
    yield made
    made.close()


def listeners() -> int:
    """Return how many threads listen."""
    return [thread.name for thread in threading.enumerate()].count(NAME)


def finish_one(bench: Bench) -> str:
    """Execute a run."""
    run_id = bench.trigger()
    bench.finish(bench.claim(run_id))
    return run_id


def write(bench: Bench, run_id: str) -> None:
    """Write an entry about a run."""
    bench.redis("XADD", bench.key(FINISHES), "*", "run", run_id)


def test_followers_get_the_entries_about_their_run(one_bench: Bench, store: Store) -> None:
    """Those that are written from now on; one thread reads for all, and ends with the last of them."""
    one_bench.node()
    finish_one(one_bench)
    follower, first, second = StreamFollower(store, FINISHES, NAME), list[StreamEntry](), list[StreamEntry]()
    with follower.following("run_a", first.append):
        follower.listen([0])
        with follower.following("run_b", second.append):
            follower.listen([0])
            assert listeners() == 1
            for run_id in ("run_a", "run_b", finish_one(one_bench)):
                write(one_bench, run_id)
            wait_until(lambda: (len(first), len(second)) == (1, 1), "both to have theirs")
        one_bench.redis("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        write(one_bench, "run_b")
        write(one_bench, "run_a")
        wait_until(lambda: len(first) == 2, "the entry behind a lost connection")
    assert [entry.fields["run"] for entry in (*first, *second)] == [b"run_a", b"run_a", b"run_b"]
    assert follower.read_up_to(0) == first[-1].id
    wait_until(lambda: not listeners(), "the thread to end")


def test_a_store_that_is_away_at_first_is_followed_later(one_bench: Bench, store: Any) -> None:
    """Else every wait of the process would look every 5 s, and no end would wake it."""
    store.was_asked = False
    follower, entries = StreamFollower(store, FINISHES, NAME), list[StreamEntry]()
    with pytest.raises(StoreUnavailableError), follower.following("run_a", entries.append):
        follower.listen([0])
    with follower.following("run_a", entries.append):
        follower.listen([0])
        write(one_bench, "run_a")
        wait_until(lambda: len(entries) == 1, "the entry")
    wait_until(lambda: not listeners(), "the thread to end: nobody follows")


def test_coroutines_that_begin_together_share_a_listener(one_bench: Bench) -> None:
    """Each of them awaits where the stream ends; a second task would be a second connection."""

    async def follow(follower: AsyncStreamFollower, run_id: str) -> None:
        came = asyncio.Event()
        with follower.following(run_id, lambda _: came.set()):
            await follower.listen([0])
            await asyncio.to_thread(write, one_bench, run_id)
            await came.wait()
            assert [task.get_name() for task in asyncio.all_tasks()].count(NAME) == 1

    async def follow_both() -> None:
        store = AsyncStore(real_time(one_bench))
        follower = AsyncStreamFollower(store, FINISHES, NAME)
        async with asyncio.timeout(20):
            await asyncio.gather(follow(follower, "run_a"), follow(follower, "run_b"))
        await store.close()

    asyncio.run(follow_both())


def test_a_forked_child_follows_with_threads_of_its_own(one_bench: Bench, store: Store) -> None:
    """A fork copies that its parent listens, and may copy a lock that a thread of the parent held."""
    run_id = one_bench.trigger()
    follower = StreamFollower(store, FINISHES, NAME)
    with follower.following(run_id, lambda _: None), follower._lock:  # pyright: ignore[reportPrivateUsage]  # as a thread may hold it
        child = os.fork()
        if child == 0:
            signal.alarm(10)  # a child that waits for its parent's lock would wait for ever
            written = threading.Event()
            try:
                with follower.following(run_id, lambda _: written.set()):
                    follower.listen([0])
                    write(one_bench, run_id)
                    os._exit(0 if written.wait(5) else 1)
            finally:
                os._exit(2)
        assert os.waitpid(child, 0)[1] == 0
    follower.close()
