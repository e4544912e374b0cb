"""``streams.define``: a stream of items that a run appends while it executes, for any number of readers."""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Generator, Iterable, Iterator
from contextlib import aclosing, suppress
from types import TracebackType
from typing import Generic, Self, TypeVar, cast

from taskflow.definition.blocking import refuse_in_event_loop
from taskflow.definition.documents.stream_items import StreamItems, check_index
from taskflow.durations import Duration, parse_timeout
from taskflow.errors import TaskflowError
from taskflow.seams.streams import StreamAddress, StreamWriter
from taskflow.verbs.current import engine
from taskflow.verbs.streaming.target import target_of

T = TypeVar("T")


class OutputStream(Generic[T]):
    """A stream that runs append to. Every run has its own; ``target`` selects the run.

    ``target`` is ``"self"``, the run that executes here; ``"parent"``, the run that triggered it; ``"root"``, the first
    run above it; or, from anywhere, a run's id. A run without parent and root is its own parent and root.

    Within a run, items are sent in the background within milliseconds, up to thousands in one write, and the attempt
    ends when all are written. Items that are not yet written when a worker is killed are lost. A retry appends after
    the items of earlier attempts. Outside a run ``append`` returns when the item is written.

    Verbs that append raise:
        StreamError: An item does not fit the type or is over 1 MB, or the stream would be too large. Within a run a
            later call raises the latter; StreamClosedError when the run has ended or the stream is closed.
        RunNotFoundError: No such run.
        OutsideRunError: No run executes here, and the target is not a run's id.
        StoreUnavailableError: The store did not answer. Within a run verbs wait for it.
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
        document, stream = self._items.dump(item), target_of(self.name, target, "stream.append")
        if stream.live is None:
            engine().streams.append(stream.place, [document])
        elif (writer := stream.writer()).put(document):
            writer.flush()

    async def aappend(self, item: T, *, target: str = "self") -> None:
        """Append an item. See ``append``."""
        document, stream = self._items.dump(item), target_of(self.name, target, "stream.aappend")
        if stream.live is None:
            await engine().streams.aappend(stream.place, [document])
        elif (writer := stream.writer()).put(document):
            await writer.aflush()

    def writer(self, *, target: str = "self") -> "ItemWriter[T]":
        """Return a writer of many items: ``with tokens.writer() as write: write("Hel")``, or ``async with``.

        The block ends when all items are written, and raises the error of a refused item.
        """
        return ItemWriter(self._items, target_of(self.name, target, "stream.writer").writer())

    def pipe(self, items: Iterable[T], *, target: str = "self") -> "Pipe[T]":
        """Append the items of an iterable as they come: iterate over the pipe, or ``drain()`` it.

        The items pass through: ``text = "".join(tokens.pipe(model.stream(prompt)))``.
        """
        return Pipe(items, self.writer(target=target))

    def apipe(self, items: AsyncIterable[T], *, target: str = "self") -> "AsyncPipe[T]":
        """Append the items of an async iterable as they come: ``async for`` over the pipe, or ``await ….adrain()``."""
        return AsyncPipe(items, self.writer(target=target))

    def close(self, *, target: str = "self") -> None:
        """Close the stream: its readers end before the run does. Another attempt may open it again."""
        refuse_in_event_loop("stream.close", "stream.aclose")
        stream = target_of(self.name, target, "stream.close")
        if stream.live is not None:
            stream.writer().flush()
        engine().streams.append(stream.place, [], closing=True)

    async def aclose(self, *, target: str = "self") -> None:
        """Close the stream. See ``close``."""
        stream = target_of(self.name, target, "stream.aclose")
        if stream.live is not None:
            await stream.writer().aflush()
        await engine().streams.aappend(stream.place, [], closing=True)

    def read(self, run_id: str, *, start_index: int = 0, timeout: Duration | None = None) -> Generator[T]:
        """Yield the items of a run from an index on, then those to come, until the run has ended.

        A lost connection is made again: no item is missed and none comes twice. A reader that was away goes
        on with ``start_index``, the number of items that it has. Items stay as long as the run's record.

        Args:
            timeout: How long to wait for the next item. None waits for ever.

        Raises:
            RunNotFoundError: No such run, or its record has expired.
            StreamTimeoutError: No item came in time.
            StreamError: An item does not fit the type, or the index is not possible.
            StoreUnavailableError: The store did not answer the first read. Later reads wait for it.
            BlockingCallError: An event loop runs in this thread; use ``async for`` over ``aread``.
        """
        refuse_in_event_loop("stream.read", "stream.aread")
        longest = parse_timeout(timeout)
        start = check_index(self.name, start_index)
        documents = engine().streams.read(StreamAddress(run_id, "stream", self.name), start, timeout=longest)
        return self._loaded(documents)

    def aread(self, run_id: str, *, start_index: int = 0, timeout: Duration | None = None) -> AsyncGenerator[T]:
        """Yield the items of a run from an index on, then those to come. See ``read``."""
        longest = parse_timeout(timeout)
        start = check_index(self.name, start_index)
        documents = engine().streams.aread(StreamAddress(run_id, "stream", self.name), start, timeout=longest)
        return self._aloaded(documents)

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
    """Appends items to a stream while a consumer iterates over them. Made by ``stream.pipe()``."""

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
    """A ``Pipe`` of an async iterable. Made by ``stream.apipe()``."""

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
