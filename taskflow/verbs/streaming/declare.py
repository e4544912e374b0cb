"""``streams``: declare what runs tell and are told, item by item."""

from typing import Final, TypeVar, overload

from pydantic import TypeAdapter

from taskflow.definition.documents.stream_items import StreamItems
from taskflow.verbs.streaming.input import InputStream
from taskflow.verbs.streaming.output import OutputStream

T = TypeVar("T")


class Streams:
    """Makes streams, once, where tasks and readers import them: ``tokens = streams.define("tokens", str)``.

    A name is 1 to 128 letters, digits and ``_ . / -``. The type is what pydantic takes; for a union a ``TypeAdapter``;
    without one items are any JSON. Both kinds have names of their own.

    Raises:
        DefinitionError: The name is not possible; at first use also when the type is not.
    """

    @overload
    def define(self, name: str) -> OutputStream[object]: ...
    @overload
    def define(self, name: str, type: TypeAdapter[T]) -> OutputStream[T]: ...
    @overload
    def define(self, name: str, type: type[T]) -> OutputStream[T]: ...
    def define(self, name: str, type: object = None) -> object:
        """Declare a stream that runs append to and others read."""
        return OutputStream[object](StreamItems(name, type))

    @overload
    def input(self, name: str) -> InputStream[object]: ...
    @overload
    def input(self, name: str, type: TypeAdapter[T]) -> InputStream[T]: ...
    @overload
    def input(self, name: str, type: type[T]) -> InputStream[T]: ...
    def input(self, name: str, type: object = None) -> object:
        """Declare a stream that others send to and runs read."""
        return InputStream[object](StreamItems(name, type))


streams: Final = Streams()
