"""The shop that the tour looks at: an environment with workers, runs of every kind, and a server."""

import hashlib
import hmac
import json
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

from taskflow import RunStatus, TokenStatus
from taskflow.definition.calls.batch_item import BatchItem, BatchOptions
from taskflow.definition.calls.run_filter import RunFilter
from taskflow.definition.calls.trigger_options import TriggerOptions
from taskflow.definition.calls.users import Role
from taskflow.engine.engine import Engine
from taskflow.models import Run
from taskflow.seams.error_groups import ErrorGroup
from taskflow.seams.tokens import TokenQuery
from taskflow.server.dashboard.sign_in.passwords import hash_password
from tests.support.api_server import ApiServer
from tests.support.fleet import Fleet
from tests.support.waiting import wait_until

PASSWORD: Final = "correct horse battery"
ENVIRONMENT: Final = "production"
PROJECT: Final = "tests.projects.shop_tasks"
SECRET: Final = b"It's a Secret to Everybody"
"""The secret of the project's webhook task."""
ORDER: Final[Mapping[str, object]] = {
    "order_id": "o_48213",
    "customer": {"id": 10233, "name": "Ada Keller", "email": "ada@keller.example"},
    "destination": {"country": "CH", "postcode": "8004", "street": "Langstrasse 84"},
    "parcels": [{"sku": "mug-blue", "quantity": 2}, {"sku": "poster-a2", "quantity": 1}],
    "declared_value": "1240.00",
    "express": False,
    "reference": 9007199254740993,
}
"""A payload of ``order-fulfil``: the carrier does not answer at first, and customs wait for a person."""

ResultT = TypeVar("ResultT")


class Shop:
    """An environment of the project ``shop_tasks``. Its engine is called in a thread of its own.

    Playwright has an event loop in the test's thread, where blocking verbs are refused.
    """

    def __init__(self, folder: Path, redis_url: str, database_url: str) -> None:
        self.fleet = Fleet(folder, redis_url, is_new=True, database_url=database_url, environment=ENVIRONMENT)
        self.server = ApiServer(self.fleet, TASKFLOW_TASKS=PROJECT)
        self._thread = ThreadPoolExecutor(1)
        self.do(lambda engine: engine.users.add("ana", Role.ADMIN, hash_password(PASSWORD)))

    def open(self) -> None:
        """Start the server and the workers."""
        nodes = [
            self.fleet.start_node(executor=kind, app="taskflow.fleet", wait=False, TASKFLOW_TASKS=PROJECT)
            for kind in ("process", "async")
        ]
        self.server.start()
        for node in nodes:
            self._thread.submit(self.fleet.wait_for, node).result()

    def fill(self, count: int) -> None:
        """Make so many runs that stay live: four of five wait in a paused queue, the others for their time."""
        reason = "the suppliers' server is down until 16:00"
        self.do(lambda engine: engine.queues.control("imports", "pause", reason=reason))
        items = [
            BatchItem({"order_id": f"o_{number}"}, concurrency_key=f"supplier-{number % 37}")
            if number % 5
            else BatchItem({"order_id": f"o_{number}"}, delay=f"{number + 600}s")
            for number in range(count)
        ]
        made = self.do(lambda engine: engine.batches.trigger("catalog-import", items, BatchOptions.checked()))
        assert not made.errors, made.errors[:3]

    def close(self) -> None:
        """Stop the server and the workers."""
        self.server.close()
        self.fleet.close()
        self._thread.shutdown()

    def do(self, call: Callable[[Engine], ResultT]) -> ResultT:
        """Call the engine."""
        return self._thread.submit(call, self.fleet.flow.engine).result()

    def trigger(self, task_id: str, payload: object = None, **options: Any) -> str:
        """Trigger a run and return its id."""
        given = TriggerOptions.checked(**options)
        return self.do(lambda engine: engine.runs.trigger(task_id, payload or {}, given).run_id)

    def order(self, **changes: object) -> str:
        """Trigger ``order-fulfil`` and return the run's id."""
        return self.trigger("order-fulfil", {**ORDER, **changes}, tags=["order:48213", "customer:10233"])

    def run(self, run_id: str) -> Run:
        """Return a run."""
        return self.do(lambda engine: engine.runs.retrieve(run_id))

    def runs_of(self, task_id: str) -> Sequence[str]:
        """Return the ids of a task's 100 newest runs: the history has many."""
        return [each.id for each in self.do(lambda engine: engine.runs.list(100, RunFilter(task=task_id))).runs]

    def status(self, run_id: str) -> RunStatus:
        """Return a run's status."""
        return self.do(lambda engine: engine.runs.status(run_id))

    def newest_groups(self) -> Sequence[ErrorGroup]:
        """Return the groups of errors of the last hour, the newest failure first."""
        now = datetime.now(UTC)
        return self.do(lambda engine: engine.errors.list(now - timedelta(hours=1), now + timedelta(hours=1)))

    def until(self, run_id: str, status: RunStatus) -> None:
        """Wait until a run has a status."""
        wait_until(lambda: self.status(run_id) is status, f"{run_id} to be {status}", timeout=60)

    def token_of(self, order_id: str) -> str:
        """Wait until an order waits for its customs, and return the id of the token."""
        query = TokenQuery(TokenStatus.WAITING, (f"order:{order_id}",), 50, None)
        found = wait_until(lambda: self.do(lambda engine: engine.tokens.list(query)), "the token", timeout=60)
        return found[0].id

    def deliver(self, path: str, delivery: str, event: str = "push") -> str:
        """Send a signed delivery to the path of the project's webhook task, and return the delivery's id."""
        body = json.dumps({"ref": "refs/heads/main", "commits": [{"id": delivery, "message": "Wrap mugs twice"}]})
        headers = {
            "x-hub-signature-256": f"sha256={hmac.new(SECRET, body.encode(), hashlib.sha256).hexdigest()}",
            "x-github-event": event,
            "x-github-delivery": delivery,
        }
        request = urllib.request.Request(f"{self.server.url}{path}", body.encode(), headers)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return str(answer.headers["x-taskflow-delivery"])

    def address(self, path: str) -> str:
        """Return the address of a page."""
        return f"{self.server.url}/{self.fleet.environment}/{path}"
