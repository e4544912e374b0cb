"""A Celery worker over taskflow's transport, for subprocesses: ``celery -A tests.integration.broker.batch_worker``.

Its one task notes the id it ran under in the list ``done`` of DONE_URL, a Redis. BROKER_URL names the broker.
"""

import os
from typing import Any

import redis
from celery import bootsteps
from celery.worker import state

from taskflow.broker.celery_app import make_celery, prepare_worker
from taskflow.broker.redis_transport import set_free_slots

URL = os.environ["BROKER_URL"]
app = make_celery(URL, environment="dev", route=lambda _: "dev.small-1x.process")


class FreeSlots(bootsteps.StartStopStep):
    """Tells each new channel how many tickets the pool can start."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, parent: Any) -> None:
        """Called after every connection."""

        def free_slots(_: str) -> int:
            return int(parent.pool.num_processes) - len(state.reserved_requests)

        assert set_free_slots(parent.task_consumer.channel, free_slots) is URL.startswith("redis")


app.steps["consumer"].add(FreeSlots)
prepare_worker(app)


@app.task(name="hello-world", bind=True)
def hello_world(self: Any, *_: object) -> str:
    """Note that it ran."""
    with redis.Redis.from_url(os.environ["DONE_URL"]) as client:  # pyright: ignore[reportUnknownMemberType] - it has no hints
        client.rpush("done", self.request.id)
    return "a returned value"
