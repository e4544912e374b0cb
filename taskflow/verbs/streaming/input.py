"""``streams.input``: a stream of items that anyone with a run's id sends, and that the run reads while it executes."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import aclosing, closing
from datetime import timedelta
from typing import Generic, TypeVar, cast

from taskflow.definition.blocking import refuse_in_event_loop
from taskflow.definition.documents.stream_items import StreamItems
from taskflow.durations import Duration, parse_timeout
from taskflow.errors import StreamClosedError
from taskflow.execution.reporting.current import require_live_run
from taskflow.execution.reporting.live_run import LiveRun
from taskflow.seams.streams import StreamAddress
from taskflow.seams.waits import require_waits
from taskflow.verbs.current import engine
from taskflow.verbs.streaming.asking import Asking
from taskflow.verbs.streaming.listener import Listener, listen

T = TypeVar("T")


class InputStream(Generic[T]):
    """A stream that runs read.

    Each attempt reads it from the beginning, also the items that were sent before the run started or to an earlier
    attempt. ``once``, iteration and ``peek`` of one attempt share one position.

    Verbs that read raise:
        OutsideRunError: No run executes here.
        StreamError: An item does not fit the type. It counts as taken.
        StoreUnavailableError: The store did not answer the first read. Later reads wait for it.
        BlockingCallError: An event loop runs in this thread; await the twin.
    """

    def __init__(self, items: StreamItems) -> None:
        self._items = items

    def __repr__(self) -> str:
        return f"InputStream({self.name!r})"

    @property
    def name(self) -> str:
        """The stream's name, the same in every run."""
        return self._items.name

    def send(self, run_id: str, item: T) -> None:
        """Send an item to a run, in any status except a final one. An attempt reads it when its code asks for it.

        Raises:
            StreamClosedError: The run has ended, or the stream was closed.
            StreamError: The item does not fit the type or is over 1 MB, or the stream would be too large.
            RunNotFoundError: No such run.
            StoreUnavailableError: The store did not answer.
            BlockingCallError: An event loop runs in this thread; await ``asend``.
        """
        refuse_in_event_loop("stream.send", "stream.asend")
        engine().streams.append(self._place(run_id), [self._items.dump(item)])

    async def asend(self, run_id: str, item: T) -> None:
        """Send an item to a run. See ``send``."""
        await engine().streams.aappend(self._place(run_id), [self._items.dump(item)])

    def close(self, run_id: str) -> None:
        """Close a run's stream: the run's iteration ends. Raises as ``send``."""
        refuse_in_event_loop("stream.close", "stream.aclose")
        engine().streams.append(self._place(run_id), [], closing=True)

    async def aclose(self, run_id: str) -> None:
        """Close a run's stream. See ``close``."""
        await engine().streams.aappend(self._place(run_id), [], closing=True)

    def once(self, timeout: Duration | None = None) -> T:
        """Return the next item, as soon as there is one. The run keeps its slot meanwhile.

        Args:
            timeout: How long to wait. None waits for ever.

        Raises:
            StreamTimeoutError: No item came in time.
            StreamClosedError: No item will come: the stream was closed, or the run has ended.
        """
        refuse_in_event_loop("stream.once", "stream.aonce")
        live, longest = require_live_run("stream.once"), parse_timeout(timeout)
        with closing(self._taken(live, longest)) as items:
            for item in items:
                return item
        raise self._closed(live)

    async def aonce(self, timeout: Duration | None = None) -> T:
        """Return the next item, as soon as there is one. See ``once``."""
        live, longest = require_live_run("stream.aonce"), parse_timeout(timeout)
        async with aclosing(self._ataken(live, longest)) as items:
            async for item in items:
                return item
        raise self._closed(live)

    def wait(self, timeout: Duration | None = None) -> T:
        """Let the run wait for the next item, holding neither a slot nor a place in its node. Otherwise as ``once``.

        A durable run that waits long is unloaded. Its journal has the items that it has received.

        Raises:
            StreamTimeoutError, StreamClosedError: As in ``once``.
            BlockingCallError: An event loop runs in this thread; await ``await_next``.
        """
        refuse_in_event_loop("stream.wait", "stream.await_next")
        asking = Asking(self.name, require_live_run("stream.wait"), parse_timeout(timeout))
        return self._load(asking.wait(require_waits("stream.wait")))

    async def await_next(self, timeout: Duration | None = None) -> T:
        """Let the run wait for the next item. The twin of ``wait``."""
        asking = Asking(self.name, require_live_run("stream.await_next"), parse_timeout(timeout))
        return self._load(await asking.await_next(require_waits("stream.await_next")))

    def peek(self) -> T | None:
        """Return the next item without taking it, None when there is none yet."""
        refuse_in_event_loop("stream.peek", "stream.apeek")
        live = require_live_run("stream.peek")
        index = live.inputs.get(self.name, 0)
        with closing(engine().streams.read(self._own(live), index, follow=False)) as documents:
            return next((self._load(document) for document in documents), None)

    async def apeek(self) -> T | None:
        """Return the next item without taking it, None when there is none yet."""
        live = require_live_run("stream.apeek")
        index = live.inputs.get(self.name, 0)
        async with aclosing(engine().streams.aread(self._own(live), index, follow=False)) as documents:
            async for document in documents:
                return self._load(document)
        return None

    def __iter__(self) -> Iterator[T]:
        """Yield the items as they come, until the stream is closed or the run has ended."""
        refuse_in_event_loop("iter(stream)", "aiter(stream)")
        return self._taken(require_live_run("iter(stream)"), None)

    def __aiter__(self) -> AsyncIterator[T]:
        """Yield the items as they come, until the stream is closed or the run has ended."""
        return self._ataken(require_live_run("aiter(stream)"), None)

    def on(self, function: Callable[[T], object]) -> Listener:
        """Call a function with every item that is not yet taken, and every later one, until the attempt ends.

        The function is called in the running event loop, which awaits an ``async def`` function, or else in a thread.
        It does not take items away from other readers. Its errors are logged, and the next item follows.

        Returns:
            The listener. ``listener.off()`` ends it earlier.
        """
        live = require_live_run("stream.on")
        return listen(live, self._own(live), lambda document: function(self._load(document)))

    def _taken(self, live: LiveRun, timeout: timedelta | None) -> Generator[T]:
        index = live.inputs.get(self.name, 0)
        for document in engine().streams.read(self._own(live), index, timeout=timeout):
            if live.take_input(self.name, index):
                yield self._load(document)
            index += 1

    async def _ataken(self, live: LiveRun, timeout: timedelta | None) -> AsyncGenerator[T]:
        index = live.inputs.get(self.name, 0)
        async with aclosing(engine().streams.aread(self._own(live), index, timeout=timeout)) as documents:
            async for document in documents:
                if live.take_input(self.name, index):
                    yield self._load(document)
                index += 1

    def _load(self, document: bytes) -> T:
        return cast("T", self._items.load(document))

    def _place(self, run_id: str) -> StreamAddress:
        return StreamAddress(run_id, "input", self.name)

    def _own(self, live: LiveRun) -> StreamAddress:
        return self._place(live.identity.run_id)

    def _closed(self, live: LiveRun) -> StreamClosedError:
        return StreamClosedError(live.identity.run_id, self.name, "it was closed, or the run has ended")
