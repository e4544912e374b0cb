"""The actions on groups of errors: mute, resolve, open, and replay the runs that they ended."""

import asyncio
from typing import Final

from starlette.responses import Response

from taskflow.seams.error_groups import VERBS, ErrorGroup, ErrorState
from taskflow.server.dashboard.pages.errors.one import failed_runs, group_of
from taskflow.server.dashboard.refusals import PageProblem
from taskflow.server.dashboard.visit import Visit

MOST_REPLAYED: Final = 1000
"""The most runs that one request replays: the newest. It answers within seconds."""
_LONGEST_TEXT: Final = 200


async def ask_replay(visit: Visit) -> Response:
    """Show the question before runs are replayed, with their number."""
    group = await group_of(visit)
    return visit.render("error_replay.html", group=group, count=await _count(visit, group), most=MOST_REPLAYED)


async def replay(visit: Visit) -> Response:
    """Replay the runs that the group's error has ended, the newest first, and show the newest runs.

    Raises:
        PageProblem: 409: there are none.
    """
    group = await group_of(visit)
    page = await visit.engine.runs.alist(MOST_REPLAYED, failed_runs(group))
    if not page.runs:
        raise PageProblem(409, "Nothing to replay", "The history has no run that this error ended.", "Choose another.")
    action = await visit.engine.runs.abulk("replay", [run.id for run in page.runs], None)
    visit.audit("error.replay", group.id, f"{action.success} of {action.total} runs")
    return visit.go("runs")


async def mute(visit: Visit) -> Response:
    """Mute the group: it counts on, and nobody is alerted."""
    return await _set(visit, ErrorState.MUTED)


async def resolve(visit: Visit) -> Response:
    """Resolve the group, in a version if one is given. It comes back when it fails again."""
    return await _set(visit, ErrorState.RESOLVED, visit.form.get("version", "").strip()[:_LONGEST_TEXT] or None)


async def reopen(visit: Visit) -> Response:
    """Open the group again."""
    return await _set(visit, ErrorState.OPEN)


async def _set(visit: Visit, state: ErrorState, version: str | None = None) -> Response:
    group = await group_of(visit)
    await asyncio.to_thread(visit.engine.errors.set_state, group.id, state, visit.user.name, version)
    visit.audit(f"error.{VERBS[state]}", group.id, visit.form.get("reason", "")[:_LONGEST_TEXT])
    return visit.go("errors", group.id)


async def _count(visit: Visit, group: ErrorGroup) -> int:
    return sum((await visit.engine.runs.acount(("status",), failed_runs(group))).values())
