"""Pause, resume and limit a queue, or pause and resume the environment."""

from starlette.responses import Response

from taskflow.definition.queue import check_limit, check_reason
from taskflow.errors import DefinitionError
from taskflow.server.dashboard.frame import frame_parts, read_frame
from taskflow.server.dashboard.pages.queues import one, show
from taskflow.server.dashboard.pages.queues.reads import read_queue, read_queues
from taskflow.server.dashboard.refusals import PageProblem
from taskflow.server.dashboard.shared_reads import forget_reads
from taskflow.server.dashboard.visit import Visit


async def ask_pause(visit: Visit) -> Response:
    """Ask for the reason of a pause, which is optional. Without a queue: of the environment."""
    name = visit.query.get("queue", "")
    state = (await read_queue(visit.engine, name)).state if name else (await read_queues(visit.engine)).environment
    return visit.dialog("queue_pause.html", name=name, queue=state, from_one=visit.query.get("from", ""))


async def ask_limit(visit: Visit) -> Response:
    """Ask for another limit of a queue."""
    overview = await read_queue(visit.engine, visit.query.get("queue", ""))
    return visit.dialog("queue_limit.html", queue=overview.state, from_one=visit.query.get("from", ""))


async def pause(visit: Visit) -> Response:
    """Start no more runs of a queue, or of the environment."""
    reason = _reason(visit)
    name = visit.form.get("queue", "")
    if name:
        await visit.engine.queues.acontrol(name, "pause", reason=reason)
    else:
        await visit.engine.queues.acontrol_environment("pause", reason)
    visit.audit("queue.pause" if name else "environment.pause", name, reason)
    return await _changed(visit, name, f"{name or 'The environment'} is paused", "Runs that execute go on.")


async def resume(visit: Visit) -> Response:
    """Let the runs of a queue, or of the environment, start again."""
    name = visit.form.get("queue", "")
    if name:
        await visit.engine.queues.acontrol(name, "resume")
    else:
        await visit.engine.queues.acontrol_environment("resume")
    visit.audit("queue.resume" if name else "environment.resume", name)
    return await _changed(visit, name, f"{name or 'The environment'} is open again")


async def limit(visit: Visit) -> Response:
    """Replace the limit of a queue, or return to the declared one."""
    name = visit.form.get("queue", "")
    if visit.form.get("reset") == "1":
        await visit.engine.queues.acontrol(name, "reset")
        visit.audit("queue.reset", name)
        return await _changed(visit, name, f"{name} has its declared limit again")
    wanted = _limit(visit.form.get("limit", ""))
    await visit.engine.queues.acontrol(name, "override", wanted)
    visit.audit("queue.override", name, str(wanted))
    return await _changed(visit, name, f"{name} executes {wanted:,} at a time", "Until it is reset.")


async def _changed(visit: Visit, name: str, title: str, detail: str = "") -> Response:
    """Answer with the changed part of the page from which the action came."""
    forget_reads(visit.engine)
    if visit.form.get("from") == "one" and name:
        values = await one.values_of(visit, name)
        return visit.parts(one.TEMPLATE, "queue_actions", "queue", toast=title, detail=detail, **values)
    values = await show.values_of(visit)
    visit.others.append(frame_parts(await read_frame(visit.engine)))
    return visit.parts(show.TEMPLATE, "environment_actions", "overview", toast=title, detail=detail, **values)


def _reason(visit: Visit) -> str:
    try:
        return check_reason(visit.form.get("reason", ""))
    except DefinitionError as error:
        raise _refused(error) from None


def _limit(text: str) -> int:
    try:
        return check_limit("limit", int(text) if text.isascii() and text.isdigit() and len(text) < 9 else text)
    except DefinitionError as error:
        raise _refused(error) from None


def _refused(error: DefinitionError) -> PageProblem:
    return PageProblem(400, "Nothing has changed", str(error))
