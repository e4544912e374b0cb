"""The operations of tokens."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic_core import from_json

from taskflow.definition.calls.idempotency import IdempotencyKey
from taskflow.definition.calls.tokens import Token, TokenStatus
from taskflow.definition.documents.readable import read_json
from taskflow.errors import TokenNotFoundError
from taskflow.seams.waits import Instant, Waiter
from taskflow.store.operations.encoding import due_text, instant, milliseconds, pairs
from taskflow.store.operations.operation import Operation

FIRST: Final = ""
"""The cursor of a list's beginning."""


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token to make.

    Attributes:
        kept: For how long it is kept once it is done.
        key_ttl: For how long its idempotency key holds; None for as long as the token is kept.
        schema: The JSON Schema of the value that completes it, "" for any JSON.
    """

    id: str
    kept: timedelta
    timeout: Instant | None = None
    tags: Sequence[str] = ()
    key: IdempotencyKey | None = None
    key_ttl: timedelta | None = None
    schema: str = ""


def create_token(new: NewToken) -> Operation[tuple[str, bool]]:
    """Make a token. Reads as its id and whether this call made it: False for an older one with the idempotency key."""
    ttl = "" if new.key_ttl is None else milliseconds(new.key_ttl)
    tags = json.dumps(list(new.tags)) if new.tags else ""
    digest, key = (new.key.digest, new.key.key) if new.key else ("", "")
    args = (new.id, due_text(new.timeout), tags, digest, key, ttl, milliseconds(new.kept), new.schema)
    return Operation("create_token", args, lambda code, value: (value.decode(), code == 1))


@dataclass(frozen=True, slots=True)
class Unchecked:
    """The reply to a completion whose output is to be checked first, against the token's schema."""

    schema: str


def complete_token(token_id: str, output: bytes, checked: str = "") -> Operation[bool | Unchecked]:
    """Complete a token. Reads as whether this call did: False when it was done before.

    Args:
        checked: The digest of the JSON Schema that the output was checked against. If it is not that of the token's
            schema, the call does nothing and reads as this schema.

    Raises (when read):
        TokenNotFoundError: No such token.
    """

    def read(code: int, value: bytes) -> bool | Unchecked:
        if code == 0:
            raise TokenNotFoundError(token_id)
        return Unchecked(value.decode()) if code == 3 else code == 1

    return Operation("complete_token", (token_id, output, secrets.token_hex(8), checked), read)


def watch_token(token_id: str, waiter: Waiter) -> Operation[tuple[datetime | None, bytes]]:
    """Let a token complete the item of a wait.

    Reads as when it times out, and its value when it is done and the waiting run is on another shard: then the caller
    completes the item with it.

    Raises (when read):
        TokenNotFoundError: No such token.
    """

    def read(code: int, value: Any) -> tuple[datetime | None, bytes]:
        if code == 0:
            raise TokenNotFoundError(token_id)
        timeout, done = value
        return instant(timeout) if timeout else None, done

    return Operation("watch_token", (token_id, waiter.text), read)


def read_token(token_id: str) -> Operation[Token]:
    """Read a token's record.

    Raises (when read):
        TokenNotFoundError: No such token.
    """

    def read(code: int, value: Any) -> Token:
        if code == 0:
            raise TokenNotFoundError(token_id)
        return _token(token_id, pairs(value))

    return Operation("read_token", (token_id,), read)


def list_tokens(
    cursor: str, limit: int, status: TokenStatus | None, tags: Sequence[str]
) -> Operation[tuple[str, list[tuple[int, Token]]]]:
    """List tokens of one shard behind a cursor, newest first, each with its score. Reads as the next cursor and those.

    One call may return fewer than there are: ``FIRST`` as the next cursor means the end.
    """

    def read(_: int, value: Any) -> tuple[str, list[tuple[int, Token]]]:
        further, *rows = value
        tokens = [(int(score), _token(each.decode(), pairs(fields))) for each, score, *fields in rows]
        return further.decode(), tokens

    args = (cursor, limit, status.value if status else "", json.dumps(list(tags)) if tags else "")
    return Operation("list_tokens", args, read)


def _token(token_id: str, fields: Mapping[str, bytes]) -> Token:
    return Token(
        id=token_id,
        status=TokenStatus(fields["status"].decode()),
        created_at=instant(fields["created"]),
        timeout_at=instant(fields["timeout"]) if "timeout" in fields else None,
        completed_at=instant(fields["completed"]) if "completed" in fields else None,
        tags=tuple(json.loads(fields.get("tags", b"[]"))),
        idempotency_key=fields["key"].decode() if "key" in fields else None,
        output=read_json(fields["output"]) if "output" in fields else None,
        schema=from_json(fields["schema"]) if "schema" in fields else None,
    )
