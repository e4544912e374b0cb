"""Celery's canvas around runs: callbacks, errbacks, chain and chord of a message are stored with its run.

So is the place where the message's producer waits for an answer.

A node, its child or upkeep performs them when the run has ended. Signatures are frozen before they are stored, because
one that is applied twice then makes two messages with the same id, which become one run.
"""

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any, Final, cast

from celery import Celery, states
from celery.app.task import Context
from celery.canvas import maybe_signature
from kombu.exceptions import KombuError
from kombu.utils.json import dumps, loads

from taskflow.broker.replies import Replies
from taskflow.broker.result_backend import RunBackend
from taskflow.broker.run_states import STATES, exception_of
from taskflow.engine.celery_records import RunRecords
from taskflow.errors import BrokerUnavailableError, StoreUnavailableError
from taskflow.models import RunError, RunStatus
from taskflow.store.operations.canvas import EndedRun
from taskflow.texts import message_of

log = logging.getLogger("taskflow.canvas")
_PARTS: Final = ("callbacks", "errbacks", "chain", "chord")
_PLACE: Final = ("group", "group_index", "root_id", "parent_id")
_THREADS: Final = 4
_MESSAGE_CHARS: Final = 4000
UNAVAILABLE: Final = (StoreUnavailableError, BrokerUnavailableError, KombuError, OSError)
"""Errors of a store or broker that cannot be reached. The same call may succeed later."""


_PERFORMING: Final = ContextVar("taskflow_performing", default=False)


def is_performing() -> bool:
    """Whether the canvas of a run is being performed here.

    A message of the canvas is sent also when its arguments do not fit, because only its own run can say so.
    """
    return _PERFORMING.get()


