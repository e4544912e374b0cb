"""A delivery made by hand on the page of tests: signed with the task's own secret, then verified as any other."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any, Final

from pydantic_core import from_json, to_json
from starlette.responses import Response

from taskflow.definition.task_definition import TaskDefinition
from taskflow.definition.webhooks.composing import Sending, compose
from taskflow.definition.webhooks.declaration import WebhookDeclaration
from taskflow.definition.webhooks.request import Reply, WebhookRequest
from taskflow.definition.webhooks.source import VerifiedDelivery
from taskflow.errors import PayloadError, WebhookBodyError, WebhookVerificationError
from taskflow.server.dashboard.page import Page, action
from taskflow.server.dashboard.pages.test import faulty_page, original_of
from taskflow.server.dashboard.payloads.checks import target_of
from taskflow.server.dashboard.payloads.workbench import workbench
from taskflow.server.dashboard.refusals import PageProblem
from taskflow.server.dashboard.visit import Visit

_NOTHING: Final = "Nothing was made."


async def send(visit: Visit) -> Response:
    """Make a delivery of the form's event, and show its run; nothing of the secret is shown or logged.

    Raises:
        PageProblem: 404: the task takes no webhooks here. 409: it cannot be signed, or its source reads it differently.
    """
    target = await target_of(visit.flow, visit.path["task_id"])
    task = target.definition
    if task is None or task.webhook is None:
        text = f"This server has no webhook task {target.task_id[:200]!r}. {_NOTHING}"
        raise PageProblem(404, "There is no such webhook", text, "Start it with the code that declares the task.")
    original, _ = await original_of(visit)
    text = visit.form.get("payload", "").strip() or "null"
    bench = await workbench(target, text, visit.form.get("edits", ""), original)
    if bench.faults:
        return await faulty_page(visit, target, bench)
    document: dict[str, Any] = from_json(bench.sent or bench.text)
    body, event = to_json(document.get("body")), str(document.get("event_type") or "")
    if len(body) > task.webhook.max_body:
        raise PageProblem(413, "The body is too large", f"It has more than {task.webhook.max_body:,} bytes. {_NOTHING}")
    request, delivery = await _signed(visit, task, task.webhook, Sending(body, event))
    return await _kept(visit, task, task.webhook, request, delivery)


async def _signed(
    visit: Visit, task: TaskDefinition, webhook: WebhookDeclaration, sending: Sending
) -> tuple[WebhookRequest, VerifiedDelivery]:
    """Return the request as its sender would make it, and what the source has read of it once it was verified."""
    endpoints = await asyncio.to_thread(visit.engine.webhooks.endpoints)  # it reads secrets: code of the user's
    path = next(each.path for each in endpoints if each.task == task.id)
    base = visit.flow.settings.public_url or str(visit.request.base_url).rstrip("/")
    try:
        secrets = await asyncio.to_thread(visit.engine.webhooks.secrets_of, task)
    except Exception:  # noqa: BLE001 - it is the user's code; its text may have the secret
        raise _unsigned(task, "its secret cannot be read") from None
    now = time.time()
    try:
        request = compose(webhook.source, secrets, f"{base}{path}", sending, now)
        webhook.source.verify(request, secrets, now)
        delivery = webhook.source.read(request, secrets)
    except WebhookVerificationError as refused:
        raise _unsigned(task, refused.reason) from None
    except WebhookBodyError as wrong:
        raise _unsigned(task, wrong.reason) from None
    if isinstance(delivery, Reply):
        raise _unsigned(task, "its source takes this body as a question about the address, which makes no run")
    return request, delivery


async def _kept(
    visit: Visit, task: TaskDefinition, webhook: WebhookDeclaration, request: WebhookRequest, delivery: VerifiedDelivery
) -> Response:
    engine = visit.engine.webhooks
    if not webhook.takes(delivery.event_types):
        await engine.afilter(task, delivery, request.body)
        visit.audit("delivery.send", task.id)
        return visit.go("webhooks", "deliveries", task=task.id)
    try:
        accepted = await engine.aaccept(task, delivery, request.body, datetime.now(UTC))
    except PayloadError as wrong:
        raise PageProblem(422, "The body does not fit the task", f"{wrong} {_NOTHING}") from None
    visit.audit("delivery.send", accepted.id)
    return visit.go("runs", accepted.run_id)


def _unsigned(task: TaskDefinition, reason: str) -> PageProblem:
    remedy = "It signs with the secret that this server has for the task."
    return PageProblem(409, "It cannot be signed", f"A delivery for {task.id}: {reason}. {_NOTHING}", remedy)


PAGES: Final[tuple[Page, ...]] = (action("signed/{task_id:path}", send),)
