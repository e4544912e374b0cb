"""Tokens for the Python client."""

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import from_json, to_json
from starlette.responses import Response

from taskflow.definition.calls.tokens import TokenStatus
from taskflow.definition.calls.trigger_options import check_tags
from taskflow.errors import TokenNotFoundError
from taskflow.seams.record_documents import record_document
from taskflow.seams.tokens import TokenOptions, TokenQuery
from taskflow.server.api.options import KeyOptions, idempotency_key
from taskflow.server.api.records.documents import answer, answer_record, due_of, duration_of, id_of
from taskflow.server.api.records.runs import PREFIX
from taskflow.server.call import Call
from taskflow.server.problems import Problem
from taskflow.server.route import ApiRoute
from taskflow.texts import is_encodable

_LONGEST_SCHEMA: Final = 1_000_000


class Create(BaseModel):
    """The options of a token. ``schema``: JSON Schema of its output, as text."""

    model_config = ConfigDict(protected_namespaces=())

    timeout: str | float | None = None
    tags: list[str] = []
    output_schema: Annotated[str, Field(alias="schema", max_length=_LONGEST_SCHEMA)] = ""
    key: Annotated[str | None, Field(alias="idempotencyKey")] = None
    key_options: Annotated[KeyOptions | None, Field(alias="idempotencyKeyOptions")] = None
    key_ttl: Annotated[float | None, Field(alias="idempotencyKeyTTL")] = None


class Complete(BaseModel):
    """The value that completes a token, and the schema that it was checked against."""

    output: Any = None
    checked: str = ""


class ListQuery(BaseModel):
    """A page of tokens. ``tags`` is a list as JSON."""

    status: TokenStatus | None = None
    tags: str | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 20
    cursor: str | None = None


async def create(call: Call) -> Response:
    """Make a token."""
    body = call.body(Create)
    options = TokenOptions(
        timeout=None if body.timeout is None else due_of(body.timeout),
        tags=check_tags(body.tags),
        idempotency_key=idempotency_key(body.key, body.key_options) if body.key else None,
        idempotency_key_ttl=duration_of("idempotency_key_ttl", body.key_ttl),
        schema=body.output_schema,
    )
    return answer(**(await call.engine.tokens.acreate(options))._asdict())


async def complete(call: Call) -> Response:
    """Complete a token."""
    body = call.body(Complete)
    return answer(completed=await call.engine.tokens.acomplete(_token_id(call), to_json(body.output), body.checked))


async def retrieve(call: Call) -> Response:
    """Return a token's record."""
    return answer_record(record_document(await call.engine.tokens.aretrieve(_token_id(call))))


async def list_(call: Call) -> Response:
    """Return a page of tokens."""
    query = call.query(ListQuery)
    page = await call.engine.tokens.alist(
        TokenQuery(query.status, check_tags(_tags(query.tags)), query.limit, query.cursor)
    )
    return answer(tokens=[record_document(token) for token in page], cursor=page.cursor)


def _tags(text: str | None) -> Any:
    try:
        return from_json(text) if text else ()
    except ValueError:
        raise Problem(400, "invalid_query", "tags is a list as JSON.") from None


def _token_id(call: Call) -> str:
    token_id = id_of(call, "token_id")
    if not is_encodable(token_id):
        raise TokenNotFoundError(token_id)
    return token_id


ROUTES: Final = tuple(
    ApiRoute(method, f"{PREFIX}/tokens{path}", handler, handler.__doc__ or "", body=body, query=query, is_hidden=True)
    for method, path, handler, body, query in (
        ("POST", "", create, Create, None),
        ("GET", "", list_, None, ListQuery),
        ("GET", "/{token_id}", retrieve, None, None),
        ("POST", "/{token_id}/complete", complete, Complete, None),
    )
)
