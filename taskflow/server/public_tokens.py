"""Public tokens in answers and requests: made for a caller's scopes, and used once where they say so."""

import hashlib
import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic_core import to_json

from taskflow.errors import TaskflowError
from taskflow.seams.public_tokens import PublicClaims, environment_id, sign_token
from taskflow.server.auth import PublicToken
from taskflow.server.call import Call
from taskflow.server.problems import Problem, problem_of
from taskflow.server.state import ServerState

REQUEST_KEY: Final = "x-trigger-request-idempotency-key"
"""A header with one value a call, the same on each repeat of it."""


def mint(
    server: ServerState,
    scopes: Sequence[str],
    expires_at: datetime,
    *,
    is_one_time: bool = False,
    skip_columns: Sequence[str] = (),
    key_id: str | None = None,
) -> str:
    """Return a public token of the server's environment.

    Args:
        key_id: The API key that asks for it: revoked with it, and counted in its rate.
    """
    subject = environment_id(server.flow.settings.environment)
    claims = PublicClaims(subject, tuple(scopes), expires_at, is_one_time, tuple(skip_columns), key_id)
    return sign_token(claims, server.flow.server_secret.key("public-tokens"), datetime.now(UTC))


def token_headers(call: Call, scopes: Sequence[str], life: timedelta = timedelta(hours=1)) -> dict[str, str]:
    """Return the headers by which an answer hands out a token: without them the client would sign one itself."""
    claims = {"sub": environment_id(call.flow.settings.environment), "pub": True}
    return {
        "x-trigger-jwt": mint(call.server, scopes, datetime.now(UTC) + life, key_id=key_id_of(call)),
        "x-trigger-jwt-claims": to_json(claims).decode(),
    }


def run_token_headers(call: Call, run_id: str) -> dict[str, str]:
    """Return the headers of an answer that names a new run: its token may follow the run and send to it."""
    return token_headers(call, (f"read:runs:{run_id}", f"write:inputStreams:{run_id}"))


def key_id_of(call: Call) -> str | None:
    """Return the key of a request: its secret key, or the one that has made its token."""
    return call.caller.key.id if call.caller.key else None


@asynccontextmanager
async def one_use(call: Call) -> AsyncGenerator[None]:
    """Spend a one-time token by what is done within. A repeat of the call, with the same content, may use it again.

    A refusal gives the token back, unless an earlier try of the call has used it: that may have made a run.

    Raises:
        Problem: 422: another call has used the token.
    """
    caller = call.caller
    if not isinstance(caller, PublicToken) or not caller.is_one_time:
        yield
        return
    uses, use = call.engine.single_uses, _use(call)
    used = await uses.ause(caller.digest, use, caller.expires_at)
    if used == "by another":
        error = "This token was valid for one use, and it has been used."
        raise Problem(422, "token_used", error, "Ask for a new token for each use.")
    try:
        yield
    except (Problem, TaskflowError) as refused:
        if used == "now" and problem_of(refused).status < 500:  # after another error the run may exist
            await uses.agive_back(caller.digest, use)
        raise


def _use(call: Call) -> str:
    """Return the same text for each repeat of a call: its request key alone could name several calls."""
    request, body = call.request, call.parsed_body
    key = request.headers.get(REQUEST_KEY) or secrets.token_hex(16)
    content = [key, request.method, request.url.path, body and body.model_dump(mode="json")]
    return hashlib.sha256(to_json(content)).hexdigest()
