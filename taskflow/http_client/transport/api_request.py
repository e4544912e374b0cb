"""One request of a verb, and the reading of its answer. No I/O: the two shells send it."""

import secrets
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar, cast
from urllib.parse import quote

from pydantic_core import from_json, to_json

from taskflow.errors import TaskflowError
from taskflow.texts import is_encodable

T = TypeVar("T")
PREFIX: Final = "/api/taskflow/v1"
"""The paths that only this client calls. They answer with records, under the names of their fields."""


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """The answer of the server. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def document(self) -> Any:
        """Return the JSON of the body.

        Raises:
            ValueError: It is not JSON.
        """
        return from_json(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest(Generic[T]):
    """A request.

    Attributes:
        read: Returns the result of an answer with a status below 300. A ValueError, KeyError or TypeError of it means
            that the answer is not taskflow's.
        query: Parameters. Empty ones are left out.
        key: The key by which the server recognises the tries of one request.
        is_write: Whether it changes something.
        is_repeatable: Whether the server does it once, however often it comes with the same key.
        patience: Seconds without a byte of the answer after which a try has failed.
    """

    method: str
    path: str
    read: Callable[[ApiAnswer], T]
    body: bytes | None = None
    content_type: str = "application/json"
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    key: str = field(default_factory=lambda: secrets.token_hex(16))
    is_write: bool = False
    is_repeatable: bool = True
    patience: float = 30.0


Steps = Generator[ApiRequest[Any], Any, T]
"""The requests of a verb: a generator yields one and receives its result, or its error."""


def get(path: str, read: Callable[[Any], T], **query: str | None) -> ApiRequest[T]:
    """Return a request that reads. ``read`` gets the document of the answer."""
    given = {name: value for name, value in query.items() if value is not None}
    return ApiRequest(method="GET", path=path, read=lambda answer: read(answer.document()), query=given)


def post(
    path: str,
    read: Callable[[Any], T],
    body: Mapping[str, object] | None = None,
    *,
    is_repeatable: bool = True,
) -> ApiRequest[T]:
    """Return a request that writes. ``read`` gets the document of the answer."""
    return ApiRequest(
        method="POST",
        path=path,
        read=lambda answer: read(answer.document()),
        body=to_json(body or {}),
        is_write=True,
        is_repeatable=is_repeatable,
    )


def segment(text: str) -> str:
    """Return a text as one segment of a path."""
    return quote(text, safe="")


def id_segment(given: object, unknown: Callable[[str], TaskflowError]) -> str:
    """Return an id as one segment of a path. It is encoded twice, because servers decode a slash before they route.

    Args:
        unknown: Makes the error about an id that nothing can have.

    Raises:
        TaskflowError: That error.
    """
    if not isinstance(given, str) or not is_encodable(given) or given in ("", ".", ".."):
        raise unknown(cast("str", given))
    return quote(quote(given, safe=""), safe="")


def only(request: ApiRequest[T]) -> Steps[T]:
    """Return the steps of a verb that is one request."""
    result: T = yield request
    return result
