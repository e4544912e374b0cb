"""The event loop of an asyncio node. Only the node ends it, and only a task's own run or the node cancels the task."""

import asyncio
import logging
import os
from collections import deque
from collections.abc import Callable
from contextvars import Context
from selectors import BaseSelector
from types import TracebackType
from typing import Any

from taskflow.execution.failures import describe
from taskflow.execution.reporting.current import live_run_in
from taskflow.execution.reporting.live_run import LiveRun
from taskflow.execution.waiting.coroutines import is_task_of_run, track_tasks

log = logging.getLogger("taskflow.node")
asyncio_log = logging.getLogger("asyncio")


class NodeLoop(asyncio.SelectorEventLoop):
    """A loop that goes on whatever the code of a run does.

    asyncio lets SystemExit and KeyboardInterrupt of any task or callback out of ``run_forever``. Here they end their
    run alone, as they would end a program of that run alone.
    """

    def __init__(self, selector: BaseSelector | None = None) -> None:
        super().__init__(selector)
        self._is_leaving = False
        track_tasks(self, NodeTask)
        os.register_at_fork(after_in_child=self._end_in_fork)

    def serve(self, on_exit: Callable[[LiveRun, BaseException], None]) -> None:
        """Run until ``leave``.

        Args:
            on_exit: Called with a run, when a task or a callback of it has left the loop, and with its exception.
        """
        while not self._is_leaving:
            try:
                self.run_forever()
            except (SystemExit, KeyboardInterrupt) as left:
                context = _context_of(left.__traceback__)
                live = None if context is None else live_run_in(context)
                log.warning(
                    "loop.exit: a task or callback of %s raised %s",
                    f"run {live.identity.run_id}" if live else "no run",
                    type(left).__name__,
                )
                if live is not None:
                    on_exit(live, left)

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """Log an exception that nobody has retrieved. asyncio would also make the text of the task, which has it."""
        error: object = context.get("exception")
        if not isinstance(error, BaseException):
            super().default_exception_handler(context)
            return
        asyncio_log.error("%s\n%s", context.get("message") or "Exception in a callback", describe(error).traceback)

    def _end_in_fork(self) -> None:
        """Let a fork that code of a run makes go no further than to the end of that code's step."""
        loop: Any = self
        loop._ready, loop._selector = _Nothing(), _Nothing()

    def leave(self) -> None:
        """Stop the loop. In the loop's thread."""
        self._is_leaving = True
        super().stop()

    def stop(self) -> None:
        """Stop the loop after its node has left it, as ``run_until_complete`` does.

        Raises:
            RuntimeError: The node uses the loop. Code of a run has called this.
        """
        self._refuse("stop it")
        super().stop()

    def set_task_factory(self, factory: Any) -> None:
        """Have tasks made in another way, before the node serves the loop.

        Raises:
            RuntimeError: The node uses the loop: its factory knows which task belongs to which run.
        """
        if self.get_task_factory() is not None:
            self._refuse("change how its tasks are made")
        super().set_task_factory(factory)

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """End the threads of ``asyncio.to_thread`` after the node has left the loop.

        Raises:
            RuntimeError: The node uses the loop, and its other runs use the threads.
        """
        self._refuse("end its threads")
        await super().shutdown_default_executor()

    async def shutdown_asyncgens(self) -> None:
        """Close the asynchronous generators after the node has left the loop.

        Raises:
            RuntimeError: The node uses the loop, and its other runs have generators.
        """
        self._refuse("close the generators of others")
        await super().shutdown_asyncgens()

    def _refuse(self, what: str) -> None:
        if not self._is_leaving:
            raise RuntimeError(f"The event loop is the node's, and executes other runs; a task can't {what}.")


class _Nothing(deque[Any]):
    """The callbacks and events of the loop in a fork: the first look at them ends the fork."""

    def popleft(self) -> Any:
        """End."""
        os._exit(0)

    def select(self, _: float | None = None) -> Any:
        """End."""
        os._exit(0)


class NodeTask(asyncio.Task[Any]):
    """A task that code of another run can't cancel, as with ``for task in asyncio.all_tasks(): task.cancel()``."""

    __slots__ = ()

    def cancel(self, msg: Any = None) -> bool:
        """Cancel it, if its own run or the node asks. Return whether it will be canceled."""
        asking = live_run_in(None)
        if asking is not None and not is_task_of_run(self):
            log.warning("cancel.ignored: run %s asked for it of a task that is not its own", asking.identity.run_id)
            return False
        return super().cancel(msg)


def _context_of(traceback: TracebackType | None) -> Context | None:
    """Return the context of the callback that an exception came from: asyncio's handle of it is in the traceback."""
    while traceback is not None:
        handle = traceback.tb_frame.f_locals.get("self")
        if isinstance(handle, asyncio.Handle):
            context: Context | None = getattr(handle, "_context", None)
            return context
        traceback = traceback.tb_next
    return None
