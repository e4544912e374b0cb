"""``streams.define``: what a run tells while it executes, item by item, to whoever reads."""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Generator, Iterable, Iterator
from contextlib import aclosing, suppress
from types import TracebackType
from typing import Generic, Self, TypeVar, cast

from taskflow.definition.blocking import refuse_in_event_loop
from taskflow.definition.documents.stream_items import StreamItems
from taskflow.definition.durations import Duration, parse_timeout
from taskflow.errors import TaskflowError
from taskflow.seams.streams import StreamAddress, StreamWriter
from taskflow.verbs.current import engine
from taskflow.verbs.streaming.target import target_of

T = TypeVar("T")


class OutputStream(Generic[T]):
    """A stream that runs append to. Every run has its own; ``target`` says which is meant.

    ``target`` is ``"self"``, the run that executes here, ``"parent"`` or ``"root"``, the run that triggered it and the
    first of all (for a run without them it is the run itself), or a run's id, from anywhere.

    Within a run, items are sent in the background, thousands in one write, within milliseconds, and the attempt ends
    when all are written; what was not yet written when a worker is killed is lost. A retried attempt appends behind
    what the attempts before it wrote. Elsewhere ``append`` returns when the item is written.

    Verbs that append raise:
        StreamError: An item does not fit the type or is over 1 MB, or the stream would be too large. Within a run the
            latter is told by a later call; StreamClosedError when the run has ended or the stream is closed.
        RunNotFoundError: No such run.
        OutsideRunError: No run executes here, and the target is none by id.
        StoreUnavailableError: The store did not answer. Within a run it is waited for.
        BlockingCallError: An event loop runs in this thread; await the twin.
    """

    def __init__(self, items: StreamItems) -> None:
        self._items = items

    def __repr__(self) -> str:
        return f"OutputStream({self.name!r})"

    @property
    def name(self) -> str:
        """The stream's name, the same in every run."""
        return self._items.name

    def append(self, item: T, *, target: str = "self") -> None:
        """Append an item."""
        refuse_in_event_loop("stream.append", "stream.aappend")
        document, found = self._items.dump(item), target_of(self.name, target, "stream.append")
        if found.live is None:
            engine().streams.append(found.place, [document])
        elif (writer := found.writer()).put(document):
            writer.flush()

    async def aappend(self, item: T, *, target: str = "self") -> None:
        """Append an item. See ``append``."""
        document, found = self._items.dump(item), target_of(self.name, target, "stream.aappend")
        if found.live is None:
            await engine().streams.aappend(found.place, [document])
        elif (writer := found.writer()).put(document):
            await writer.aflush()

    def writer(self, *, target: str = "self") -> "ItemWriter[T]":
        """Return who appends many items: ``with tokens.writer() as write: write("Hel")``, or ``async with``.

        The block ends when all are written, and raises what was refused.
        """
        return ItemWriter(self._items, target_of(self.name, target, "stream.writer").writer())

    def pipe(self, items: Iterable[T], *, target: str = "self") -> "Pipe[T]":
        """Append what an iterable yields, as it comes: iterate over what is returned, or ``drain()`` it.

        The items pass through: ``text = "".join(tokens.pipe(model.stream(prompt)))``.
        """
        return Pipe(items, self.writer(target=target))

    def apipe(self, items: AsyncIterable[T], *, target: str = "self") -> "AsyncPipe[T]":
        """Append what an async iterable yields, as it comes: ``async for`` over it, or ``await ….adrain()``."""
        return AsyncPipe(items, self.writer(target=target))

    def close(self, *, target: str = "self") -> None:
        """Say that nothing will follow: readers end before the run does. Another attempt may open it again."""
        refuse_in_event_loop("stream.close", "stream.aclose")
        found = target_of(self.name, target, "stream.close")
        if found.live is not None:
            found.writer().flush()
        engine().streams.append(found.place, [], closing=True)

    async def aclose(self, *, target: str = "self") -> None:
        """Say that nothing will follow. See ``close``."""
        found = target_of(self.name, target, "stream.aclose")
        if found.live is not None:
            await found.writer().aflush()
        await engine().streams.aappend(found.place, [], closing=True)

    def read(self, run_id: str, *, start_index: int = 0, timeout: Duration | None = None) -> Generator[T]:
        """Yield the items of a run from an index on, then those to come, until the run has ended.

        A lost connection is made again: no item is missed and none comes twice. Who was away goes on with
        ``start_index``, the number of items that it has; items stay as long as the run's record.

        Args:
            timeout: How long no item may come. None waits for ever.

        Raises:
            RunNotFoundError: No such run, or its record has expired.
            StreamTimeoutError: No item came in time.
            StreamError: An item does not fit the type.
            StoreUnavailableError: The store did not answer at first; later on it is waited for.
            BlockingCallError: An event loop runs in this thread; use ``async for`` over ``aread``.
        """
        refuse_in_event_loop("stream.read", "stream.aread")
        longest = parse_timeout(timeout)
        found = engine().streams.read(StreamAddress(run_id, "stream", self.name), start_index, timeout=longest)
        return self._loaded(found)

    def aread(self, run_id: str, *, start_index: int = 0, timeout: Duration | None = None) -> AsyncGenerator[T]:
        """Yield the items of a run from an index on, then those to come. See ``read``."""
        longest = parse_timeout(timeout)
        found = engine().streams.aread(StreamAddress(run_id, "stream", self.name), start_index, timeout=longest)
        return self._aloaded(found)

    def _loaded(self, documents: Generator[bytes]) -> Generator[T]:
        for document in documents:
            yield cast("T", self._items.load(document))

    async def _aloaded(self, documents: AsyncGenerator[bytes]) -> AsyncGenerator[T]:
        async with aclosing(documents):
            async for document in documents:
                yield cast("T", self._items.load(document))


