"""Wait tokens: made, looked up and completed, with a key, with a public token, or by a token's own URL."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from pydantic import Field
from pydantic_core import to_json

from taskflow.definition.calls.tokens import Token, TokenStatus
from taskflow.definition.calls.trigger_options import check_tags
from taskflow.durations import check_instant, parse_duration
from taskflow.errors import DefinitionError, TokenNotFoundError
from taskflow.seams.token_links import TOKEN_PATH, engine_token_id, wire_token_id
from taskflow.seams.tokens import TokenOptions
from taskflow.seams.waits import Instant as Due
from taskflow.server.api.options import ShortText, idempotency_key, instant_or_duration
from taskflow.server.api.pagination import CursorPage
from taskflow.server.api.token_pages import TokenListQuery, token_page
from taskflow.server.api.wire import AnyJson, Instant, Text, Wire
from taskflow.server.bodies import json_value, read_body
from taskflow.server.call import Answer, Call
from taskflow.server.problems import Problem
from taskflow.server.public_tokens import token_headers
from taskflow.server.route import OPEN, ApiRoute, public
from taskflow.server.scopes import Groups
from taskflow.texts import is_encodable

_LIFE: Final = timedelta(hours=24)


class TokenBody(Wire):
    """The options of a new token."""

    timeout: ShortText | None = None
    idempotency_key: ShortText | None = None
    idempotency_key_ttl: ShortText | None = Field(default=None, alias="idempotencyKeyTTL")
    tags: Text | list[Text] | None = None


class MadeTokenAnswer(Wire):
    """A token, and whether it is an older one with the same idempotency key."""

    id: str
    is_cached: bool
    url: str


class TokenAnswer(Wire):
    """A token. ``output`` is packed, and an error when it timed out."""

    id: str
    url: str
    status: TokenStatus
    created_at: Instant
    timeout_at: Instant | None = None
    completed_at: Instant | None = None
    idempotency_key: str | None = None
    tags: list[str]
    output: str | None = None
    output_type: str | None = None
    output_is_error: bool | None = None


class TokenPageAnswer(Wire):
    """Tokens, newest first, without their outputs."""

    data: list[TokenAnswer]
    pagination: CursorPage


class CompleteBody(Wire):
    """Any JSON. Without it the token's output is null."""

    data: AnyJson = None


class SuccessAnswer(Wire):
    """It was done, now or before."""

    success: Annotated[bool, Field()] = True


async def create(call: Call) -> Answer:
    """Make a token."""
    body = call.body(TokenBody)
    options = TokenOptions(
        timeout=_due(body.timeout),
        tags=check_tags(body.tags if body.tags is not None else ()),
        idempotency_key=idempotency_key(body.idempotency_key) if body.idempotency_key else None,
        idempotency_key_ttl=None
        if body.idempotency_key_ttl is None
        else parse_duration(body.idempotency_key_ttl, option="idempotencyKeyTTL"),
    )
    made = await call.engine.tokens.acreate(options)
    token_id = wire_token_id(made.id)
    headers = token_headers(call, (f"write:waitpoints:{token_id}",), _LIFE)
    return Answer(MadeTokenAnswer(id=token_id, is_cached=made.is_cached, url=_url(call, made.id)), headers)


async def retrieve(call: Call) -> TokenAnswer:
    """Return a token with its output."""
    token = await call.engine.tokens.aretrieve(_token_id(call))
    answer = _shown(call, token)
    if token.status is TokenStatus.COMPLETED:
        output = to_json(token.output).decode()
        return answer.model_copy(update={"output": output, "output_type": "application/json"})
    if token.status is TokenStatus.TIMED_OUT:
        error = {
            "code": "TRIGGER_WAITPOINT_TIMEOUT",
            "message": f"Waitpoint timed out at {_iso(token.completed_at or token.timeout_at)}",
        }
        fields = {"output": to_json(error).decode(), "output_type": "application/json", "output_is_error": True}
        return answer.model_copy(update=fields)
    return answer


async def list_(call: Call) -> TokenPageAnswer:
    """Return a page of tokens."""
    tokens, next_, previous = await token_page(call, call.query(TokenListQuery))
    return TokenPageAnswer(
        data=[_shown(call, token) for token in tokens], pagination=CursorPage(next=next_, previous=previous)
    )


async def complete(call: Call) -> SuccessAnswer:
    """Complete a token. One that is done already stays as it is."""
    await call.engine.tokens.acomplete(_token_id(call), to_json(call.body(CompleteBody).data))
    return SuccessAnswer()


async def complete_by_url(call: Call) -> SuccessAnswer:
    """Complete a token by its own URL, which stands for a key. A body that is not JSON completes it with ``{}``."""
    token_id = _token_id(call)
    if not call.engine.tokens.links.is_hash(token_id, call.path("hash")):
        raise Problem(401, "invalid_hash", "The URL is not one that a token has.", should_retry=False)
    await call.engine.tokens.acomplete(token_id, _json_or_empty(await read_body(call.request, call.server)))
    return SuccessAnswer()


async def _write_token(call: Call) -> Groups:
    return [[f"waitpoints:{wire_token_id(_token_id(call))}"]]


def _token_id(call: Call) -> str:
    token_id = engine_token_id(call.path("token"))
    if not is_encodable(token_id):
        raise TokenNotFoundError(token_id)
    return token_id


def _url(call: Call, token_id: str) -> str:
    return call.engine.tokens.links.url(token_id, str(call.request.base_url).rstrip("/")) or ""


def _shown(call: Call, token: Token) -> TokenAnswer:
    return TokenAnswer(
        id=wire_token_id(token.id),
        url=_url(call, token.id),
        status=token.status,
        created_at=token.created_at,
        timeout_at=token.timeout_at,
        completed_at=token.completed_at,
        idempotency_key=token.idempotency_key,
        tags=list(token.tags),
    )


def _due(timeout: str | None) -> Due | None:
    if timeout is None:
        return None
    try:
        given = instant_or_duration("timeout", timeout)
        if isinstance(given, datetime):
            return check_instant(given, option="timeout")
        return parse_duration(given, option="timeout")
    except DefinitionError as wrong:
        raise Problem(422, "invalid_option", f"timeout: {wrong.what}.", wrong.remedy) from None


def _json_or_empty(content: bytes) -> bytes:
    try:
        return to_json(json_value(content))
    except ValueError:
        return b"{}"


def _iso(at: datetime | None) -> str:
    return f"{(at or datetime.now(UTC)).astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


ROUTES: Final = (
    ApiRoute(
        "POST", TOKEN_PATH, create, "Make a wait token.", body=TokenBody, is_body_optional=True,
        answer=MadeTokenAnswer, statuses=(422,),
    ),
    ApiRoute("GET", TOKEN_PATH, list_, "List wait tokens.", query=TokenListQuery, answer=TokenPageAnswer),
    ApiRoute("GET", f"{TOKEN_PATH}/{{token}}", retrieve, "Return a wait token.", answer=TokenAnswer),
    ApiRoute(
        "POST", f"{TOKEN_PATH}/{{token}}/complete", complete, "Complete a wait token.",
        public("write", _write_token), body=CompleteBody, is_body_optional=True, answer=SuccessAnswer, statuses=(422,),
    ),
    ApiRoute(
        "POST", f"{TOKEN_PATH}/{{token}}/callback/{{hash}}", complete_by_url, "Complete a wait token by its URL.",
        OPEN, body_type="*/*", answer=SuccessAnswer, statuses=(401, 422),
    ),
)  # fmt: skip
