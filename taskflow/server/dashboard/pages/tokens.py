"""Tokens: which there are, what waits for them, and completing one by hand."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from urllib.parse import urlencode

from pydantic_core import to_json
from starlette.datastructures import QueryParams
from starlette.responses import JSONResponse, Response

from taskflow.definition.calls.tokens import Token, TokenPage, TokenStatus
from taskflow.definition.calls.users import Role
from taskflow.engine.engine import Engine
from taskflow.errors import RunNotFoundError, TokenDataError, TokenNotFoundError
from taskflow.models import Run
from taskflow.seams.tokens import TokenQuery
from taskflow.server.bodies import json_value
from taskflow.server.dashboard.live.polled import polled_by_query
from taskflow.server.dashboard.page import Page, action
from taskflow.server.dashboard.payloads.beginnings import example_of
from taskflow.server.dashboard.payloads.checks import Fault, Target
from taskflow.server.dashboard.payloads.workbench import Workbench, bench_of, workbench
from taskflow.server.dashboard.refusals import PageProblem
from taskflow.server.dashboard.rendering import render_block
from taskflow.server.dashboard.visit import Visit

_A_PAGE: Final = 50
_PARTS: Final = ("fields", "painted", "note", "verdict")
_VIEWS: Final = (("", "All"), ("WAITING", "Open"), ("COMPLETED", "Completed"), ("TIMED_OUT", "Timed out"))


async def show(visit: Visit) -> Response:
    """Show a page of tokens, newest first. Only an operator's page has their ids, because an id completes its token."""
    wanted = _wanted(visit.query, names_token=visit.may("operator"))
    tag, cursor = wanted.tags[0] if wanted.tags else "", wanted.cursor or ""
    found, waiting, tasks = await _listed(visit.engine, wanted)
    return visit.render(
        "tokens.html",
        tokens=found.tokens,
        waiting=waiting,
        tasks=tasks,
        older=found.cursor if visit.may("operator") else _without_id(found.cursor),
        cursor=cursor,
        wanted=wanted.status or "",
        tag=tag,
        views=_VIEWS,
        live_query=urlencode({"status": wanted.status or "", "tag": tag, "cursor": cursor}),
    )


async def show_one(visit: Visit) -> Response:
    """Show a token with the form that completes it, beside the run that waits for it."""
    token = await _token(visit)
    text = example_of(_target(token)) if token.schema is not None else ""
    return await _one(visit, token, bench_of(token.schema, text, ()))


async def check(visit: Visit) -> Response:
    """Answer with the parts of the page that follow from an output and the edits of its form. Nothing is written."""
    bench = await _bench(visit, await _token(visit))
    parts = {name: render_block("token.html", name, {"bench": bench}) for name in _PARTS}
    return JSONResponse({"text": bench.text, "lines": bench.lines, "faults": len(bench.faults), "parts": parts})


async def complete(visit: Visit) -> Response:
    """Complete a token with the JSON of the form, if it has no faults."""
    token = await _token(visit)
    bench = await _bench(visit, token)
    if bench.faults:
        return await _one(visit, token, bench)
    try:
        is_done = await visit.engine.tokens.acomplete(token.id, to_json(json_value(bench.text.encode())))
    except (ValueError, TokenDataError) as wrong:  # ValueError: a number that no float can hold
        return await _one(visit, token, bench_of(token.schema, bench.text, [Fault((), str(wrong))]))
    if not is_done:
        raise PageProblem(
            422, "It is not open any more", "The token was completed, or timed out, before. Nothing has changed."
        )
    visit.audit("token.complete", f"token ...{token.id[-4:]}")
    return visit.go("tokens", token.id)


async def _listed(engine: Engine, wanted: TokenQuery) -> tuple[TokenPage, Mapping[str, str], Mapping[str, str]]:
    """Return the tokens of a page, the runs that wait for them, and the tasks of these runs."""
    found = await engine.tokens.alist(wanted)
    waiting = await engine.tokens.awaiting([each.id for each in found if each.status is TokenStatus.WAITING])
    runs = await engine.feed().records.read_many(list(waiting.values()))
    return found, waiting, {run.id: run.task_id for run in runs}


async def _read(engine: Engine, query: QueryParams) -> object:
    if token_id := query.get("one", ""):
        try:
            return await engine.tokens.aretrieve(token_id), await engine.tokens.awaiting([token_id])
        except TokenNotFoundError:
            return None
    return await _listed(engine, _wanted(query))


def _wanted(query: QueryParams, *, names_token: bool = True) -> TokenQuery:
    """Return what an address asks for.

    Args:
        names_token: Its cursor may name a token. Where it may not, nobody can guess an id by trying cursors.
    """
    cursor = query.get("cursor") or None
    status, tag = query.get("status", ""), query.get("tag", "").strip()
    wanted = TokenStatus(status) if status in set(TokenStatus) else None
    return TokenQuery(wanted, (tag,) if tag else (), _A_PAGE, cursor if names_token else _without_id(cursor))


def _without_id(cursor: str | None) -> str | None:
    """Return a cursor that names no token. It stands before all tokens of its microsecond."""
    return f"{cursor.partition(':')[0]}:token_0" if cursor else None


async def _bench(visit: Visit, token: Token) -> Workbench:
    return await workbench(_target(token), visit.form.get("payload", ""), visit.form.get("edits", ""))


def _target(token: Token) -> Target:
    return Target("the token", None, token.schema, is_known=True)


async def _token(visit: Visit) -> Token:
    return await visit.engine.tokens.aretrieve(visit.path["token_id"])


async def _one(visit: Visit, token: Token, bench: Workbench) -> Response:
    waiting = await visit.engine.tokens.awaiting([token.id])
    run = await _run(visit, waiting.get(token.id))
    values = {"token": token, "run": run, "bench": bench, "live_query": urlencode({"one": token.id})}
    return visit.render("token.html", 422 if bench.faults else 200, **values)


async def _run(visit: Visit, run_id: str | None) -> Run | None:
    try:
        return await visit.engine.runs.aretrieve(run_id) if run_id else None
    except RunNotFoundError:
        return None


TOPIC: Final = polled_by_query("tokens", timedelta(seconds=5), _read)
"""The list loads again when a token that it shows has changed; ``one=`` is a token's page."""

PAGES: Final = (
    Page("tokens", show),
    Page("tokens/{token_id}", show_one, Role.OPERATOR),
    action("tokens/{token_id}/check", check),
    action("tokens/{token_id}/complete", complete),
)
