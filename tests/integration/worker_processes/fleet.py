"""Events of the nodes of ``stock_app``, and a Celery client for them."""

import json
import os
from pathlib import Path
from typing import Any

from celery import Celery

from tests.support.connections import close_connections
from tests.support.processes import tail
from tests.support.waiting import wait_until

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


class Events:
    """The log and the events of nodes that share a folder."""

    def __init__(self, folder: Path, broker: str) -> None:
        self.log = folder / "node.log"
        self.file = folder / "events.jsonl"
        self.celery: Any = Celery("stock", broker=broker)
        path = f"{HERE}{os.pathsep}{ROOT}"
        self.env = {**os.environ, "PYTHONPATH": path, "BROKER": broker, "EVENTS": str(self.file)}

    def events(self, kind: str, **facts: object) -> list[dict[str, Any]]:
        """Return the events of a kind with these facts."""
        if not self.file.exists():
            return []
        lines = self.file.read_text().splitlines()
        parsed = [json.loads(line) for line in lines if line.endswith("}")]
        return [event for event in parsed if event["kind"] == kind and facts.items() <= event.items()]

    def wait_for(self, kind: str, *, timeout: float = 10, **facts: object) -> dict[str, Any]:
        """Wait for the first such event."""
        what = f"event {kind} {facts}; log:\n{tail(self.log)}"
        return wait_until(lambda: self.events(kind, **facts), what, timeout=timeout)[0]

    def send(self, task: str, *args: object) -> str:
        """Send a task and return its id."""
        return str(self.celery.send_task(f"stock_app.{task}", args=args).id)

    def started(self, task: str, *args: object) -> dict[str, Any]:
        """Send a task and wait until it executes."""
        return self.wait_for("start", id=self.send(task, *args))

    def close(self) -> None:
        """Close the client."""
        close_connections(self.celery)
        self.celery.close()

    def command(self, name: str, **arguments: object) -> dict[str, Any]:
        """Send a control command and return the one node's reply."""
        [reply] = self.celery.control.broadcast(name, arguments=arguments, reply=True, timeout=5, limit=1)
        [answer] = reply.values()
        return dict(answer)
