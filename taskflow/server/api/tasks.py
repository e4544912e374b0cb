"""Triggers: ``POST /api/v1/tasks/<task>/trigger``."""

from typing import Final

from taskflow.errors import PayloadError
from taskflow.server.api.options import RunOptions, trigger_options
from taskflow.server.api.packets import payload_of
from taskflow.server.api.wire import AnyJson, Wire
from taskflow.server.call import Answer, Call
from taskflow.server.problems import Problem
from taskflow.server.public_tokens import REQUEST_KEY, one_use, run_token_headers
from taskflow.server.route import ApiRoute, public
from taskflow.server.scopes import Groups


class TriggerBody(Wire):
    """A payload, packed as ``options.payloadType`` says, and options."""

    FORM = 'Send {"payload": ..., "options": {...}}, where "options" may be left out.'
    UNSUPPORTED = frozenset({"context"})
    payload: AnyJson = None
    options: RunOptions = RunOptions()


class TriggerAnswer(Wire):
    """The run, and whether it is an older one with the same idempotency or debounce key."""

    id: str
    is_cached: bool


async def trigger(call: Call) -> Answer:
    """Make a run. A request that is sent again, with the same request key, makes no second one."""
    task, body = call.path("task"), call.body(TriggerBody)
    options = trigger_options(body.options, call.request.headers)
    async with one_use(call):
        payload = await payload_of(call, body.payload, body.options.payload_type)
        try:
            run_id, is_cached = await call.engine.runs.atrigger(task, payload, options, seed=request_key(call, task))
        except PayloadError as refused:
            raise (refused if "payload" in body.model_fields_set else _no_payload(refused)) from None
    call.note_run(run_id)
    return Answer(TriggerAnswer(id=run_id, is_cached=is_cached), run_token_headers(call, run_id))


def _no_payload(refused: PayloadError) -> Problem:
    """Return the refusal of a body that is perhaps the payload itself."""
    return Problem(422, "invalid_payload", str(refused), f'The body has no "payload". {TriggerBody.FORM}')


def request_key(call: Call, what: str) -> str | None:
    """Return a text that is the same for each repeat of a request, None when the caller has sent no request key."""
    key = call.request.headers.get(REQUEST_KEY)
    return f"http {call.flow.settings.environment} {what} {key}" if key else None


def repeat_key(call: Call, what: str) -> str | None:
    """Return the same as ``request_key``, of callers too that know only the header ``Idempotency-Key``."""
    key = call.request.headers.get("idempotency-key")
    return request_key(call, what) or (f"http {call.flow.settings.environment} {what} by {key}" if key else None)


async def _needs(call: Call) -> Groups:
    return [[f"tasks:{call.path('task')}"]]


ROUTES: Final = (
    ApiRoute(
        "POST",
        "/api/v1/tasks/{task:path}/trigger",
        trigger,
        "Make a run of a task.",
        public("trigger", _needs),
        body=TriggerBody,
        answer=TriggerAnswer,
        statuses=(422,),
    ),
)
