"""``streams``: declare the output and input streams of runs."""

from typing import Final, TypeVar, overload

from pydantic import TypeAdapter

from taskflow.definition.documents.stream_items import StreamItems
from taskflow.verbs.streaming.input import InputStream
from taskflow.verbs.streaming.output import OutputStream

T = TypeVar("T")


class Streams:
    """Declares streams, in a module that tasks and readers import: ``tokens = streams.define("tokens", str)``.

    A name is 1 to 128 letters, digits and ``_ . / -``. The type is any that pydantic takes; a union needs a
    ``TypeAdapter``. Without a type, items are any JSON. An output and an input stream may have the same name.

    Raises:
        DefinitionError: The name is not possible; at the first use, the type is not possible.
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
