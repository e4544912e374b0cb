"""Tokens as values. A run waits for a token until a caller completes it. No I/O."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar, cast, overload

from pydantic import ValidationError
from pydantic_core import to_json

from taskflow.definition.documents.adapter import Adapter, UnwritableError, explain
from taskflow.definition.documents.annotation import Annotation
from taskflow.definition.documents.payload import write_untyped
from taskflow.definition.documents.readable import read_object
from taskflow.errors import TokenDataError, WaitError, WaitTimeoutError

OutputT = TypeVar("OutputT")
OutputT_co = TypeVar("OutputT_co", covariant=True)


class TokenStatus(StrEnum):
    """Status of a token. The values are those of Trigger.dev's API."""

    WAITING = "WAITING"
    COMPLETED = "COMPLETED"
    TIMED_OUT = "TIMED_OUT"


@dataclass(frozen=True, slots=True)
class WaitToken(Generic[OutputT]):
    """A token that was made. A caller needs only its ``id`` to complete it; the id cannot be guessed.

    Attributes:
        is_cached: Whether it is an older token with the same idempotency key.
        output_type: Type of the value that completes it, None for any JSON.
        url: A POST of JSON to it completes the token, without a key. None when TASKFLOW_PUBLIC_URL is not set.
        public_access_token: A bearer that may complete this token over the HTTP API, for 24 hours. None like ``url``.
    """

    id: str
    is_cached: bool = False
    output_type: type[OutputT] | None = field(default=None, repr=False)
    url: str | None = field(default=None, repr=False)
    public_access_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Token:
    """A token: its record in the store at one moment.

    Attributes:
        output: Plain JSON, None unless it was completed.
        schema: The JSON Schema of the value that completes it, None for any JSON. Only ``retrieve_token`` reads it.
    """

    id: str
    status: TokenStatus
    created_at: datetime
    timeout_at: datetime | None = None
    completed_at: datetime | None = None
    tags: tuple[str, ...] = ()
    idempotency_key: str | None = None
    output: object = None
    schema: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class TokenPage(Sequence[Token]):
    """A page of tokens, newest first.

    Attributes:
        cursor: Gives the following page when passed to ``wait.list_tokens``; None on the last page.
    """

    tokens: tuple[Token, ...]
    cursor: str | None = None

    @overload
    def __getitem__(self, index: int) -> Token: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Token, ...]: ...

    def __getitem__(self, index: int | slice) -> Token | tuple[Token, ...]:
        return self.tokens[index]

    def __len__(self) -> int:
        return len(self.tokens)

    def __iter__(self) -> Iterator[Token]:
        return iter(self.tokens)


@dataclass(frozen=True, slots=True)
class TokenResult(Generic[OutputT_co]):
    """The result of a token. ``output`` is None unless ``ok``, ``error`` is None if it is.

    Attributes:
        error: ``WaitTimeoutError``: the token was not completed in time. ``TokenDataError``: the value that completed
            it is not of the token's type.
    """

    token_id: str
    output: OutputT_co | None = None
    error: WaitError | None = None

    @property
    def ok(self) -> bool:
        """Whether it was completed with a value of its type."""
        return self.error is None

    def unwrap(self) -> OutputT_co:
        """Return the output.

        Raises:
            WaitTimeoutError: The token was not completed in time.
            TokenDataError: The value that completed it is not of the token's type.
        """
        if self.error is not None:
            raise self.error
        return cast("OutputT_co", self.output)


def token_output(token_id: str, output_type: object, data: object) -> bytes:
    """Return the JSON of the value that completes a token.

    Raises:
        TokenDataError: The value is not of the type, or not JSON.
        DefinitionError: The type cannot be used.
    """
    try:
        return write_untyped(data) if output_type is None else _adapter(output_type).dump(data)
    except ValidationError as invalid:
        raise TokenDataError(token_id, f"{explain(invalid)}.") from None
    except UnwritableError as error:
        raise TokenDataError(token_id, f"{error}.") from None


def token_result(token_id: str, output_type: object, value: bytes) -> TokenResult[Any]:
    """Decode the completion message of a token: ``{"status", "output"}``."""
    document = cast("dict[str, Any]", read_object(value))
    if document["status"] != TokenStatus.COMPLETED:
        return TokenResult(token_id, error=WaitTimeoutError(token_id))
    if output_type is None:
        return TokenResult(token_id, document["output"])
    try:
        return TokenResult(token_id, _adapter(output_type).read(to_json(document["output"])))
    except ValidationError as invalid:
        return TokenResult(token_id, error=TokenDataError(token_id, f"{explain(invalid)}."))


def check_output_type(output_type: object) -> object:
    """Return the type of a token's value, None for any JSON.

    Raises:
        DefinitionError: The type cannot be used.
    """
    if output_type is not None:
        _adapter(output_type)
    return output_type


def _adapter(output_type: object) -> Adapter:
    return Annotation("A token's output_type", output_type, {}).adapter()
