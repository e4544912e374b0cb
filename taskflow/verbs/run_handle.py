"""The handle of one run, typed by the result of its task. It holds no state of the run: every verb reads the store."""

from collections.abc import AsyncGenerator, Generator
from datetime import datetime
from typing import Generic, TypeVar, cast

from taskflow.definition.blocking import refuse_in_event_loop
from taskflow.definition.calls.log_line import LogLine
from taskflow.definition.calls.trigger_options import check_due
from taskflow.definition.documents.payload import OutputType
from taskflow.definition.documents.readable import read_json
from taskflow.durations import Duration, parse_timeout
from taskflow.models import Run, RunStatus
from taskflow.verbs.current import engine

ResultT = TypeVar("ResultT")


class RunHandle(Generic[ResultT]):
    """One triggered run.

    Attributes:
        id: The run's id, which is also its Celery task id.
        is_cached: Whether the trigger found an older run with the same idempotency key or debounce key.
    """

    __slots__ = ("_output", "id", "is_cached")

    def __init__(self, id: str, output: OutputType | None = None, *, is_cached: bool = False) -> None:
        """Refer to a run.

        Args:
            output: The type of the task's result; None: plain JSON.
        """
        self.id = id
        self._output = output
        self.is_cached = is_cached

    def __repr__(self) -> str:
        return f"RunHandle({self.id!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RunHandle) and cast("RunHandle[object]", other).id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def status(self) -> RunStatus:
        """Return the run's status now.

        Raises:
            RunNotFoundError: The run's record has expired.
            StoreUnavailableError: The store did not answer.
            BlockingCallError: An event loop runs in this thread; await ``astatus``.
        """
        refuse_in_event_loop("handle.status", "handle.astatus")
        return engine().runs.status(self.id)

    async def astatus(self) -> RunStatus:
        """Return the run's status now. See ``status``."""
        return await engine().runs.astatus(self.id)

    def result(self, timeout: Duration | None = None) -> ResultT:
        """Wait until the run has ended and return what the task returned.

        Args:
            timeout: How long to wait. None waits for ever.

        Raises:
            RunFailedError: It did not end COMPLETED; RunCanceledError when it was canceled.
            ResultTimeoutError: It has not ended in time.
            RunNotFoundError: The run's record has expired.
            OutputError: The output does not fit the task's return annotation (any more).
            StoreUnavailableError: The store did not answer at the beginning. A wait that has begun goes on.
            BlockingCallError: An event loop runs in this thread; await ``aresult``.
        """
        refuse_in_event_loop("handle.result", "handle.aresult")
        longest = parse_timeout(timeout)  # a wrong timeout raises before the application is made
        return self._decode(engine().runs.output(self.id, longest))

    async def aresult(self, timeout: Duration | None = None) -> ResultT:
        """Wait until the run has ended and return what the task returned. See ``result``."""
        longest = parse_timeout(timeout)
        return self._decode(await engine().runs.aoutput(self.id, longest))

    def retrieve(self) -> Run:
        """Return the run's record: payload, output, error and attempts, and the reason why it does not start or go on.

        Raises:
            RunNotFoundError: The run's record has expired.
            StoreUnavailableError: The store did not answer.
            BlockingCallError: An event loop runs in this thread; await ``aretrieve``.
        """
        refuse_in_event_loop("handle.retrieve", "handle.aretrieve")
        return engine().runs.retrieve(self.id)

    async def aretrieve(self) -> Run:
        """Return the run's record. See ``retrieve``."""
        return await engine().runs.aretrieve(self.id)

    def cancel(self) -> bool:
        """Cancel the run, whether it executes or not.

        Returns:
            False when the run had ended already.

        Raises:
            RunNotFoundError: The run's record has expired.
            StoreUnavailableError: The store did not answer.
            BlockingCallError: An event loop runs in this thread; await ``acancel``.
        """
        refuse_in_event_loop("handle.cancel", "handle.acancel")
        return engine().runs.cancel(self.id)

    async def acancel(self) -> bool:
        """Cancel the run, whether it executes or not. See ``cancel``."""
        return await engine().runs.acancel(self.id)

    def replay(self, *, keep_journal: bool = False, from_step: str | None = None) -> "RunHandle[ResultT]":
        """Make a new run like this one. See ``runs.replay``."""
        refuse_in_event_loop("handle.replay", "handle.areplay")
        if keep_journal or from_step is not None:
            return RunHandle(engine().journals.replay(self.id, from_step), self._output)
        return RunHandle(engine().runs.replay(self.id), self._output)

    async def areplay(self, *, keep_journal: bool = False, from_step: str | None = None) -> "RunHandle[ResultT]":
        """Make a new run like this one. See ``runs.replay``."""
        if keep_journal or from_step is not None:
            return RunHandle(await engine().journals.areplay(self.id, from_step), self._output)
        return RunHandle(await engine().runs.areplay(self.id), self._output)

    def resume(self, from_step: str | None = None) -> RunStatus:
        """Let the run, which waits for the code of its journal, go on with the code that is up. See ``runs.resume``."""
        refuse_in_event_loop("handle.resume", "handle.aresume")
        return engine().journals.resume(self.id, from_step)

    async def aresume(self, from_step: str | None = None) -> RunStatus:
        """Let the run, which waits for the code of its journal, go on with the code that is up. See ``runs.resume``."""
        return await engine().journals.aresume(self.id, from_step)

    def reschedule(self, delay: Duration | datetime) -> datetime:
        """Move the start of the run, which must be DELAYED. See ``runs.reschedule``."""
        refuse_in_event_loop("handle.reschedule", "handle.areschedule")
        return engine().runs.reschedule(self.id, check_due(delay))

    async def areschedule(self, delay: Duration | datetime) -> datetime:
        """Move the start of the run, which must be DELAYED. See ``runs.reschedule``."""
        return await engine().runs.areschedule(self.id, check_due(delay))

    def logs(self, *, follow: bool = False) -> Generator[LogLine]:
        """Yield the run's log lines and spans, oldest first. See ``runs.logs``."""
        refuse_in_event_loop("handle.logs", "handle.alogs")
        return engine().logs.lines(self.id, follow=follow)

    def alogs(self, *, follow: bool = False) -> AsyncGenerator[LogLine]:
        """Yield the run's log lines and spans, oldest first. See ``runs.logs``."""
        return engine().logs.alines(self.id, follow=follow)

    def subscribe(self) -> Generator[Run]:
        """Yield the run as it is now, and after every change until it has ended. See ``runs.subscribe``."""
        refuse_in_event_loop("handle.subscribe", "handle.asubscribe")
        return engine().runs.subscribe(self.id)

    def asubscribe(self) -> AsyncGenerator[Run]:
        """Yield the run as it is now, and after every change until it has ended. See ``runs.subscribe``."""
        return engine().runs.asubscribe(self.id)

    def _decode(self, document: bytes) -> ResultT:
        # ResultT is the task's return annotation, against which the loader checks the stored JSON.
        return cast("ResultT", self._output.load(document) if self._output else read_json(document))
