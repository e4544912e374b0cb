"""One line of the route table. Starlette's routes, the check of callers, CORS and OpenAPI are made from it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from pydantic import BaseModel
from starlette.responses import Response

from taskflow.server.call import Answer, Call
from taskflow.server.scopes import Groups

Handler: TypeAlias = Callable[[Call], Awaitable[BaseModel | Answer | Response]]
Needs: TypeAlias = Callable[[Call], Awaitable[Groups]]


@dataclass(frozen=True, slots=True)
class Access:
    """The callers that may use a route: anybody (``is_open``), a secret key, and with an action also public tokens.

    Attributes:
        action: What the token's scope must allow: ``read``, ``write``, ``trigger`` or ``batchTrigger``.
        others: Actions with which the handler itself checks a token that ``needs`` refuses.
        needs: Returns the resources that it must allow that on; of each group at least one. It is called after the
            body was parsed, and for tokens only.
    """

    is_open: bool = False
    action: str | None = None
    needs: Needs | None = None
    others: Sequence[str] = ()


OPEN: Final = Access(is_open=True)
SECRET_KEY: Final = Access()


def public(action: str, needs: Needs, others: Sequence[str] = ()) -> Access:
    """Return the access of secret keys, and of public tokens with a scope."""
    return Access(action=action, needs=needs, others=others)


@dataclass(frozen=True, slots=True)
class ApiRoute:
    """One method of one path.

    Attributes:
        path: As Starlette writes it: ``/api/v1/tasks/{task:path}/trigger``.
        summary: One sentence, for OpenAPI.
        body: The model of the JSON body; None when there is none, or the handler reads it (``body_type``).
        is_body_optional: Whether the request may come without a body.
        query: The model of the query. Its aliases are the names of the parameters.
        answer: The model of the answer; None: another content (``content_type``).
        statuses: Statuses of refusals beside those that follow from access, body and query.
        is_hidden: Left out of OpenAPI and of the documentation: a refusal.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    access: Access = SECRET_KEY
    body: type[BaseModel] | None = None
    is_body_optional: bool = False
    body_type: str = "application/json"
    query: type[BaseModel] | None = None
    answer: type[BaseModel] | None = None
    content_type: str = "application/json"
    status: int = 200
    statuses: Sequence[int] = ()
    is_hidden: bool = False
