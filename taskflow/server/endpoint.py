"""A path of the route table as Starlette serves it: caller, body, rights, handler, answer, in this order."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from taskflow.definition.calls.trace_headers import receive_trace
from taskflow.engine.caller import name_caller
from taskflow.server.api.wire import dump
from taskflow.server.auth import (
    Caller,
    Nobody,
    PublicToken,
    SecretKey,
    check_read_only,
    identify,
    rate_headers,
    unauthorized,
)
from taskflow.server.bodies import parse_body, read_body, validated
from taskflow.server.call import Answer, Call
from taskflow.server.problems import Problem, told_problem, untold_problem
from taskflow.server.route import ApiRoute
from taskflow.server.scopes import has_action, missing
from taskflow.server.state import ServerState
from taskflow.server.unknown_fields import OFFICIAL, check_names


class Endpoint:
    """The methods of one path."""

    def __init__(self, server: ServerState, routes: Sequence[ApiRoute]) -> None:
        self._server = server
        self._routes = {route.method: route for route in routes}
        if "GET" in self._routes:
            self._routes["HEAD"] = self._routes["GET"]

    async def serve(self, request: Request) -> Response:
        """Answer a request. Every error becomes an answer."""
        route = self._routes.get(request.method)
        headers: dict[str, str] = {}
        try:
            if route is None:
                raise self._other_method(request.method)
            response = await self._answer(route, request, headers)
        except Exception as error:  # noqa: BLE001 - an unknown one is logged and answered with 500
            has_key = getattr(request.state, "has_key", False)
            problem = told_problem(error, request.headers) if has_key else untold_problem(error, request.headers)
            response = problem.response()
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        return response

    async def _answer(self, route: ApiRoute, request: Request, headers: dict[str, str]) -> Response:
        request.state.route = route.path
        caller = await self._caller(route, request)
        request.state.caller, request.state.has_key = caller.id, isinstance(caller, SecretKey)
        if caller.key is not None:
            headers.update(rate_headers(caller.key))
        _check_token_action(route, caller)
        receive_trace(request.headers)
        call = Call(request, self._server, caller)
        if route.query is not None:
            parameters = _parameters(request)
            if OFFICIAL not in request.headers:
                check_names(route.query, parameters, "invalid_query")
            call.parsed_query = validated(route.query, parameters, "invalid_query")
        if route.body is not None and route.body_type == "application/json":
            document = await read_body(request, self._server)
            if not document and not route.is_body_optional:
                raise Problem(400, "invalid_json", "The request has no body.", "Send a JSON object.")
            call.parsed_body = parse_body(route.body, document, is_strict=OFFICIAL not in request.headers)
        if isinstance(caller, PublicToken):
            await _check_scopes(route, caller, call)
        name_caller(f"API {caller.id}" if caller.id else "the HTTP API", _origin(caller))
        try:
            return _response(route, await route.handler(call))
        finally:
            name_caller("")

    async def _caller(self, route: ApiRoute, request: Request) -> Caller:
        if route.access.is_open:
            return Nobody()
        caller = await identify(request, self._server)
        check_read_only(caller, request.method)
        return caller

    def _other_method(self, method: str) -> Problem:
        allowed = ", ".join(self._routes)
        return Problem(
            405,
            "method_not_allowed",
            f"The path does not take {method}.",
            f"It takes {allowed}.",
            should_retry=False,
            headers={"allow": allowed},
        )


def _origin(caller: Caller) -> str:
    """Return the origin of the runs that a caller triggers. A public token counts as the key that made it."""
    if caller.key is not None:
        return f"key {caller.key.id}"
    return f"token {caller.id}" if caller.id else ""


def _check_token_action(route: ApiRoute, caller: Caller) -> None:
    """Refuse a token that can't have the right, before its body is read."""
    if not isinstance(caller, PublicToken):
        return
    action = route.access.action
    if action is None:
        raise Problem(403, "unauthorized", "This route needs a secret key.", "Call it from a server, with an API key.")
    if not any(has_action(caller.scopes, each) for each in (action, *route.access.others)):
        raise unauthorized(action, "any resource")


async def _check_scopes(route: ApiRoute, caller: PublicToken, call: Call) -> None:
    action, needs = route.access.action, route.access.needs
    if action is None or needs is None:
        return
    lacking = missing(caller.scopes, action, await needs(call))
    if lacking is not None and not any(has_action(caller.scopes, each) for each in route.access.others):
        raise unauthorized(action, lacking)


def _parameters(request: Request) -> Mapping[str, str]:
    """Return the query, without empty parameters. Of one that is there several times the last counts."""
    return {name: value for name, value in request.query_params.items() if value}


def _response(route: ApiRoute, result: BaseModel | Answer | Response) -> Response:
    if isinstance(result, Response):
        return result
    answer = Answer(result) if isinstance(result, BaseModel) else result
    headers: dict[str, Any] = dict(answer.headers)
    return Response(dump(answer.model), answer.status or route.status, headers, "application/json")
