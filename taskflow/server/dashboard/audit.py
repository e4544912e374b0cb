"""The audit of actions: who did what to which thing, from where, and why. It is logged, and kept in the history."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from taskflow.engine.insights.audit import AuditEngine
from taskflow.errors import HistoryUnavailableError

log = logging.getLogger("taskflow.audit")


@dataclass(frozen=True, slots=True)
class Line:
    """An action.

    Attributes:
        address: The IP address of the browser.
        action: A thing and a verb: ``queue.pause``, ``run.cancel``.
        target: The id of the thing.
        reason: The text that the user gave, "" for none.
    """

    user: str
    address: str
    action: str
    target: str
    reason: str


def log_line(line: Line) -> None:
    """Log an action."""
    log.info(
        "dashboard.action: %s %r by %r from %s",
        line.action,
        line.target,
        line.user,
        line.address,
        extra={
            "action": line.action,
            "target": line.target,
            "user": line.user,
            "address": line.address,
            "reason": line.reason,
        },
    )


async def keep_lines(engine: AuditEngine, lines: Sequence[Line]) -> None:
    """Keep actions in the history, if there is one. They have happened: a history that is away is logged only."""
    for line in lines:
        try:
            await asyncio.to_thread(
                engine.keep, line.user, line.action, line.target, origin=line.address, reason=line.reason
            )
        except HistoryUnavailableError as error:
            log.warning("dashboard.action_not_kept: %s", error)
