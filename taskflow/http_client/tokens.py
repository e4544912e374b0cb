"""Tokens over HTTP."""

from datetime import datetime
from typing import Any

from pydantic_core import to_json

from taskflow.definition.calls.tokens import Token, TokenPage
from taskflow.errors import NotOverHttpError, TokenNotFoundError
from taskflow.http_client.run_options import instant_or_seconds, key_fields
from taskflow.http_client.transport.api_request import PREFIX, ApiRequest, get, id_segment, post
from taskflow.http_client.transport.connection import AsyncConnection, Connection
from taskflow.seams.record_documents import record_of
from taskflow.seams.tokens import MadeToken, TokenOptions, TokenQuery
from taskflow.seams.waits import Waiter


class HttpTokens:
    """Tokens by id."""

    def __init__(self, connection: Connection, aconnection: AsyncConnection) -> None:
        self._connection, self._aconnection = connection, aconnection

    def create(self, options: TokenOptions) -> MadeToken:
        """Make a token, or find the older one with the same idempotency key."""
        return self._connection.send(_create(options))

    async def acreate(self, options: TokenOptions) -> MadeToken:
        """Make a token."""
        return await self._aconnection.send(_create(options))

    def complete(self, token_id: str, output: bytes, checked: str = "") -> bool:
        """Complete a token. Returns False when it was already completed or timed out."""
        return self._connection.send(_complete(token_id, output, checked))

    async def acomplete(self, token_id: str, output: bytes, checked: str = "") -> bool:
        """Complete a token."""
        return await self._aconnection.send(_complete(token_id, output, checked))

    def retrieve(self, token_id: str) -> Token:
        """Return a token's record."""
        return self._connection.send(_retrieve(token_id))

    async def aretrieve(self, token_id: str) -> Token:
        """Return a token's record."""
        return await self._aconnection.send(_retrieve(token_id))

    def list(self, query: TokenQuery) -> TokenPage:
        """Return a page of tokens, newest first."""
        return self._connection.send(_list(query))

    async def alist(self, query: TokenQuery) -> TokenPage:
        """Return a page of tokens, newest first."""
        return await self._aconnection.send(_list(query))

    def wait(self, token_id: str, waiter: Waiter) -> datetime | None:
        """Refuse: runs wait for tokens, and none executes here."""
        raise NotOverHttpError("wait.for_token", self._connection.address.url)

    async def await_(self, token_id: str, waiter: Waiter) -> datetime | None:
        """Refuse: runs wait for tokens, and none executes here."""
        raise NotOverHttpError("wait.afor_token", self._connection.address.url)


def _create(options: TokenOptions) -> ApiRequest[MadeToken]:
    body: dict[str, object] = {
        "timeout": None if options.timeout is None else instant_or_seconds(options.timeout),
        "tags": options.tags,
        "schema": options.schema,
        **key_fields(options.idempotency_key, options.idempotency_key_ttl),
    }
    return post(f"{PREFIX}/tokens", lambda document: MadeToken(**document), body)


def _complete(token_id: str, output: bytes, checked: str) -> ApiRequest[bool]:
    return ApiRequest(
        method="POST",
        path=f"{PREFIX}/tokens/{id_segment(token_id, TokenNotFoundError)}/complete",
        read=lambda answer: bool(answer.document()["completed"]),
        body=b'{"output":%b,"checked":%b}' % (output, to_json(checked)),
        is_write=True,
    )


def _retrieve(token_id: str) -> ApiRequest[Token]:
    return get(f"{PREFIX}/tokens/{id_segment(token_id, TokenNotFoundError)}", _token)


def _list(query: TokenQuery) -> ApiRequest[TokenPage]:
    def read(document: Any) -> TokenPage:
        return TokenPage(tuple(map(_token, document["tokens"])), document["cursor"])

    tags = to_json(list(query.tags)).decode() if query.tags else None
    return get(f"{PREFIX}/tokens", read, status=query.status, tags=tags, limit=str(query.limit), cursor=query.cursor)


def _token(document: Any) -> Token:
    return record_of(Token, document)
