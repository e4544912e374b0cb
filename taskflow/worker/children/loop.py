"""The loop of a prefork child, whose next job may be in its pipe before it has finished the last.

Then the end of a run and the start of the next cost the node one wake-up and the store one round trip. The child sends
the result of the one with its acceptance of the other, and writes the outcome with the next claim (``Relay``).
"""

import contextvars
import os
import select
import struct
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from billiard.common import terminate_handler_fired  # type: ignore[attr-defined] # not in the stubs
from billiard.pool import READY
from billiard.reduction import ForkingPickler
from celery.concurrency.asynpool import Worker

from taskflow.broker.messages import TICKET_HEADER
from taskflow.execution.forks import leave_if_fork
from taskflow.worker.attempt.relay import Relay
from taskflow.worker.child.process_state import process_state

_dumps: Final[Callable[[object], memoryview]] = cast("Any", ForkingPickler).dumps  # not in the stubs
_LENGTH: Final = struct.Struct("!i")


class ChildLoop(Worker):
    """Celery's loop of a child (``billiard.pool.Worker``), with a look at its pipe between two jobs."""

    relay: ClassVar[Relay]
    if TYPE_CHECKING:  # what the stubs of billiard leave out
        inq: Any
        outq: Any
        wait_for_job: Callable[[], Any]

    def _make_child_methods(self, *args: Any) -> None:
        cast("Any", super())._make_child_methods(*args)
        poller = select.poll()
        poller.register(self.inq._reader.fileno(), select.POLLIN)

        def is_next_at_hand() -> bool:
            return not terminate_handler_fired() and bool(poller.poll(0))

        self.relay.is_next_at_hand = is_next_at_hand
        self.outq = Outbox(self.outq, is_next_at_hand)
        receive = self.wait_for_job

        def wait_for_job() -> Any:
            self.relay.flush_unless_at_hand()
            if terminate_handler_fired():  # the last run caught its SystemExit: this child takes no other
                raise SystemExit
            job = receive()
            if job and not _is_ticket(job):
                self.relay.flush()
            return _bounded(job) if job else job

        self.wait_for_job = wait_for_job

    def _ensure_messages_consumed(self, *args: Any, **kwargs: Any) -> Any:
        """Send everything, because the child leaves its loop, for whatever reason."""
        self.outq.flush()
        self.relay.flush()
        return cast("Any", super())._ensure_messages_consumed(*args, **kwargs)


class Outbox:
    """The messages of a child to its node. A result waits for the acceptance of the next job, if that is at hand."""

    def __init__(self, pipe: Any, is_next_at_hand: Callable[[], bool]) -> None:
        self._pipe = pipe
        self._fd = pipe._writer.fileno()
        self._is_next_at_hand = is_next_at_hand
        self._kept = b""

    def put(self, message: tuple[Any, ...]) -> None:
        """Send a message and the kept ones before it, in one write."""
        body = bytes(_dumps(message))
        self._kept += _LENGTH.pack(len(body)) + body
        if message[0] != READY or not self._is_next_at_hand():
            self.flush()

    def flush(self) -> None:
        """Send the kept messages."""
        while self._kept:
            self._kept = self._kept[os.write(self._fd, self._kept) :]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pipe, name)


def _bounded(job: Any) -> Any:
    """Return a job whose function runs in ``_call``. A job is (TASK, (number, index, function, arguments, named))."""
    kind, (number, index, function, arguments, named) = job
    return kind, (number, index, _call, (function, arguments, named), {})


def _call(function: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """Call a job's function so that it leaves nothing to the next: in a context and with a process state of its own."""
    state = process_state()
    try:
        return contextvars.copy_context().run(function, *arguments, **named)
    finally:
        leave_if_fork(sys.exception())
        state.restore()


def _is_ticket(job: Any) -> bool:
    """Whether a job first claims a run. A job is (TASK, (number, index, function, arguments, ...))."""
    request = job[1][3][2]
    return TICKET_HEADER in request
