"""Verbs of tokens. A run waits for a token until a person or another system completes it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypedDict, TypeVar, Unpack, cast, overload

from taskflow.definition.blocking import refuse_in_event_loop
from taskflow.definition.calls.idempotency import IdempotencyKey, scoped_key
from taskflow.definition.calls.token_schema import token_schema
from taskflow.definition.calls.tokens import (
    Token,
    TokenPage,
    TokenResult,
    TokenStatus,
    WaitToken,
    check_output_type,
    token_output,
    token_result,
)
from taskflow.definition.calls.trigger_options import check_tags
from taskflow.durations import Duration, check_instant, parse_duration
from taskflow.errors import DefinitionError, TokenNotFoundError, TriggerOptionError, WaitError
from taskflow.errors.base import shown
from taskflow.seams.journal_keys import Scope, current_scope
from taskflow.seams.tokens import MadeToken, TokenOptions, TokenQuery
from taskflow.seams.waits import Instant, Wait, Waiter, WaitRequest, require_waits
from taskflow.texts import is_encodable
from taskflow.verbs.current import engine

OutputT = TypeVar("OutputT")
MOST_LISTED: Final = 1000


class TokenKeywords(TypedDict, total=False):
    """The options of ``wait.create_token``.

    Attributes:
        timeout: When the token times out: a duration from now, or an aware instant. Default: never.
        tags: Up to 10 of 1 to 128 characters, to find the token by.
        idempotency_key: Calls with the same key get the same token. Plain text holds within the calling run;
            ``idempotency_keys.create(key, scope="global")`` holds everywhere.
        idempotency_key_ttl: How long the key holds. Default: as long as the store has the token.
    """

    timeout: Duration | datetime | None
    tags: str | Sequence[str]
    idempotency_key: str | IdempotencyKey | None
    idempotency_key_ttl: Duration | None


class TokenVerbs:
    """Verbs of tokens. All except ``for_token`` work also outside runs."""

    @overload
    def create_token(self, output_type: None = None, **options: Unpack[TokenKeywords]) -> WaitToken[object]: ...

    @overload
    def create_token(self, output_type: type[OutputT], **options: Unpack[TokenKeywords]) -> WaitToken[OutputT]: ...

    def create_token(self, output_type: Any = None, **options: Unpack[TokenKeywords]) -> WaitToken[Any]:
        """Make a token that runs can wait for, until somebody completes it.

        Args:
            output_type: The type of the data that completes it. Default: any JSON.
            options: ``timeout``, ``tags``, ``idempotency_key``, ``idempotency_key_ttl``.

        Raises:
            WaitError: An option is not possible. Nothing was written.
            DefinitionError: The type can't be used.
            BlockingCallError: An event loop runs in this thread; await ``wait.acreate_token``.
        """
        refuse_in_event_loop("wait.create_token", "wait.acreate_token")
        schema = token_schema(output_type)
        checked = _options(schema, **options)
        return _made(engine().tokens.create(checked), output_type)

    @overload
    async def acreate_token(self, output_type: None = None, **options: Unpack[TokenKeywords]) -> WaitToken[object]: ...

    @overload
    async def acreate_token(
        self, output_type: type[OutputT], **options: Unpack[TokenKeywords]
    ) -> WaitToken[OutputT]: ...

    async def acreate_token(self, output_type: Any = None, **options: Unpack[TokenKeywords]) -> WaitToken[Any]:
        """Make a token. See ``create_token``."""
        schema = token_schema(output_type)
        checked = _options(schema, **options)
        return _made(await engine().tokens.acreate(checked), output_type)

    @overload
    def for_token(self, token: WaitToken[OutputT]) -> TokenResult[OutputT]: ...

    @overload
    def for_token(self, token: str | WaitToken[Any], output_type: type[OutputT]) -> TokenResult[OutputT]: ...

    @overload
    def for_token(self, token: str) -> TokenResult[object]: ...

    def for_token(self, token: str | WaitToken[Any], output_type: Any = None) -> TokenResult[Any]:
        """Let the run wait until a token is completed or times out. It holds no slot meanwhile. Within a run only.

        Args:
            token: The token, or its id. Several runs may wait for one.
            output_type: The type of the data that completes it, for an id. Default: any JSON.

        Returns:
            The result, whose ``unwrap`` raises if the token has timed out.

        Raises:
            OutsideRunError: No run executes here.
            TokenNotFoundError: No such token.
            BlockingCallError: An event loop runs in this thread; await ``wait.afor_token``.
        """
        refuse_in_event_loop("wait.for_token", "wait.afor_token")
        waits, token_id, expected = require_waits("wait.for_token"), *_identified("wait.for_token", token, output_type)
        return token_result(token_id, expected, waits.wait(_request(token_id))[0])

    @overload
    async def afor_token(self, token: WaitToken[OutputT]) -> TokenResult[OutputT]: ...

    @overload
    async def afor_token(self, token: str | WaitToken[Any], output_type: type[OutputT]) -> TokenResult[OutputT]: ...

    @overload
    async def afor_token(self, token: str) -> TokenResult[object]: ...

    async def afor_token(self, token: str | WaitToken[Any], output_type: Any = None) -> TokenResult[Any]:
        """Let the run wait until a token is completed or times out. See ``for_token``."""
        waits, token_id, expected = (
            require_waits("wait.afor_token"),
            *_identified("wait.afor_token", token, output_type),
        )
        return token_result(token_id, expected, (await waits.await_(_request(token_id)))[0])

    @overload
    def complete_token(self, token: WaitToken[OutputT], data: OutputT) -> bool: ...

    @overload
    def complete_token(self, token: str, data: object = None) -> bool: ...

    def complete_token(self, token: str | WaitToken[Any], data: Any = None) -> bool:
        """Complete a token: every run that waits for it goes on. Only the first completion counts.

        Args:
            token: The token, or its id.
            data: Models, dataclasses or plain data: JSON of at most ``TASKFLOW_PAYLOAD_LIMIT`` bytes.

        Returns:
            False when the token was already completed or timed out; nothing was changed.

        Raises:
            TokenNotFoundError: No such token.
            TokenDataError: The data is not JSON, not of the type that the token was made with, or too large. Nothing
                was written: the token is still open.
            BlockingCallError: An event loop runs in this thread; await ``wait.acomplete_token``.
        """
        refuse_in_event_loop("wait.complete_token", "wait.acomplete_token")
        token_id, expected = _identified("wait.complete_token", token, None)
        output = token_output(token_id, expected, data)
        return engine().tokens.complete(token_id, output, token_schema(expected))

    @overload
    async def acomplete_token(self, token: WaitToken[OutputT], data: OutputT) -> bool: ...

    @overload
    async def acomplete_token(self, token: str, data: object = None) -> bool: ...

    async def acomplete_token(self, token: str | WaitToken[Any], data: Any = None) -> bool:
        """Complete a token. See ``complete_token``."""
        token_id, expected = _identified("wait.acomplete_token", token, None)
        output = token_output(token_id, expected, data)
        return await engine().tokens.acomplete(token_id, output, token_schema(expected))

    def retrieve_token(self, token: str | WaitToken[Any]) -> Token:
        """Return a token's record: status, output and the options that it was made with.

        Raises:
            TokenNotFoundError: No such token.
        """
        refuse_in_event_loop("wait.retrieve_token", "wait.aretrieve_token")
        token_id, _ = _identified("wait.retrieve_token", token, None)
        return engine().tokens.retrieve(token_id)

    async def aretrieve_token(self, token: str | WaitToken[Any]) -> Token:
        """Return a token's record. See ``retrieve_token``."""
        token_id, _ = _identified("wait.aretrieve_token", token, None)
        return await engine().tokens.aretrieve(token_id)

    def list_tokens(
        self,
        *,
        status: TokenStatus | str | None = None,
        tags: str | Sequence[str] = (),
        limit: int = 20,
        cursor: str | None = None,
    ) -> TokenPage:
        """Return tokens, newest first.

        Args:
            status: ``"WAITING"``, ``"COMPLETED"`` or ``"TIMED_OUT"``.
            tags: Only tokens that have one of these.
            limit: Most tokens of the page, 1 to 1000.
            cursor: The ``cursor`` of the page before.

        Raises:
            WaitError: An argument is not possible.
        """
        refuse_in_event_loop("wait.list_tokens", "wait.alist_tokens")
        query = _query(status, tags, limit, cursor)
        return engine().tokens.list(query)

    async def alist_tokens(
        self,
        *,
        status: TokenStatus | str | None = None,
        tags: str | Sequence[str] = (),
        limit: int = 20,
        cursor: str | None = None,
    ) -> TokenPage:
        """Return tokens, newest first. See ``list_tokens``."""
        query = _query(status, tags, limit, cursor)
        return await engine().tokens.alist(query)


