"""An event loop of its own for the coroutine of one attempt in a child."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVar

from taskflow.execution.calling import ChildStop
from taskflow.execution.in_loop import Escape

log = logging.getLogger("taskflow.node")
T = TypeVar("T")


def run_in_own_loop(
    coroutine: Coroutine[Any, Any, T], stop: ChildStop, escape: Escape, prepare: Callable[[Any], None] = lambda _: None
) -> T:
    """Make a loop and run a coroutine in it. See ``run_to_end``."""
    runner = asyncio.Runner()
    try:
        prepare(runner.get_loop())
        return run_to_end(runner, coroutine, stop, escape)
    finally:
        close_runner(runner)


def close_runner(runner: asyncio.Runner) -> None:
    """Close a loop. Tasks that are still there are canceled; their exits change nothing any more."""
    try:
        runner.close()
    except (SystemExit, KeyboardInterrupt) as left:
        log.warning("loop.exit: a task that the run had left behind raised %s", type(left).__name__)


def run_to_end(
    runner: asyncio.Runner,
    coroutine: Coroutine[Any, Any, T],
    stop: ChildStop,
    escape: Escape,
    context: Context | None = None,
) -> T:
    """Run a coroutine to its end, whatever leaves the loop meanwhile.

    asyncio lets a SystemExit of any task out of the loop. If the child was asked to stop, the coroutine is canceled and
    has its signal set, so that it runs its hooks. Otherwise a task of its own has exited, and it fails with that.

    Raises:
        SystemExit: The child was asked to stop, and the coroutine did not return.
    """
    task = runner.get_loop().create_task(coroutine, context=context)
    leaving: SystemExit | None = None
    while True:
        try:
            return runner.run(_ended(task))
        except asyncio.CancelledError:
            if (cause := leaving or escape.error) is None:
                raise
            raise cause from None
        except (SystemExit, KeyboardInterrupt) as left:
            if task.done() or leaving is not None:
                continue
            if isinstance(left, SystemExit) and stop.is_asked(left):
                leaving = left
            else:
                escape.error = escape.error or left
            task.cancel()


async def _ended(task: "asyncio.Task[T]") -> T:
    await asyncio.wait([task])
    return task.result()
