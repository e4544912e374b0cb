"""Requests that are refused, as pages; within a page as a toast."""

import logging
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from taskflow.errors import TaskflowError
from taskflow.server.dashboard.rendering import render, render_toast
from taskflow.server.problems import problem_of

log = logging.getLogger("taskflow.server")
_TITLES: Final = {403: "That is not allowed", 404: "There is no such thing here", 503: "Something does not answer"}
_SERVER_FAULT: Final = 500
_TOO_SLOW: Final = 408


class PageProblem(Exception):  # noqa: N818 - as much an answer as an error
    """A request that is refused.

    Attributes:
        title: What happened, in some words.
        text: Why, and what did not happen.
        remedy: What to do.
    """

    def __init__(self, status: int, title: str, text: str, remedy: str = "") -> None:
        super().__init__(f"{title}. {text}")
        self.status, self.title, self.text, self.remedy = status, title, text, remedy


def page_problem(error: Exception) -> PageProblem:
    """Return the problem that an error is. One that is not known is a defect: it is logged, and its text not shown."""
    if isinstance(error, PageProblem):
        return error
    problem = problem_of(error)
    is_ours = isinstance(error, TaskflowError)
    title = _TITLES.get(problem.status, "That did not work" if is_ours else "The server failed at this request")
    return PageProblem(problem.status, title, problem.error, problem.remedy or "")


def refusal(request: Request, error: Exception, values: dict[str, object]) -> Response:
    """Answer with a page about a problem; to htmx with a toast, so that the page stays as it is."""
    problem = page_problem(error)
    headers = {"connection": "close"} if problem.status == _TOO_SLOW else {}  # the rest of the body is not waited for
    if request.headers.get("hx-request") == "true":
        toast = render_toast(problem.title, f"{problem.text} {problem.remedy}".strip(), "red")
        return Response(toast, problem.status, {"hx-reswap": "none", **headers}, "text/html")
    text = render("problem.html", {**values, "problem": problem})
    return Response(text, problem.status, {"cache-control": "no-store", **headers}, "text/html")
