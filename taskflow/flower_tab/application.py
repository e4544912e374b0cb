"""Flower's web application with the tab of runs, stricter access and headers."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from flower.app import Flower
from tornado.httputil import HTTPHeaders
from tornado.options import OptionParser
from tornado.web import OutputTransform, StaticFileHandler, url

from taskflow.app import TaskFlow
from taskflow.definition.documents.secret_texts import LOCK
from taskflow.flower_tab.handlers import GuardedMetrics, NoResult, RunRows, RunsPage, Tab, TaskPage
from taskflow.flower_tab.links import DashboardLinks
from taskflow.flower_tab.pages import load_templates

_HIDDEN_FIELDS: Final = ("args", "kwargs", "result", "exception", "traceback")
"""Fields of Celery's events that hold values of users."""
_HEADERS: Final[Mapping[str, str]] = {
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "frame-ancestors 'none'; base-uri 'none'; object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
"""Pages with buttons that stop workers must not stand in the frame of another site."""


class TaskflowFlower(Flower):
    """Flower over a ``TaskFlow``.

    Where TASKFLOW_REDACT hides values, Flower gets none: Celery's events and results have them as text in which the
    hidden parts cannot be told from the others.
    """

    def __init__(
        self,
        flow: TaskFlow,
        options: OptionParser,
        settings: Mapping[str, Any],
        links: DashboardLinks,
        *,
        has_open_metrics: bool,
    ) -> None:
        self.flow, self.links = flow, links
        tab = Tab(flow, links)
        templates = load_templates(Path(settings["template_path"]))
        super().__init__(options=options, capp=flow.celery, template_loader=templates, taskflow=tab, **settings)
        prefix = f"/{options.url_prefix.strip('/')}" if options.url_prefix else ""
        static = {"path": str(Path(__file__).parent / "static")}
        self.add_handlers(
            r".*",
            [
                url(rf"{prefix}/runs", RunsPage, name="runs"),
                url(rf"{prefix}/runs/rows", RunRows, name="run-rows"),
                url(rf"{prefix}/runs/static/([a-z.]+)", StaticFileHandler, static, name="run-static"),
                url(rf"{prefix}/task/(.+)", TaskPage),
                *([] if has_open_metrics else [url(rf"{prefix}/metrics", GuardedMetrics)]),
                *([url(rf"{prefix}/api/task/result/(.+)", NoResult)] if tab.hides else []),
            ],
        )
        self.add_transform(_SafeHeaders)
        if tab.hides:
            self.events.on_event = _hiding(self.events.on_event)

    def run_page(self, task_id: str, task_name: str | None) -> str:
        """Return the address of the run's page in the dashboard, "" for a task that is no run or has none."""
        is_run = task_id.startswith("run_") or task_name in {task.id for task in self.flow.registry}
        return self.links.run(task_id) if is_run else ""


class _SafeHeaders(OutputTransform):
    """Adds headers to each answer."""

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Return the answer with the headers."""
        for name, value in _HEADERS.items():
            headers[name] = value
        return status_code, headers, chunk


def _hiding(on_event: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
    """Return a receiver of events that passes them on without the values of users."""

    def receive(event: dict[str, Any]) -> None:
        on_event(event | {name: LOCK for name in _HIDDEN_FIELDS if event.get(name)})

    return receive
