"""Verbs are written once, as generators of steps, and driven by a blocking shell or by one in an event loop.

A generator yields a step and receives its result. What the step raises is raised at the ``yield``.
"""

from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeVar

StepT = TypeVar("StepT")
T = TypeVar("T")


def drive_steps(execute: Callable[[StepT], Any], steps: Generator[StepT, Any, T]) -> T:
    """Execute the steps of a verb, and return the verb's result."""
    try:
        step = next(steps)
        while True:
            try:
                result = execute(step)
            except Exception as error:  # noqa: BLE001 - it is raised in the verb, at this step
                step = steps.throw(error)
            else:
                step = steps.send(result)
    except StopIteration as ended:
        value: T = ended.value
        return value


async def adrive_steps(execute: Callable[[StepT], Awaitable[Any]], steps: Generator[StepT, Any, T]) -> T:
    """Execute the steps of a verb in an event loop. See ``drive_steps``."""
    try:
        step = next(steps)
        while True:
            try:
                result = await execute(step)
            except Exception as error:  # noqa: BLE001 - it is raised in the verb, at this step
                step = steps.throw(error)
            else:
                step = steps.send(result)
    except StopIteration as ended:
        value: T = ended.value
        return value
