"""Errors as answers: ``{"error": text, "code": ..., "remedy": ...}``, whatever raised them.

The client repeats 408, 409, 429 and 5xx; the header ``x-should-retry`` overrides that.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from taskflow import errors
from taskflow.errors import TaskflowError
from taskflow.seams.error_documents import CLIENT_HEADER, error_document

log = logging.getLogger("taskflow.server")


class ProblemBody(BaseModel):
    """The body of every answer that is not a success."""

    error: str
    code: str
    remedy: str | None = None
    taskflow: dict[str, object] | None = None


@dataclass(eq=False)
class Problem(Exception):  # noqa: N818 - as much an answer as an error
    """A request that is refused.

    Attributes:
        error: One or two sentences: what happened, and why.
        code: For programs.
        remedy: What to do.
        should_retry: Whether to send the request again; None: as the status says.
        details: The error that was raised, for a client of taskflow's own to raise it again.
    """

    status: int
    code: str
    error: str
    remedy: str | None = None
    should_retry: bool | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    details: dict[str, object] | None = None

    def response(self) -> Response:
        """Return the answer."""
        headers = dict(self.headers)
        if self.should_retry is not None:
            headers["x-should-retry"] = "true" if self.should_retry else "false"
        return Response(self.body(), self.status, headers, "application/json")

    def body(self) -> str:
        """Return the JSON of the answer."""
        body = ProblemBody(error=self.error, code=self.code, remedy=self.remedy, taskflow=self.details)
        return body.model_dump_json(exclude_none=True)


@dataclass(frozen=True, slots=True)
class _Kind:
    status: int
    code: str
    should_retry: bool | None = None


_KINDS: Final[tuple[tuple[type[TaskflowError], _Kind], ...]] = (  # the first one that fits: subclasses before classes
    (errors.PayloadTooLargeError, _Kind(413, "payload_too_large")),
    (errors.MetadataTooLargeError, _Kind(413, "metadata_too_large")),
    (errors.PayloadError, _Kind(422, "invalid_payload")),
    (errors.TriggerOptionError, _Kind(422, "invalid_option")),
    (errors.DefinitionError, _Kind(422, "invalid_option")),
    (errors.UnstorableError, _Kind(422, "invalid_text")),
    (errors.BatchItemsError, _Kind(422, "invalid_items")),
    (errors.TokenDataError, _Kind(422, "invalid_output")),
    (errors.WaitError, _Kind(422, "invalid_wait")),
    (errors.RunNotDelayedError, _Kind(422, "run_not_delayed")),
    (errors.NotResumableError, _Kind(422, "run_not_resumable")),
    (errors.DeclaredScheduleError, _Kind(422, "schedule_declared")),
    (errors.ScheduleError, _Kind(422, "invalid_schedule")),
    (errors.RunUpdateError, _Kind(422, "invalid_update")),
    (errors.RunFilterError, _Kind(400, "invalid_query")),
    (errors.StreamClosedError, _Kind(400, "run_ended")),
    (errors.StreamError, _Kind(422, "invalid_stream")),
    (errors.StreamTimeoutError, _Kind(408, "stream_silent", should_retry=False)),
    (errors.RunNotFoundError, _Kind(404, "run_not_found", should_retry=False)),
    (errors.BatchNotFoundError, _Kind(404, "batch_not_found", should_retry=False)),
    (errors.BulkActionNotFoundError, _Kind(404, "bulk_action_not_found", should_retry=False)),
    (errors.ErrorGroupNotFoundError, _Kind(404, "error_group_not_found", should_retry=False)),
    (errors.NodeNotFoundError, _Kind(404, "node_not_found", should_retry=False)),
    (errors.ApiKeyNotFoundError, _Kind(404, "key_not_found", should_retry=False)),
    (errors.QueueNotFoundError, _Kind(404, "queue_not_found", should_retry=False)),
    (errors.TokenNotFoundError, _Kind(404, "token_not_found", should_retry=False)),
    (errors.ScheduleNotFoundError, _Kind(404, "schedule_not_found", should_retry=False)),
    (errors.DeliveryNotFoundError, _Kind(404, "delivery_not_found", should_retry=False)),
    (errors.WebhookBodyError, _Kind(422, "body_not_kept")),
    (errors.DeliveryQueryError, _Kind(400, "invalid_query")),
    (errors.TaskNotFoundError, _Kind(404, "task_not_found", should_retry=False)),
    (errors.JournalNotKeptError, _Kind(404, "journal_not_kept", should_retry=False)),
    (errors.StepNotFoundError, _Kind(404, "step_not_found", should_retry=False)),
    (errors.StoreFullError, _Kind(503, "store_full")),
    (errors.ReplicasMissingError, _Kind(503, "replicas_missing")),
    (errors.StoreUnavailableError, _Kind(503, "store_unavailable")),
    (errors.HistoryUnavailableError, _Kind(503, "history_unavailable")),
    (errors.ObjectStoreError, _Kind(503, "object_store_unavailable")),
    (errors.BrokerUnavailableError, _Kind(503, "broker_unavailable")),
    (errors.StoreScriptError, _Kind(500, "script_failed", should_retry=False)),
)
_UNAVAILABLE: Final = 503
_OF_THE_FRAMEWORK: Final[Mapping[int, tuple[str, str]]] = {
    400: ("invalid_request", "The request could not be read."),
    404: ("not_supported", "No such path."),
    405: ("method_not_allowed", "The path takes other methods."),
    413: ("body_too_large", "The body is too large."),
}


def problem_of(error: Exception) -> Problem:
    """Return the problem that an error is. One that is not known is a defect: it is logged, and its text not sent."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, TaskflowError):
        for kind, answer in _KINDS:
            if isinstance(error, kind):
                return Problem(answer.status, answer.code, str(error), should_retry=answer.should_retry)
    log.error("http.failed: %s", type(error).__name__, exc_info=error)
    return Problem(
        500, "internal_error", "The server failed at this request.", "See the server's log.", should_retry=False
    )