def _made(made: MadeToken, output_type: Any) -> WaitToken[Any]:
    return WaitToken(made.id, made.is_cached, output_type, made.url, made.public_access_token)


def _request(token_id: str) -> WaitRequest:
    def begin(waiter: Waiter) -> Wait:
        return Wait("token", until=engine().tokens.wait(token_id, waiter), token_id=token_id)

    async def abegin(waiter: Waiter) -> Wait:
        return Wait("token", until=await engine().tokens.await_(token_id, waiter), token_id=token_id)

    return WaitRequest(begin=begin, abegin=abegin, label="token", what=Wait("token", token_id=token_id))


def _identified(verb: str, token: object, output_type: object) -> tuple[str, object]:
    if isinstance(token, WaitToken):
        known = cast("WaitToken[object]", token)
        return known.id, check_output_type(known.output_type if output_type is None else output_type)
    if not isinstance(token, str):
        raise WaitError(f"{verb}(): a {type(token).__name__} is no token. Pass what create_token returned, or its id.")
    if not is_encodable(token):
        raise TokenNotFoundError(token)
    return token, check_output_type(output_type)


def _options(
    schema: str,
    timeout: Duration | datetime | None = None,
    tags: str | Sequence[str] = (),
    idempotency_key: str | IdempotencyKey | None = None,
    idempotency_key_ttl: Duration | None = None,
) -> TokenOptions:
    if idempotency_key is None and idempotency_key_ttl is not None:
        raise WaitError("wait.create_token(idempotency_key_ttl=...): it has no idempotency_key that this could be of.")
    scope = current_scope()
    if idempotency_key is None and isinstance(scope, Scope):  # the same token when a durable run's code is replayed
        idempotency_key = cast("str", scope.journaling.value(scope, "wait.create_token", bytes.hex))
    try:
        key = None if idempotency_key is None else scoped_key(_checked_key(idempotency_key))
        return TokenOptions(_timeout(timeout), check_tags(tags), key, _ttl(idempotency_key_ttl), schema)
    except TriggerOptionError as wrong:
        raise WaitError(f"wait.create_token({wrong.option}={shown(wrong.value)}): {wrong.remedy}") from None
    except DefinitionError as wrong:
        what = f"{wrong.what}. {wrong.remedy}"
        raise WaitError(f"wait.create_token({wrong.option}={shown(wrong.value)}): {what}") from None


