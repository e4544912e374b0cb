"""Celery's remote control commands that would set limits on our tasks: they answer with what does the same here."""

from collections.abc import Callable
from typing import Any, Final, cast

from celery.worker.control import Panel

from taskflow.worker.celery_options import about_limit
from taskflow.worker.children.run_task import RunTask

Command = Callable[..., dict[str, str]]


def answer_limits() -> None:
    """Have ``time_limit`` and ``rate_limit`` leave our tasks alone in this process. Plain Celery tasks obey them."""
    commands = cast("dict[str, Command]", Panel.data)  # pyright: ignore[reportUnknownMemberType] - not in the stubs
    for name, advice in _ADVICE.items():
        if not isinstance(commands[name], _Limit):
            commands[name] = _Limit(commands[name], advice)


class _Limit:
    """A command of Celery's, and the answer that it gives for our tasks instead."""

    def __init__(self, command: Command, advice: Callable[[dict[str, Any]], str]) -> None:
        self._command, self._advice = command, advice

    def __call__(self, state: Any, task_name: str | None = None, **given: Any) -> dict[str, str]:
        """Answer one call, on the hub's thread."""
        if isinstance(state.app.tasks.get(task_name), RunTask):
            return {"error": self._advice(given)}
        return self._command(state, task_name=task_name, **given)


def _about_time(given: dict[str, Any]) -> str:
    seconds = [float(each) for each in (given.get("soft"), given.get("hard")) if each]
    return about_limit("time_limit", min(seconds, default=None))


def _about_rate(_: dict[str, Any]) -> str:
    return (
        "rate_limit is not possible for runs, because it would hold back tickets in one node. Declare the task with "
        "queue=Queue(rate_limit='10/m'), which counts the starts of all nodes."
    )


_ADVICE: Final = {"time_limit": _about_time, "rate_limit": _about_rate}