class Canvas:
    """Performs the canvas of runs, in nodes and their children."""

    def __init__(self, app: Celery, records: RunRecords, replies: Replies) -> None:
        self.app = app
        self.records = records
        self._replies = replies
        self._threads: ThreadPoolExecutor | None = None

    def kept(
        self, headers: Mapping[str, Any], embed: Mapping[str, Any], *, reply_to: str = "", correlation_id: str = ""
    ) -> str | None:
        """Return the canvas of a message as JSON, to be stored with its run; None when the message has none.

        Args:
            reply_to: The queue on which the producer may wait for an answer, which is a part of the canvas.
        """
        canvas: dict[str, Any] = {name: embed[name] for name in _PARTS if embed.get(name)}
        if place := self._replies.wanted(headers, reply_to, correlation_id):
            canvas["reply"] = place
        if not canvas:
            return None
        for name in ("callbacks", "errbacks", "chain"):
            if name in canvas:
                canvas[name] = [self._frozen(item) for item in canvas[name]]
        return dumps(canvas | {name: headers[name] for name in _PLACE if headers.get(name) is not None})

    def refuse(
        self,
        headers: Mapping[str, Any],
        embed: Mapping[str, Any],
        status: RunStatus,
        error: RunError,
        reply_to: str = "",
        correlation_id: str = "",
    ) -> None:
        """Store a final status for a message that cannot become a run, and fail the tasks that were to follow it.

        Raises:
            StoreUnavailableError, KombuError, OSError: The store or the broker is not available. The call may be
                repeated.
        """
        self._backend().store_result(headers["id"], exception_of(status, error), STATES[status])
        canvas = {name: embed.get(name) for name in _PARTS} | {name: headers.get(name) for name in _PLACE}
        canvas["reply"] = self._replies.wanted(headers, reply_to, correlation_id)
        self._fail(headers["id"], headers["task"], canvas, status, error)

    def perform(self, run_ids: Sequence[str]) -> None:
        """Perform the canvas of finished runs. It stops when store or broker is away; upkeep then performs the rest."""
        for run_id in run_ids:
            try:
                self.perform_one(run_id)
            except UNAVAILABLE as error:
                log.warning("canvas.waiting: run %s and perhaps more: %s", run_id, error)
                return
            except Exception:
                log.exception("canvas.failed: run %s", run_id)

    def perform_soon(self, run_ids: Sequence[str]) -> None:
        """Perform it in a thread, because errbacks may be user code and a broker that is away takes seconds."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="taskflow-canvas")
        self._threads.submit(self.perform, run_ids)

    def perform_left(self, shard: int) -> None:
        """Perform, in a thread, the canvas of runs that ended without a node or whose node died. For upkeep."""
        left = self.records.take_left_canvas(shard)
        if left:
            self.perform_soon(left)

    def perform_one(self, run_id: str) -> None:
        """Perform one run's canvas, unless another process has claimed it.

        Raises:
            StoreUnavailableError, KombuError, OSError: The store or the broker is not available. Upkeep tries again.
        """
        ended = self.records.claim_canvas(run_id)
        if ended is None:
            return
        canvas: dict[str, Any] = loads(ended.canvas)
        performing = _PERFORMING.set(True)
        try:
            if ended.status is RunStatus.COMPLETED:
                self._go_on(ended, canvas)
            else:
                self._fail(run_id, ended.task_id, canvas, ended.status, ended.error)
        except UNAVAILABLE:
            raise
        except Exception as error:  # the next try would fail in the same way
            log.exception("canvas.broken: run %s", run_id)
            stored = RunError(type(error).__name__, message_of(error, _MESSAGE_CHARS))
            self._fail(run_id, ended.task_id, {"chain": canvas.get("chain")}, RunStatus.FAILED, stored)
        finally:
            _PERFORMING.reset(performing)
        self.records.drop_canvas(run_id)

    def _go_on(self, ended: EndedRun, canvas: Mapping[str, Any]) -> None:
        """Apply callbacks, then the chain, then the chord, as ``celery.app.trace`` does after a success."""
        output: object = loads(ended.output)
        lineage = {"parent_id": ended.run_id, "root_id": canvas.get("root_id") or ended.run_id}
        for callback in canvas.get("callbacks") or ():
            self._signature(callback).apply_async((output,), **lineage)
        chain = canvas.get("chain")
        if chain:
            self._signature(chain[-1]).apply_async((output,), chain=chain[:-1], **lineage)
        if canvas.get("chord"):
            request = _request(ended.run_id, ended.task_id, canvas)
            self._backend().on_chord_part_return(request, states.SUCCESS, output)
        if canvas.get("reply"):
            self._replies.answer(ended.run_id, canvas["reply"], output, states.SUCCESS)

    def _fail(
        self, task_id: str, name: str, canvas: Mapping[str, Any], status: RunStatus, error: RunError | None
    ) -> None:
        """Fail the chord and the chain, and call the errbacks, as ``Backend.mark_as_failure`` does.

        As in Celery, the errbacks of a canceled task are not called.
        """
        backend: Any = self._backend()
        request, raised, state = _request(task_id, name, canvas), exception_of(status, error), STATES[status]
        traceback = error.traceback if error else None
        if canvas.get("chord"):
            backend.on_chord_part_return(request, state, raised)
        if canvas.get("chain"):
            following = canvas["chain"][::-1]  # the next task first, so that all have failed when the last one has
            backend._fail_chain(following, raised, traceback, store_result=True, state=state)
        if canvas.get("errbacks") and status is not RunStatus.CANCELED:
            backend._call_task_errbacks(request, raised, traceback)
        if canvas.get("reply"):
            self._replies.answer(task_id, canvas["reply"], raised, state, traceback)

    def _frozen(self, item: Any) -> Any:
        try:
            signature = self._signature(item)
            if "task_id" not in signature.options:
                signature.freeze()
            return dict(signature)
        except Exception:  # a malformed signature raises again, and is handled, when it is applied
            log.exception("canvas.unfrozen")
            return item

    def _signature(self, item: Any) -> Any:
        return maybe_signature(item, app=self.app)

    def _backend(self) -> RunBackend:
        return cast("RunBackend", cast("Any", self.app).backend)


def _request(task_id: str, name: str, canvas: Mapping[str, Any]) -> Any:
    return Context(cast("Any", {"id": task_id, "task": name, "delivery_info": {}, **canvas}))
