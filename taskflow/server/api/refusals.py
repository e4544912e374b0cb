"""Paths of the official service that this server does not have. They are refused at once, with what they are."""

from collections.abc import Sequence
from typing import Final, NoReturn

from taskflow.server.call import Call
from taskflow.server.problems import Problem, not_supported
from taskflow.server.route import ApiRoute, Handler

_REFUSED: Final = (
    ("Environment variables in the API", "/api/v1/projects/{project}/envvars/{rest:path}"),
    ("Queries of analytics", "/api/v1/query"),
    ("Queries of analytics", "/api/v1/query/{rest:path}"),
    ("Prompts", "/api/v1/prompts"),
    ("Prompts", "/api/v1/prompts/{rest:path}"),
    ("Sessions and chats", "/api/v1/sessions"),
    ("Sessions and chats", "/api/v1/sessions/{rest:path}"),
    ("Sessions and chats", "/realtime/v1/sessions/{rest:path}"),
    ("Webhooks in the API", "/api/v1/webhooks/{rest:path}"),
    ("Reports", "/api/v1/reports/{rest:path}"),
    ("Named concurrency limits", "/api/v1/concurrency-limits"),
    ("Named concurrency limits", "/api/v1/concurrency-limits/{rest:path}"),
    ("Attempts of tasks in Node", "/engine/v1/{rest:path}"),
)
_METHODS: Final = ("DELETE", "GET", "PATCH", "POST", "PUT")
_ROOT_KEYS: Final = "/api/v1/auth/jwt/claims"


def _refusal(what: str) -> Handler:
    async def refuse(_: Call) -> NoReturn:
        raise not_supported(what)

    return refuse


async def _refuse_root_keys(_: Call) -> NoReturn:
    raise Problem(
        404,
        "not_supported",
        "Public tokens are made by the server: keys of this server can't sign them.",
        "Use @trigger.dev/sdk 4.5.8 or newer, which asks POST /api/v1/auth/public-tokens.",
        should_retry=False,
    )


def _routes() -> Sequence[ApiRoute]:
    return [
        ApiRoute(method, path, _refusal(what), f"{what}: refused.", is_hidden=True)
        for what, path in _REFUSED
        for method in _METHODS
    ]


ROUTES: Final = (
    *_routes(),
    ApiRoute("POST", _ROOT_KEYS, _refuse_root_keys, "Root keys: refused.", is_hidden=True),
)
