"""The functions of ``taskflow.testing``, which act on the test that is under way."""

from datetime import datetime, timedelta

from taskflow import guard_of_tests
from taskflow.models import Run
from taskflow.testing.comparing import ANYTHING
from taskflow.testing.session import current_stage
from taskflow.testing.stage import AnyTask


def now() -> datetime:
    """Return the present instant of the test, in UTC: the machine's, and what ``advance`` has added."""
    return current_stage().now()


def advance(duration: timedelta | None = None, /, **units: float) -> None:
    """Let time pass: ``advance(days=3)``. See ``Stage.advance``."""
    current_stage().advance(duration, **units)


def settle() -> None:
    """Return once nothing goes on by itself. See ``Stage.settle``."""
    current_stage().settle()


async def aadvance(duration: timedelta | None = None, /, **units: float) -> None:
    """Let time pass, in a test that is a coroutine: ``await aadvance(days=3)``."""
    await current_stage().aadvance(duration, **units)


async def asettle() -> None:
    """Return once nothing goes on by itself, in a test that is a coroutine."""
    await current_stage().asettle()


def allow_store(url: str) -> None:
    """Let the tests of this process use one more store: a server that they have started themselves."""
    guard_of_tests.allow(url)


def triggered(task: AnyTask | None = None) -> list[Run]:
    """Return the runs of a task, or of all, that were triggered in this test, oldest first."""
    return current_stage().triggered(task)


def assert_triggered(task: AnyTask, payload: object = ANYTHING, *, times: int | None = None) -> list[Run]:
    """Check that a task was triggered, with this payload and so many times. See ``Stage.assert_triggered``."""
    return current_stage().assert_triggered(task, payload, times=times)
