"""Reads that open pages share: one for all, as long as it is new enough."""

import asyncio

import pytest

from taskflow.server.dashboard.shared_reads import forget_reads, shared
from tests.support.dashboard import Dashboard


class Reads:
    """A read that counts its calls."""

    def __init__(self, *, fails_first: bool = False) -> None:
        self.number = 0
        self._fails_first = fails_first

    async def __call__(self) -> int:
        """Return the number of the call, after other tasks had their turn."""
        self.number += 1
        number = self.number
        await asyncio.sleep(0)
        if number == 1 and self._fails_first:
            raise OSError("away")
        return number


async def test_pages_that_ask_at_once_share_one_read(dashboard: Dashboard) -> None:
    """Others of that name get it, too, until it is old or an action has changed something."""
    engine, read = dashboard.flow.engine, Reads()
    assert await asyncio.gather(*(shared(engine, "a", 60, read) for _ in range(5))) == [1] * 5
    assert await shared(engine, "a", 60, read) == 1
    assert await shared(engine, "b", 60, read) == 2
    assert await shared(engine, "a", 0, read) == 3
    forget_reads(engine)
    assert await shared(engine, "a", 60, read) == 4


async def test_a_failed_read_is_not_kept(dashboard: Dashboard) -> None:
    """Those that waited for it get its error, the next one reads anew."""
    engine, read = dashboard.flow.engine, Reads(fails_first=True)
    with pytest.raises(OSError, match="away"):
        await shared(engine, "fails", 60, read)
    assert await shared(engine, "fails", 60, read) == 2


async def test_the_oldest_of_many_names_are_forgotten(dashboard: Dashboard) -> None:
    """Names come from addresses, of which a browser may ask for any number."""
    engine, read = dashboard.flow.engine, Reads()
    for number in range(201):
        await shared(engine, f"name {number}", 60, read)
    assert await shared(engine, "name 200", 60, read) == 201
    assert await shared(engine, "name 0", 60, read) == 202
