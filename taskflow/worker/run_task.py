"""The Celery task that every taskflow task becomes: claims the run of its ticket, executes one attempt, settles it."""

import logging
import os
from datetime import datetime
from typing import Any, ClassVar, NoReturn, TypeGuard, cast

import celery
from celery.exceptions import Ignore, Reject, Retry

from taskflow.broker.messages import TICKET_HEADER, ticket_from_headers
from taskflow.definition.task import TaskDefinition
from taskflow.errors import (
    NodeUnregisteredError,
    RetryAfter,
    RunNotClaimableError,
    StaleClaimError,
    TaskflowError,
)
from taskflow.execution.outcome import Completed, Ended, Outcome, Retried
from taskflow.models import AttemptOutcome, RunStatus
from taskflow.store import operations
from taskflow.store.records import ClaimedRun
from taskflow.worker.attempts import STOPPED, prepare, settle
from taskflow.worker.insist import insist
from taskflow.worker.runtime import Runtime, runtime_of

log = logging.getLogger("taskflow.node")


class RunFailed(Exception):  # noqa: N818 - Celery shows it as the failure of a task whose child left no exception
    """An attempt that ended without an exception of its own."""


class RunTask(celery.Task[Any, Any]):
    """Base class of taskflow's Celery tasks. The store decides everything; Celery is told what happened."""

    definition: ClassVar[TaskDefinition]
    abstract = True
    ignore_result = True
    typing = False
    Strategy = "taskflow.worker.strategy:ticket_strategy"
    Request = "taskflow.worker.request:RunRequest"

    def __call__(self, *args: Any, **kwargs: Any) -> object:
        """Execute one attempt of the ticket's run.

        Raises:
            Ignore: The ticket is stale, or the run was taken away meanwhile.
            Retry: Another attempt follows; the store starts it.
        """
        runtime = runtime_of(self.app)
        ticket = ticket_from_headers({"id": self.request.id, TICKET_HEADER: self.request.get(TICKET_HEADER)})
        if ticket is None:
            raise TaskflowError(f"Task {self.name} was called without a ticket. Use {self.name}.trigger(payload).")
        claimed = self._claim(runtime, ticket.run_id, ticket.reservation)
        outcome = prepare(runtime, self.definition, claimed).execute()
        self._settle(runtime, claimed, outcome)
        return self._told(claimed, outcome)

    def retry(
        self,
        args: object = None,
        kwargs: object = None,
        exc: BaseException | None = None,
        throw: bool = True,
        eta: datetime | None = None,
        countdown: float | None = None,
        max_retries: int | None = None,
        **options: object,
    ) -> NoReturn:
        """End the attempt for another one, as Celery's ``retry`` does, but through the store: no ETA message.

        Raises:
            RetryAfter: ``eta`` or ``countdown`` says when. Otherwise ``exc`` itself, and the backoff says it.
        """
        when = eta if eta is not None else countdown
        if when is not None:
            raise RetryAfter(when, str(exc or "")) from exc
        raise exc or RunFailed(f"{self.name} asked for a retry")

    def _claim(self, runtime: Runtime, run_id: str, reservation: int) -> ClaimedRun:
        claim = operations.claim_run(run_id, node_id=runtime.node.id, reservation=reservation, pid=os.getpid())
        try:
            return insist(runtime, claim, run_id=run_id)
        except (RunNotClaimableError, NodeUnregisteredError) as refused:
            log.info("ticket.dropped: %s", refused)
            raise Ignore(str(refused)) from refused

    def _settle(self, runtime: Runtime, claimed: ClaimedRun, outcome: Outcome) -> None:
        try:
            insist(runtime, settle(self.definition, claimed.run_id, claimed.claim, outcome), run_id=claimed.run_id)
        except StaleClaimError as stale:
            log.warning("result.refused: %s", stale)
            if stale.status == RunStatus.CANCELED:
                stopped = operations.give_up_run(claimed.run_id, claimed.claim, AttemptOutcome.INTERRUPTED, STOPPED)
                insist(runtime, stopped, run_id=claimed.run_id)
            raise Ignore(str(stale)) from stale

    def _told(self, claimed: ClaimedRun, outcome: Outcome) -> object:
        """Let Celery's tracer see what happened: a value, a retry or the user's own exception."""
        match outcome:
            case Completed(_, value):
                return value
            case Retried(error, delay, _, cause):
                raise Retry(
                    f"{error.type}: {error.message}", _shown(cause), cast("Any", delay.total_seconds())
                ) from cause
            case Ended(error, _, cause):
                raise cause if _is_harmless(cause) else RunFailed(f"{error.type}: {error.message}")


def _shown(cause: BaseException | None) -> Exception | None:
    return cause if _is_harmless(cause) else None


def _is_harmless(cause: BaseException | None) -> TypeGuard[Exception]:
    """Whether Celery takes it for a failure: a MemoryError would end the parent, its own signals mean other things."""
    return isinstance(cause, Exception) and not isinstance(cause, MemoryError | Ignore | Reject | Retry)
