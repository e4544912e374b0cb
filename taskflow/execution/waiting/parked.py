"""Decide whether the code of a run can only wait. Only then may its slot be given back.

A run of several tasks (``asyncio.gather``) can only wait when each of them awaits one of the run's waits, or tasks that
do. A task that awaits anything else, for example a socket or a timer, computes.
"""

import asyncio
from asyncio import tasks as asyncio_tasks
from collections.abc import Collection, Iterable
from typing import Any, cast

AnyTask = asyncio.Task[Any]


def can_only_wait(tasks: Iterable[AnyTask], waits: Collection[object]) -> bool:
    """Whether no task can go on before one of these waits is done.

    Args:
        tasks: The run's tasks, until their done callbacks are called: one that has just ended may wake another.
        waits: The futures of its waits.
    """
    alive = set(tasks)
    return not any(task.done() for task in alive) and all(_waits(task, alive, waits) for task in alive)


def _waits(task: AnyTask, alive: Collection[AnyTask], waits: Collection[object]) -> bool:
    awaited = getattr(task, "_fut_waiter", None)  # of C and Python tasks alike, from 3.11 to 3.14
    if awaited is None or awaited.done():  # it is about to run
        return False
    if awaited in waits or awaited in alive:
        return True
    children = getattr(awaited, "_children", None)  # of asyncio.gather
    if children is not None:
        return all(child.done() or child in alive or child in waits for child in children)
    return _awaits_tasks(task, alive, waits)


def _awaits_tasks(task: AnyTask, alive: Collection[AnyTask], waits: Collection[object]) -> bool:
    """Whether a task is in ``asyncio.wait``, ``wait_for`` or a task group, all of whose tasks are the run's own."""
    frame = _innermost(task.get_coro())
    if frame is None:
        return False
    if frame.f_code is _WAIT:
        tasks, timeout = frame.f_locals.get("fs", ()), frame.f_locals.get("timeout_handle")
        return timeout is None and all(each.done() or each in alive or each in waits for each in tasks)
    if frame.f_code.co_filename == _GROUPS and "self" in frame.f_locals:
        return all(each.done() or each in alive for each in frame.f_locals["self"]._tasks)
    return False


def _innermost(coroutine: Any) -> Any:
    """Return the frame of the coroutine that awaits a future, None when it is not a Python coroutine."""
    while (inner := getattr(coroutine, "cr_await", None)) is not None and hasattr(inner, "cr_frame"):
        coroutine = inner
    return getattr(coroutine, "cr_frame", None)


_WAIT = cast(Any, asyncio_tasks)._wait.__code__
_GROUPS = asyncio.TaskGroup.__aexit__.__code__.co_filename
