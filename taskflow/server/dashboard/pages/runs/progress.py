"""The progress of a bulk action: a toast that counts up and can be stopped, or a page without script."""

from starlette.responses import Response

from taskflow.models import BulkStatus
from taskflow.server.dashboard.rendering import render_block
from taskflow.server.dashboard.view.numbers import counted
from taskflow.server.dashboard.visit import Visit
from taskflow.store.operations.serving.bulk_actions import BulkProgress

TEMPLATE = "bulk_progress.html"


async def show(visit: Visit) -> Response:
    """Show how far an action is. The toast asks once a second, until the action has ended."""
    values = await _values(visit, visit.path["action_id"])
    if visit.request.headers.get("hx-request") == "true":
        return Response(render_block(TEMPLATE, "toast", values), media_type="text/html")
    return visit.render(TEMPLATE, 200, **values)


async def stop(visit: Visit) -> Response:
    """Stop an action before its next part. What it has done stays done."""
    action_id = visit.path["action_id"]
    await visit.engine.bulk_actions.abort(action_id)
    visit.audit("runs.stop", action_id)
    if visit.request.headers.get("hx-request") != "true":
        return visit.go("runs", "bulk", action_id)
    text = render_block(TEMPLATE, "toast", await _values(visit, action_id))
    return _put(f"#{action_id}", "outerHTML", text)


async def begun(visit: Visit, action_id: str) -> Response:
    """Answer the form that has begun an action: add its toast, or without script open its page."""
    if visit.request.headers.get("hx-request") != "true":
        return visit.go("runs", "bulk", action_id)
    text = render_block(TEMPLATE, "toast", await _values(visit, action_id))
    return _put("#toasts", "beforeend", text)


def _put(target: str, swap: str, text: str) -> Response:
    return Response(f'<hx-partial hx-target="{target}" hx-swap="{swap}">{text}</hx-partial>', media_type="text/html")


async def _values(visit: Visit, action_id: str) -> dict[str, object]:
    action = await visit.engine.bulk_actions.read(action_id)
    is_open = action.status is BulkStatus.PENDING
    return {"action": action, "is_open": is_open, **_words(action)}


def _words(action: BulkProgress) -> dict[str, str]:
    """Return title and detail of an action's toast."""
    done, doing = ("canceled", "Canceling") if action.kind == "cancel" else ("replayed", "Replaying")
    refused = f", {action.failure:,} refused" if action.failure else ""
    if action.status is BulkStatus.ABORTED:
        return {"title": f"Stopped: {counted(action.success, 'run')} {done}", "detail": f"The others stay{refused}."}
    if action.status is BulkStatus.COMPLETED:
        return {"title": f"{counted(action.success, 'run')} {done}", "detail": f"Of {action.total or 0:,}{refused}."}
    if action.total is None:
        return {"title": f"{doing} runs", "detail": "Looking for those that match."}
    return {"title": f"{doing} {counted(action.total, 'run')}", "detail": f"{action.success:,} {done}{refused}."}
