"""Making public tokens: ``POST /api/v1/auth/public-tokens``."""

from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from taskflow.seams.public_tokens import LONGEST_TOKEN
from taskflow.server.api.wire import Flag, Number, Text, Wire
from taskflow.server.call import Call
from taskflow.server.expiry import FORMS, expiry
from taskflow.server.problems import Problem
from taskflow.server.public_tokens import key_id_of, mint
from taskflow.server.route import ApiRoute

_MOST_CHARACTERS: Final = 6000
"""Of all scopes of a token together, so that it fits a header."""
Scope = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=1024)]
Column = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=64)]


class RealtimeOptions(Wire):
    """Options of following runs with the token."""

    skip_columns: Annotated[tuple[Column, ...], Field(max_length=50)] = ()


class PublicTokenBody(Wire):
    """The scopes of a token, ``action:type:id``, and how long it is valid."""

    scopes: Annotated[list[Scope], Field(min_length=1, max_length=500)]
    expiration_time: Number | Text | None = None
    one_time_use: Flag = False
    realtime: RealtimeOptions = RealtimeOptions()


class PublicTokenAnswer(Wire):
    """The token."""

    token: str


async def create(call: Call) -> PublicTokenAnswer:
    """Make a token. Only secret keys may."""
    body = call.body(PublicTokenBody)
    if sum(map(len, body.scopes)) > _MOST_CHARACTERS:
        error = f"The scopes have more than {_MOST_CHARACTERS:,} characters in all."
        raise Problem(422, "invalid_option", error, "Use wider scopes, or several tokens.")
    try:
        expires_at = expiry(body.expiration_time, datetime.now(UTC))
    except ValueError as wrong:
        raise Problem(422, "invalid_option", f"expirationTime is not possible: {wrong}.", FORMS) from None
    token = mint(
        call.server,
        body.scopes,
        expires_at,
        is_one_time=body.one_time_use,
        skip_columns=body.realtime.skip_columns,
        key_id=key_id_of(call),
    )
    if len(token) > LONGEST_TOKEN:
        error = f"The token would have more than {LONGEST_TOKEN:,} characters."
        raise Problem(422, "invalid_option", error, "Use wider scopes, or several tokens.")
    return PublicTokenAnswer(token=token)


ROUTES: Final = (
    ApiRoute(
        "POST",
        "/api/v1/auth/public-tokens",
        create,
        "Make a public access token.",
        body=PublicTokenBody,
        answer=PublicTokenAnswer,
        statuses=(422,),
    ),
)