class ItemWriter(Generic[T]):
    """Appends items in order; the ``with`` block ends when all are written. Made by ``stream.writer()``."""

    def __init__(self, items: StreamItems, writer: StreamWriter) -> None:
        self._items, self._writer = items, writer

    def __call__(self, item: T) -> None:
        """Append an item. The same as ``write``."""
        self.write(item)

    def write(self, item: T) -> None:
        """Append an item. Waits only when a thousand items, or a megabyte, are not yet written."""
        refuse_in_event_loop("writer.write", "writer.awrite")
        if self._writer.put(self._items.dump(item)):
            self._writer.flush()

    async def awrite(self, item: T) -> None:
        """Append an item. See ``write``."""
        if self._writer.put(self._items.dump(item)):
            await self._writer.aflush()

    def flush(self) -> None:
        """Return when all items are written."""
        refuse_in_event_loop("writer.flush", "writer.aflush")
        self._writer.flush()

    async def aflush(self) -> None:
        """Return when all items are written."""
        await self._writer.aflush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.flush()
        elif issubclass(kind, Exception | GeneratorExit):
            with suppress(TaskflowError):
                self.flush()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            await self.aflush()
        elif issubclass(kind, Exception | GeneratorExit):
            with suppress(TaskflowError):
                await self.aflush()


class Pipe(Generic[T]):
    """Items that are appended to a stream as they are asked for. Made by ``stream.pipe()``."""

    def __init__(self, items: Iterable[T], writer: ItemWriter[T]) -> None:
        self._items, self._writer = items, writer

    def __iter__(self) -> Iterator[T]:
        with self._writer as writer:
            for item in self._items:
                writer.write(item)
                yield item

    def drain(self) -> int:
        """Append all items, and return how many there were."""
        return sum(1 for _ in self)


class AsyncPipe(Generic[T]):
    """The same for an async iterable. Made by ``stream.apipe()``."""

    def __init__(self, items: AsyncIterable[T], writer: ItemWriter[T]) -> None:
        self._items, self._writer = items, writer

    async def __aiter__(self) -> AsyncIterator[T]:
        async with self._writer as writer:
            async for item in self._items:
                await writer.awrite(item)
                yield item

    async def adrain(self) -> int:
        """Append all items, and return how many there were."""
        count = 0
        async for _ in self:
            count += 1
        return count
