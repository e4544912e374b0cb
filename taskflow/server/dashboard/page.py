"""A line of the table of pages. Routes, navigation, the check of roles and the tests are made from the table."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from starlette.responses import Response

from taskflow.definition.calls.users import Role
from taskflow.server.dashboard.visit import Visit

Handler: TypeAlias = Callable[[Visit], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Page:
    """One method of one path.

    Attributes:
        path: Behind the environment, as Starlette writes it: ``runs``, ``runs/{run_id}``, ``tasks/{task_id:path}``.
        role: The least role that may use it.
        is_stream: Its answer has no end.
    """

    path: str
    handler: Handler
    role: Role = Role.VIEWER
    method: str = "GET"
    is_stream: bool = False


def action(path: str, handler: Handler, role: Role = Role.OPERATOR) -> Page:
    """Return a page that acts: a POST of operators, or of another role."""
    return Page(path, handler, role, "POST")
