"""Celery's result backend over the run store: ``AsyncResult(run_id)``, groups and chords.

The result of a run is read from its record; nothing is written for it. Other results are stored beside the runs for the
retention time: those of plain Celery tasks that do not ignore them, and of a chain's tasks that never became runs.
"""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, cast

from celery import states
from celery.app.task import Context
from celery.backends.base import BaseBackend
from celery.canvas import maybe_signature
from celery.exceptions import ChordError
from celery.exceptions import TimeoutError as CeleryTimeoutError
from celery.result import AsyncResult, result_from_tuple

from taskflow.broker.replies import REPLIES, Replies
from taskflow.broker.run_states import task_meta
from taskflow.engine.celery_records import RunRecords
from taskflow.errors import StoreUnavailableError
from taskflow.models import RunStatus

log = logging.getLogger("taskflow.canvas")
RECORDS: Final = "taskflow_records"
"""The attribute of the Celery app to which ``app.py`` binds the records."""


class RunBackend(BaseBackend):
    """Reads results from runs. Every process with the Celery app uses it."""

    supports_autoexpire = True
    connection_errors = (StoreUnavailableError,)

    if TYPE_CHECKING:  # not in the stubs of celery
        app: Any

        def _get_result_meta(self, result: Any, state: str, traceback: Any, request: Any) -> dict[str, Any]: ...

    def __init__(self, app: Any, **options: Any) -> None:
        super().__init__(app, **options)
        self.thread_safe = True

    @property
    def records(self) -> RunRecords:
        """The records that ``app.py`` has bound."""
        return cast("RunRecords", getattr(self.app, RECORDS))

    def is_run_task(self, name: str) -> bool:
        """Whether the messages of a task become runs."""
        return bool(self.app.is_run_task(name))

    def as_uri(self, include_password: bool = False) -> str:
        """Name the backend in the worker's banner."""
        return "taskflow://"

    def wait_for(
        self,
        task_id: str,
        timeout: float | None = None,
        interval: float = 0.5,
        no_ack: bool = True,
        on_interval: Callable[[], object] | None = None,
    ) -> dict[str, Any]:
        """Wait for a run, or for an id that may become one. The process's listener wakes it; nothing is polled."""
        meta: dict[str, Any] = {}

        def is_ready() -> bool:
            meta.update(self.get_task_meta(task_id))
            if meta["status"] in states.READY_STATES:
                return True
            if on_interval:
                on_interval()
            return False

        if not is_ready() and not self.records.wait(is_ready, task_id, timeout):
            raise CeleryTimeoutError(f"Task {task_id} did not finish within {timeout:g} s; it is {meta['status']}.")
        return meta

    def task_result_exists(self, task_id: str) -> bool:
        """Whether a run or a stored result has this id. Celery alone cannot distinguish pending from unknown ids."""
        return (
            self.records.find(task_id) is not None
            or self.records.kept("result", task_id) is not None
            or self.records.find_old(task_id) is not None
        )

    def mark_as_revoked(
        self,
        task_id: str,
        reason: str = "",
        request: Any = None,
        store_result: bool = True,
        state: str = states.REVOKED,
    ) -> None:
        """Cancel a run that Celery revokes. Celery forgets a revoke at a restart; CANCELED is final."""
        if not self.records.cancel(task_id):
            super().mark_as_revoked(task_id, reason, request, store_result, state)

    # -- methods that Celery's base class requires -----------------------------------------------------------------

    def _get_task_meta_for(self, task_id: str) -> dict[str, Any]:
        run = self.records.find(task_id)
        if run is not None:
            return task_meta(run)
        kept = self.records.kept("result", task_id)
        if kept is None:
            old = self.records.find_old(task_id)  # last, because plain Celery tasks have no history
            return task_meta(old) if old else {"status": states.PENDING, "result": None}
        meta: dict[str, Any] = self.decode_result(cast("bytes", kept))
        return meta

    def _store_result(
        self, task_id: str, result: Any, state: str, traceback: Any = None, request: Any = None, **_: Any
    ) -> Any:
        if self.records.find(task_id) is None:
            meta = self._get_result_meta(result, state, traceback, request) | {"task_id": task_id}
            self.records.keep("result", task_id, _text(self.encode(meta)), is_awaited=state in states.READY_STATES)
            if request is not None and state in states.READY_STATES:
                self._answer(task_id, result, state, traceback, request)
        return result

    def _answer(self, task_id: str, result: Any, state: str, traceback: Any, request: Any) -> None:
        """Answer the producer of a plain Celery task, if it has a backend of its own. Nothing repeats this."""
        replies: Replies | None = getattr(self.app, REPLIES, None)
        where = (str(request.reply_to or ""), str(request.correlation_id or task_id))
        if replies is None or (place := replies.wanted({"ignore_result": request.ignore_result}, *where)) is None:
            return
        try:
            replies.answer(task_id, place, result, state, traceback)
        except ConnectionError as away:
            log.warning("answer.lost: %r: %s", task_id, away)

    def _forget(self, task_id: str) -> None:
        self.records.keep("result", task_id, "")  # the record of a run stays until its retention ends

    def _save_group(self, group_id: str, result: Any) -> Any:
        self.records.keep("group", group_id, _text(self.encode({"result": result.as_tuple()})))
        return result

    def _restore_group(self, group_id: str) -> dict[str, Any] | None:
        kept = self.records.kept("group", group_id)
        if kept is None:
            return None
        return {"result": result_from_tuple(self.decode(cast("bytes", kept))["result"], self.app)}

    def _delete_group(self, group_id: str) -> None:
        self.records.keep("group", group_id, "")

    # -- chords ----------------------------------------------------------------------------------------------------

    def apply_chord(self, header_result_args: tuple[Any, Any], body: Any, **_: Any) -> None:
        """Do nothing: no task has to poll for the members, because each of them is counted when it ends."""

    def set_chord_size(self, group_id: str, chord_size: int) -> None:
        """Store the number of a chord's members. Celery calls it before it sends the last member."""
        self.records.size_chord(group_id, chord_size)

    def on_chord_part_return(self, request: Any, state: str, result: Any, **_: Any) -> None:
        """Count a member that has ended, and apply the body after the last one."""
        if not request.group or not request.chord:
            return
        part = {"id": request.id, "index": request.group_index or 0, "state": state}
        part["result"] = self.encode_result(result, state)
        parts = self.records.add_chord_part(request.group, request.id, _text(self.encode(part)).encode())
        if parts is not None:
            self._end_chord(maybe_signature(request.chord, app=self.app), parts)
            self.records.close_chord(request.group)

    def _end_chord(self, body: Any, parts: list[bytes]) -> None:
        members = sorted((self.decode(part) for part in parts), key=lambda member: member["index"])
        failed = next((member for member in members if member["state"] != states.SUCCESS), None)
        if failed is None:
            body.apply_async(([member["result"] for member in members],))
            return
        cause = self.exception_to_python(failed["result"])
        try:
            raise ChordError(f"Dependency {failed['id']} raised {cause!r}") from cause
        except ChordError as error:
            self.chord_error_from_stack(body, error)
            outer = context_of(body)
            if outer.chord:  # the body was itself a member of another chord
                self.on_chord_part_return(outer, states.FAILURE, error)

    def _errback_arity_greater(self, errback: Any, n: int) -> bool:
        """Return False for an errback that is a run: it is sent with the failed task's id, never called in place."""
        if self.is_run_task(errback.task):
            return False
        return bool(cast("Any", super())._errback_arity_greater(errback, n))


class RunResult(AsyncResult[Any]):
    """An ``AsyncResult`` whose ``revoke`` cancels the run."""

    def revoke(
        self,
        connection: Any = None,
        terminate: bool = False,
        signal: str | None = None,
        wait: bool = False,
        timeout: float | None = None,
    ) -> None:
        """Cancel the run. A run that executes is canceled only with ``terminate``; Celery revokes other tasks."""
        records = cast("RunBackend", self.backend).records
        run = records.find(self.id)
        if run is None:
            super().revoke(connection, terminate, signal, wait, timeout)
        elif terminate or run.status is not RunStatus.EXECUTING:
            records.cancel(self.id)


def context_of(signature: Any) -> Any:
    """Return the request of a signature whose task never ran, as Celery's failure handling needs it."""
    context: Any = Context(signature)
    context.update(signature["options"])
    context.id, context.group = context.options.get("task_id"), context.options.get("group_id")
    return context


def _text(encoded: str | bytes) -> str:
    return encoded if isinstance(encoded, str) else encoded.decode()
