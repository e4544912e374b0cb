"""A Celery worker over taskflow's transport, for subprocesses: ``celery -A tests.integration.broker.batch_worker``.

Its one task notes in the Redis list ``done`` the id it ran under. BROKER_URL names the broker.
"""

import contextlib
import os
from collections.abc import Callable
from typing import Any

import redis
from celery import bootsteps
from celery.worker import state

from taskflow.broker.celery_app import make_celery, prepare_worker
from taskflow.broker.redis_transport import set_free_slots

connect: Callable[[str], Any] = redis.Redis.from_url  # pyright: ignore[reportUnknownMemberType] - no hints
URL = os.environ["BROKER_URL"]
app = make_celery(URL, environment="dev", route=lambda _: "dev.small-1x.process")


class FreeSlots(bootsteps.StartStopStep):
    """Tells each new channel how many tickets the pool can start."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, parent: Any) -> None:
        """Called after every connection."""

        def free_slots() -> int:
            return int(parent.pool.num_processes) - len(state.reserved_requests)

        assert set_free_slots(parent.task_consumer.channel, free_slots)


app.steps["consumer"].add(FreeSlots)
prepare_worker(app)


@app.task(name="hello-world", bind=True)
def hello_world(self: Any, *_: object) -> str:
    """Note that it ran."""
    with contextlib.closing(connect(URL)) as client:
        client.rpush("done", self.request.id)
    return "a returned value"
