"""``POST /webhooks/<endpoint>``: endpoint, size, raw body, signature, challenge, body, filter, store, in this order.

Nothing of the body is read before its signature is right. A sender learns nothing from a refusal: one text for all.
"""

import asyncio
import logging
import time
from datetime import UTC, datetime
from typing import Final

from starlette.responses import Response

from taskflow.definition.task_definition import TaskDefinition
from taskflow.definition.webhooks.declaration import WebhookDeclaration
from taskflow.definition.webhooks.request import Reply, WebhookRequest
from taskflow.definition.webhooks.source import VerifiedDelivery
from taskflow.errors import (
    ObjectStoreError,
    PayloadError,
    StoreUnavailableError,
    TaskflowError,
    UnstorableError,
    WebhookBodyError,
    WebhookVerificationError,
)
from taskflow.server.bodies import read_body
from taskflow.server.call import Call
from taskflow.server.problems import Problem
from taskflow.store.operations.webhooks.deliveries import Accepted

log = logging.getLogger("taskflow.webhooks")

clock = time.time
"""The host's clock, in seconds since 1970."""

_LARGE: Final = 256 * 1024
"""Bytes of a body from which on it is verified and parsed in a thread, so that other requests do not wait for it."""

_RETRY_AFTER: Final = {"retry-after": "5"}
_UNKNOWN: Final = ("webhook_not_found", "No such webhook.", "See `taskflow webhooks list`.")


async def receive(call: Call) -> Response:
    """Take a delivery: 200 also for one that came before, and for one that the task's filter leaves out."""
    task, webhook = _target(call)
    if call.request.headers.get("content-encoding", "identity") != "identity":
        raise Problem(415, "encoded_body", "The body is compressed.", "Send it as it is.", should_retry=False)
    request = await _request(call, webhook)
    secrets = await _secrets(call, task, webhook)
    try:
        if len(request.body) > _LARGE:
            delivery = await asyncio.to_thread(_verified, webhook, request, secrets)
        else:
            delivery = _verified(webhook, request, secrets)
    except WebhookVerificationError as refused:
        raise _unverified(task, refused) from None
    except WebhookBodyError as wrong:
        raise _unreadable(task, wrong.reason) from None
    if isinstance(delivery, Reply):
        log.info("webhook.challenge: %s of task %s was answered", webhook.source.name, task.id)
        return _reply(delivery)
    return await _keep(call, task, webhook, delivery, request.body)


def _verified(
    webhook: WebhookDeclaration, request: WebhookRequest, secrets: tuple[str, ...]
) -> VerifiedDelivery | Reply:
    webhook.source.verify(request, secrets, clock())
    return webhook.source.read(request, secrets)


async def subscribe(call: Call) -> Response:
    """Answer the challenge of a source that checks its address with GET."""
    task, webhook = _target(call)
    if not webhook.source.takes_get:
        headers = {"allow": "POST"}
        raise Problem(405, "method_not_allowed", "A webhook takes POST.", should_retry=False, headers=headers)
    reply = webhook.source.subscribed(WebhookRequest("GET", _url(call), call.request.scope["headers"], b""))
    if reply is None:
        raise _unverified(task, WebhookVerificationError("the challenge has no right token"))
    return _reply(reply)


def _target(call: Call) -> tuple[TaskDefinition, WebhookDeclaration]:
    task = call.engine.webhooks.task_at(call.path("endpoint"))
    if task is None or task.webhook is None:
        raise Problem(404, *_UNKNOWN, should_retry=False)
    return task, task.webhook


async def _request(call: Call, webhook: WebhookDeclaration) -> WebhookRequest:
    declared = call.request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > webhook.max_body:
        raise _too_large(webhook)
    try:
        body = await read_body(call.request, call.server, webhook.max_body)
    except Problem as problem:
        raise (_too_large(webhook) if problem.status == 413 else problem) from None
    return WebhookRequest("POST", _url(call), call.request.scope["headers"], body)


async def _secrets(call: Call, task: TaskDefinition, webhook: WebhookDeclaration) -> tuple[str, ...]:
    """Return the secrets that are valid now. A function of the user that reads them may block."""
    try:
        if webhook.source.reads_secrets_slowly:
            return await asyncio.to_thread(call.engine.webhooks.secrets_of, task)
        return call.engine.webhooks.secrets_of(task)
    except Exception as error:  # noqa: BLE001 - it is the user's code; its text may have the secret
        log.error("webhook.no_secret: the secret of task %s could not be read: %s", task.id, type(error).__name__)
        raise _unavailable("The delivery could not be verified now.") from None


async def _keep(
    call: Call, task: TaskDefinition, webhook: WebhookDeclaration, delivery: VerifiedDelivery, body: bytes
) -> Response:
    try:
        if not webhook.takes(delivery.event_types):
            await call.engine.webhooks.afilter(task, delivery, body)
            return Response(status_code=200, headers={"x-taskflow-status": "filtered"})
        accepted = await call.engine.webhooks.aaccept(task, delivery, body, datetime.fromtimestamp(clock(), UTC))
    except (PayloadError, UnstorableError) as wrong:
        raise _unreadable(task, str(wrong)) from None
    except (StoreUnavailableError, ObjectStoreError) as error:
        log.error("webhook.lost: a delivery to task %s was not kept: %s", task.id, error)
        raise _unavailable("The delivery could not be kept.") from None
    return _accepted(call, task, accepted)


def _accepted(call: Call, task: TaskDefinition, accepted: Accepted) -> Response:
    call.note_run(accepted.run_id)
    status = "duplicate" if accepted.is_duplicate else "accepted"
    log.info("webhook.%s: %s of task %s, run %s", status, accepted.id, task.id, accepted.run_id)
    names = {"x-taskflow-delivery": accepted.id, "x-taskflow-run": accepted.run_id}
    return Response(status_code=200, headers={"x-taskflow-status": status, **names})


def _url(call: Call) -> str:
    """Return the address as the sender has it: TASKFLOW_PUBLIC_URL, else that of the request."""
    scope = call.request.scope
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    query = scope["query_string"].decode("latin-1")
    base = call.flow.settings.public_url or f"{scope['scheme']}://{call.request.headers.get('host', '')}"
    return f"{base}{path}{f'?{query}' if query else ''}"


def _reply(reply: Reply) -> Response:
    return Response(reply.body, headers={"content-type": reply.media_type, "x-content-type-options": "nosniff"})


def _unverified(task: TaskDefinition, refused: TaskflowError) -> Problem:
    reason = refused.reason if isinstance(refused, WebhookVerificationError) else str(refused)
    log.warning("webhook.refused: a delivery to task %s: %s", task.id, reason)
    return Problem(401, "webhook_unverified", "The delivery was not verified.", "Check the secret.", should_retry=False)


def _unreadable(task: TaskDefinition, reason: str) -> Problem:
    log.warning("webhook.unreadable: a delivery to task %s: %s", task.id, reason)
    error = "The delivery was verified, and its body cannot be taken."
    return Problem(400, "invalid_body", error, "See the server's log.", should_retry=False)


def _too_large(webhook: WebhookDeclaration) -> Problem:
    error = f"The body has more than {webhook.max_body:,} bytes."
    return Problem(413, "body_too_large", error, "Raise max_body of the webhook task.", should_retry=False)


def _unavailable(error: str) -> Problem:
    return Problem(503, "not_kept", error, "Send it again later.", headers=_RETRY_AFTER)