def _checked_key(key: object) -> str | IdempotencyKey:
    if isinstance(key, str | IdempotencyKey):
        return key
    raise TriggerOptionError("idempotency_key", key, "Use text, or what idempotency_keys.create returns.")


def _timeout(timeout: Duration | datetime | None) -> Instant | None:
    if timeout is None:
        return None
    if not isinstance(timeout, datetime):
        return parse_duration(timeout, option="timeout")
    return check_instant(timeout, option="timeout")


def _ttl(ttl: Duration | None) -> timedelta | None:
    return None if ttl is None else parse_duration(ttl, option="idempotency_key_ttl")


def _query(status: TokenStatus | str | None, tags: str | Sequence[str], limit: int, cursor: str | None) -> TokenQuery:
    if isinstance(limit, bool) or not 1 <= limit <= MOST_LISTED:
        raise WaitError(
            f"wait.list_tokens(limit={shown(limit)}): use 1 to {MOST_LISTED}, and the page's cursor for more."
        )
    try:
        wanted = None if status is None else TokenStatus(status)
        return TokenQuery(wanted, check_tags(tags), limit, cursor)
    except TriggerOptionError as wrong:
        raise WaitError(f"wait.list_tokens(tags={shown(wrong.value)}): {wrong.remedy}") from None
    except ValueError:
        names = ", ".join(TokenStatus)
        raise WaitError(f"wait.list_tokens(status={shown(status)}): it is one of {names}.") from None