def code_of(kind: str) -> str:
    """Return the code of an error by the name of its class, as the error of a batch's item has it."""
    return next((answer.code for error, answer in _KINDS if error.__name__ == kind), "item_failed")


def told_problem(error: Exception, headers: Mapping[str, str]) -> Problem:
    """Return the problem that an error is, with the error itself if taskflow's own client asks."""
    problem = problem_of(error)
    if isinstance(error, TaskflowError) and CLIENT_HEADER in headers:
        problem.details = error_document(error)
    return problem


def untold_problem(error: Exception, headers: Mapping[str, str]) -> Problem:
    """Return the problem that an error is, for a caller who has shown no secret key.

    What the server itself needs is not told: the text of the error names the address of the store.
    """
    problem = told_problem(error, headers)
    if not isinstance(error, TaskflowError) or problem.status != _UNAVAILABLE:
        return problem
    log.warning("http.unavailable: %s", error)
    return Problem(problem.status, problem.code, "The server lacks what it needs to answer.", "Try again later.")


async def on_http_exception(_: Request, error: Exception) -> Response:
    """Answer what the framework refuses."""
    status, headers = (error.status_code, error.headers or {}) if isinstance(error, HTTPException) else (500, {})
    code, text = _OF_THE_FRAMEWORK.get(status, ("refused", "The request was refused."))
    return Problem(
        status, code, text, "See the page about the HTTP API in the documentation.", should_retry=False, headers=headers
    ).response()


async def on_failure(_: Request, error: Exception) -> Response:
    """Answer an error that no handler has caught."""
    return problem_of(error).response()


def not_supported(what: str) -> Problem:
    """Return the refusal of something that the official service has and this server has not."""
    return Problem(404, "not_supported", f"{what} is not supported by this server.", should_retry=False)
