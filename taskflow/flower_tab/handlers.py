"""Requests that taskflow answers in Flower. All of them but the style and the script need Flower's credentials."""

from dataclasses import dataclass
from functools import partial
from typing import cast
from urllib.parse import urlencode

from flower.api.tasks import TaskResult
from flower.app import Flower
from flower.utils.tasks import get_task_by_id
from flower.views import BaseHandler
from flower.views.monitor import Metrics
from flower.views.tasks import TaskView
from tornado import web

from taskflow.app import TaskFlow
from taskflow.errors import RunFilterError, RunNotFoundError, TaskflowError
from taskflow.flower_tab.links import DashboardLinks
from taskflow.flower_tab.listing import VIEWS, RunList, RunQuery, list_runs
from taskflow.texts import is_possible_id, visible_line


@dataclass(frozen=True, slots=True)
class Tab:
    """The facts that the handlers need, in the application's setting ``taskflow``."""

    flow: TaskFlow
    links: DashboardLinks

    @property
    def hides(self) -> bool:
        """Whether TASKFLOW_REDACT hides values."""
        return bool(self.flow.settings.redact)


class RunsPage(BaseHandler):
    """The tab of runs."""

    template = "taskflow_runs.html"

    @web.authenticated
    async def get(self) -> None:
        """Show the runs that the address asks for; or what is wrong, with the status of an error."""
        flower, tab = _flower_of(self), cast(Tab, self.settings["taskflow"])
        query = RunQuery.of(self._text)
        found, problem = RunList(()), ""
        try:
            found = await list_runs(tab.flow.engine, query, hides=tab.hides)
        except RunFilterError as error:
            self.set_status(400)
            problem = str(error)
        except RunNotFoundError:
            self.set_status(404)
            problem = (
                f"Flower has seen no task {visible_line(query.run)} since it started, and the store has no such run."
            )
        except TaskflowError as error:
            self.set_status(503)
            problem = str(error)
        self.set_header("Cache-Control", "no-store")
        self.render(
            self.template,
            found=found,
            query=query,
            problem=problem,
            views=VIEWS,
            tasks=sorted(task.id for task in tab.flow.registry),
            links=tab.links,
            environment=tab.flow.settings.environment,
            get_task=partial(get_task_by_id, flower.events),
            is_known=partial(_knows_worker, flower),
            is_live=bool(flower.options.auto_refresh) and not query.cursor,
        )

    def _text(self, name: str) -> str:
        text: str = self.get_argument(name, "", escape=False)  # the template escapes it
        return text if is_possible_id(text) else ""


class RunRows(RunsPage):
    """The rows of the tab, for its script."""

    template = "taskflow_rows.html"


class TaskPage(TaskView):
    """Flower's page of a task. For a task of which Flower has seen no event it leads to the run."""

    @web.authenticated
    def prepare(self) -> None:
        """Redirect to the run where Flower would find nothing."""
        task_id = self.path_args[0]
        if get_task_by_id(_flower_of(self).events, task_id) is None:
            self.redirect(f"{self.reverse_url('runs')}?{urlencode({'run': task_id})}")


class GuardedMetrics(Metrics):
    """Flower's metrics, with credentials."""

    @web.authenticated
    def prepare(self) -> None:
        """Refuse callers without credentials."""


class NoResult(TaskResult):
    """Refuses the outputs of runs where values of outputs are hidden."""

    @web.authenticated
    def prepare(self) -> None:
        """Refuse."""
        raise web.HTTPError(403, "TASKFLOW_REDACT hides values of outputs. The dashboard shows the rest of them.")


def _flower_of(handler: web.RequestHandler) -> Flower:
    return cast(Flower, handler.application)


def _knows_worker(flower: Flower, name: str) -> bool:
    """Whether Flower has a page of a worker: it has answered, or sent an event."""
    return name in flower.workers or name in flower.events.state.workers
