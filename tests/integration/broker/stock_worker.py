"""A plain Celery worker that knows nothing of taskflow, for subprocesses. BROKER_URL names its Redis."""

import json
import os
from typing import Any

import redis
from celery import Celery

URL = os.environ["BROKER_URL"]
app = Celery("stock", broker=URL)
app.conf.update(broker_connection_retry_on_startup=True, worker_hijack_root_logger=True)


@app.task(name="hello-world", bind=True, ignore_result=True)
def hello_world(self: Any, *args: object) -> None:
    """Note what the message said."""
    request = self.request
    noted = {"id": request.id, "root_id": request.root_id, "args": args, "header": request.headers.get("taskflow")}
    with redis.Redis.from_url(URL) as client:  # pyright: ignore[reportUnknownMemberType] - it has no hints
        client.rpush("done", json.dumps(noted))
