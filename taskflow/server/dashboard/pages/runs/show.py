"""The page of runs: what is happening, what failed, and one run to find."""

import asyncio
import re
from dataclasses import replace
from typing import Final
from urllib.parse import urlencode

from starlette.responses import Response

from taskflow.definition.calls.run_filter import RunFilter, RunPosition
from taskflow.errors import RunFilterError, RunNotFoundError
from taskflow.models import Run, RunStatus
from taskflow.server.dashboard.pages.runs.columns import COLUMNS, COOKIE, cookie_of
from taskflow.server.dashboard.pages.runs.filters import LIMITS, PERIODS, TEXT_LABELS, RunQuery, cursor_of
from taskflow.server.dashboard.pages.runs.rows import run_rows
from taskflow.server.dashboard.pages.runs.strip import strip_of
from taskflow.server.dashboard.view.statuses import FAILURES, LIVE
from taskflow.server.dashboard.visit import Visit

_RUN_ID: Final = re.compile(r"run_[0-9a-f]{8,64}")
_ID_END: Final = re.compile(r"[0-9a-f]{8}")
_LIMIT: Final = "limit"
_YEAR_SECONDS: Final = 31_536_000


async def show(visit: Visit) -> Response:
    """Show the runs that the address asks for."""
    if text := visit.query.get("q", "").strip():
        return await _search(visit, text)
    if "status_is" in visit.query:
        return _canonical(visit)
    query = RunQuery.of(visit.query, visit.request.cookies)
    runs, has_more, query = await _page(visit, query)
    rows, strip, live = await asyncio.gather(
        run_rows(visit.engine, runs), strip_of(visit.engine, query), visit.engine.pages.acount_live()
    )
    newer, older = _around(query, runs, has_more)
    response = visit.render(
        "runs.html",
        query=query,
        rows=rows,
        newer=newer,
        older=older,
        periods=PERIODS,
        limits=LIMITS,
        text_labels=TEXT_LABELS,
        live_statuses=LIVE,
        final_statuses=[status for status in RunStatus if status.is_finished],
        views=_views(query, live, strip.failed if strip else None),
        strip=strip,
        tasks=sorted(task.id for task in visit.flow.registry),
        chosen=[each.removeprefix("!") for each in query.params.get("status", ())],
        is_first_page=query.position is None,
        longer=query.longer,
        has_runs=bool(runs) or query.is_filtered or await _has_runs(visit),
        is_not=any(each.startswith("!") for each in query.params.get("status", ())),
        all_columns=COLUMNS.values(),
        page_query=str(visit.request.url.query),
        live_query=_live_query(visit, query),
    )
    if visit.query.get("limit"):
        response.set_cookie(_LIMIT, str(query.limit), max_age=_YEAR_SECONDS, samesite="lax")
    if query.chosen is not None:
        response.set_cookie(COOKIE, cookie_of(query.columns), max_age=_YEAR_SECONDS, samesite="lax")
    return response


def _canonical(visit: Visit) -> Response:
    """Answer the filter form, in which one choice says whether statuses are wanted or excluded."""
    sign = "!" if visit.query.get("status_is") == "not" else ""
    params: dict[str, list[str]] = {}
    for name, value in visit.query.multi_items():
        if value and name != "status_is":
            params.setdefault(name, []).append(f"{sign}{value}" if name == "status" else value)
    return visit.go("runs", **params)


async def _has_runs(visit: Visit) -> bool:
    """Whether there is any run, of any time."""
    try:
        runs, _ = await visit.engine.pages.apage([RunFilter()], 1, None)
    except RunFilterError:
        return True
    return bool(runs)


def _live_query(visit: Visit, query: RunQuery) -> str:
    """Return the query of the page's live updates, which have no cookies: it names page size and columns."""
    pairs = [(name, value) for name, value in visit.query.multi_items() if name not in ("cols", "limit")]
    return urlencode([*pairs, ("limit", str(query.limit)), *(("cols", column.name) for column in query.columns)])


async def _page(visit: Visit, query: RunQuery) -> tuple[list[Run], bool, RunQuery]:
    """Return the runs, and the query with the problem that the history found in it."""
    if query.problem:
        return [], False, query
    try:
        runs, has_more = await visit.engine.pages.apage([query.where], query.limit, query.position)
    except RunFilterError as error:
        return [], False, replace(query, problem=str(error))
    return runs, has_more, query


async def _search(visit: Visit, text: str) -> Response:
    """Open the run of an id; other text becomes a filter by tag or error."""
    keep = [(name, value) for name, value in visit.query.multi_items() if name not in ("q", "cursor", "tag", "error")]
    params: dict[str, list[str]] = {}
    for name, value in keep:
        params.setdefault(name, []).append(value)
    if _RUN_ID.fullmatch(text):
        try:
            await visit.engine.runs.astatus(text)
        except RunNotFoundError as missing:
            return visit.render("no_run.html", 404, problem=str(missing), run_id=text)
        return visit.go("runs", text)
    if _ID_END.fullmatch(text.lower()) and (found := await _ending_with(visit, text.lower())):
        return visit.go("runs", found[0]) if len(found) == 1 else visit.go("runs", id=[text.lower()], period=["all"])
    if text.startswith("tag:"):
        return visit.go("runs", **{**params, "tag": [text.removeprefix("tag:").strip()]})
    return visit.go("runs", **{**params, "error": [text]})


async def _ending_with(visit: Visit, digits: str) -> list[str]:
    """Return the ids of runs with these last digits, at most two."""
    runs, _ = await visit.engine.pages.apage([RunFilter(id_end=digits)], 2, None)
    return [run.id for run in runs]


def _around(query: RunQuery, runs: list[Run], has_more: bool) -> tuple[str | None, str | None]:
    """Return the addresses of the newer and the older page, None where there is none."""
    at = query.position
    is_before = at is not None and at.is_before
    has_older = bool(runs) and (is_before or has_more)
    has_newer = at is not None and (not is_before or has_more)
    older = query.address(cursor=cursor_of(RunPosition.of(runs[-1]))) if has_older else None
    if not has_newer:
        return None, older
    newer = query.address(cursor=cursor_of(RunPosition.of(runs[0], is_before=True))) if runs else query.address()
    return newer, older


def _views(query: RunQuery, live: int, failed: int | None) -> list[tuple[str, str, bool, int | None]]:
    """Return the saved filters: name, address, whether it is the current one, and its count if that is cheap."""
    views: list[tuple[str, dict[str, list[str]], int | None]] = [
        ("All", {}, None),
        ("Live", {"status": [str(status) for status in LIVE], "period": ["30d"]}, live),
        ("Failed", {"status": [str(status) for status in FAILURES]}, failed),
        ("Waiting", {"status": ["WAITING"], "period": ["30d"]}, None),
        ("Tests", {"test": ["1"]}, None),
    ]
    empty = RunQuery({}, query.where, query.period, query.limit)
    return [(name, empty.address(**params), dict(query.params) == params, count) for name, params, count in views]
