"""A project of plain Celery, for ``taskflow adopt`` to read. It knows nothing of taskflow."""
# mypy: ignore-errors
# pyright: basic

import os
import re

from celery import Celery, Task, chain, chord, group, shared_task, signals
from celery.schedules import BaseSchedule, crontab


class Dusk(BaseSchedule):
    """A schedule that is neither a crontab nor a period."""


app = Celery("shop", broker=os.environ.get("SHOP_BROKER", "redis://localhost:1/0"), backend="rpc://")
app.conf.update(
    task_routes=[
        {"mail.*": {"queue": "emails"}, re.compile(r"shop\.heavy"): {"queue": "heavy", "priority": 5}},
        "tests.projects.celery_shop.Router",
    ],
    timezone="Europe/Berlin",
    beat_schedule={
        "nightly-sweep": {"task": "shop.sweep", "schedule": crontab(hour=3, minute=0)},
        "ping": {"task": "shop.ping", "schedule": 30.0, "args": ("a",), "kwargs": {"times": 2}},
        "dusk": {"task": "shop.sweep", "schedule": Dusk()},
    },
    task_acks_late=True,
    accept_content=["json", "pickle"],
    worker_max_tasks_per_child=100,
)
print("a module may print")


class Router:
    """A router of the project's own."""

    def route_for_task(self, name, *args, **kwargs):
        return None


class Audited(Task):
    """A base class with hooks."""

    abstract = True

    def on_failure(self, exc, task_id, args, kwargs, einfo): ...

    def apply_async(self, *args, **kwargs):
        return super().apply_async(*args, **kwargs)


@app.task(
    name="shop.charge", bind=True, autoretry_for=(ConnectionError,), retry_backoff=2, max_retries=5, soft_time_limit=60
)
def charge(self, order_id: str, amount: float = 1.0, *, note: str | None = None):
    self.update_state(state="PROGRESS")
    return self.request.id


@app.task(name="mail.send", bind=True, rate_limit="10/m", default_retry_delay=30)
def mail(self, to):
    try:
        return to
    except OSError as error:
        raise self.retry(exc=error) from error


@app.task(
    name="shop.heavy", base=Audited, serializer="pickle", ignore_result=True, max_retries=None, throws=(KeyError,)
)
def heavy(document, *parts): ...


@shared_task(name="shop.sweep")
def sweep(days=30):
    chain(charge.s("o1"), mail.si("me")).delay()
    chord(group(charge.s("o1"), charge.s("o2")))(mail.s())
    mail.chunks([["a"], ["b"]], 1)()


@shared_task(name="shop.ping")
def ping(host: str, times: int = 1): ...


@signals.task_failure.connect
def failed(**kwargs): ...


@signals.before_task_publish.connect
def publishing(**kwargs): ...
