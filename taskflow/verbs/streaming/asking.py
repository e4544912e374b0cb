"""One wait of a run for the next item of one of its input streams."""

from datetime import timedelta
from typing import Any, Final, NoReturn

from pydantic_core import to_json

from taskflow import clock
from taskflow.definition.documents.readable import read_object
from taskflow.errors import StreamClosedError, StreamTimeoutError
from taskflow.execution.reporting.live_run import LiveRun
from taskflow.seams.streams import StreamAddress
from taskflow.seams.waits import Wait, Waiter, WaitRequest, Waits
from taskflow.verbs.current import engine

_TIME_IS_UP: Final = b"null"
"""The value of a wait that was due."""


class Asking:
    """One wait for one item. The wait reserves the item when it begins, so that two waits of a run get different items.

    Args:
        timeout: How long to wait. None waits for ever.
    """

    def __init__(self, name: str, live: LiveRun, timeout: timedelta | None) -> None:
        self._place = StreamAddress(live.identity.run_id, "input", name)
        self._live, self._timeout = live, timeout
        self._index = live.reserve_input(name)

    def wait(self, waits: Waits) -> bytes:
        """Return the item's JSON."""
        try:
            (value,) = waits.wait(self._request())
            return self._item(value)
        except BaseException:
            self._live.release_input(self._place.name, self._index)
            raise

    async def await_next(self, waits: Waits) -> bytes:
        """Return the item's JSON."""
        try:
            (value,) = await waits.await_(self._request())
            return self._item(value)
        except BaseException:
            self._live.release_input(self._place.name, self._index)
            raise

    def _request(self) -> WaitRequest:
        name, until = self._place.name, None if self._timeout is None else clock.now() + self._timeout
        what = Wait("input", until=until, name=name)

        def begin(waiter: Waiter) -> Wait:
            engine().streams.ask(self._place, self._index, waiter)
            return what

        async def abegin(waiter: Waiter) -> Wait:
            await engine().streams.aask(self._place, self._index, waiter)
            return what

        return WaitRequest(due=self._timeout, begin=begin, abegin=abegin, label=f"input:{name}", what=what)

    def _item(self, value: bytes) -> bytes:
        if value == _TIME_IS_UP:
            self._raise_ended(is_closed=False)
        answer: Any = read_object(value)
        if "closed" in answer:
            self._raise_ended(is_closed=True)
        return to_json(answer["item"])

    def _raise_ended(self, *, is_closed: bool) -> NoReturn:
        run_id, _, name, _ = self._place
        if is_closed or self._timeout is None:
            raise StreamClosedError(run_id, name, "it was closed")
        raise StreamTimeoutError(run_id, name, self._index, self._timeout)
