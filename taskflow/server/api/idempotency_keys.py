"""Idempotency keys: freed, so that the next trigger makes a run again."""

from typing import Final

from taskflow.server.api.options import ShortText, idempotency_key
from taskflow.server.api.wire import Wire
from taskflow.server.call import Call
from taskflow.server.problems import Problem
from taskflow.server.route import ApiRoute, public
from taskflow.server.scopes import Groups


class ResetBody(Wire):
    """The task whose key it is."""

    task_identifier: ShortText


class ResetAnswer(Wire):
    """The key that was freed."""

    id: str


async def reset(call: Call) -> ResetAnswer:
    """Free a key of a task."""
    key = call.path("key")
    task = call.body(ResetBody).task_identifier
    if not await call.engine.runs.areset_key(task, idempotency_key(key).digest):
        error = "No run of this task has the key."
        raise Problem(404, "key_not_found", error, "It may have expired, or its run has failed.", should_retry=False)
    return ResetAnswer(id=key)


async def _write_runs(_: Call) -> Groups:
    return [["runs"]]


ROUTES: Final = (
    ApiRoute(
        "POST",
        "/api/v1/idempotencyKeys/{key:path}/reset",
        reset,
        "Free an idempotency key.",
        public("write", _write_runs),
        body=ResetBody,
        answer=ResetAnswer,
        statuses=(422,),
    ),
)
