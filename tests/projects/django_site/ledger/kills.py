"""Transactions whose process is killed at a place that a seed chooses: ``python -m ledger.kills SEED TRIES``.

Each try is a process of its own, a fork of this one. It writes rows with the ids of the runs that it has triggered.
"""

import os
import random
import sys
from collections.abc import Sequence

import django
from django.db import transaction

KILLED = 9
PLACES = (
    "in the block",
    "after the commit",
    "before the entry is deleted",
    "without the store",
    "",
)


def main(seed: int, tries: int) -> None:
    """Make the tries, one after another."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.settings"
    django.setup()
    chosen = random.Random(seed)
    for number in range(tries):
        place = PLACES[number % len(PLACES)]
        pid = os.fork()
        if pid == 0:
            attempt(f"try {number}", place, chosen.randint(1, 3))
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == (KILLED if place else 0), place


def attempt(name: str, place: str, count: int) -> None:
    """Write and trigger in a transaction, and die at a place."""
    from taskflow.contrib.django import outbox
    from taskflow.verbs.late_triggers import LATE

    from .models import Order
    from .tasks import OrderPayload, process

    def die(*_: object) -> None:
        os._exit(KILLED)

    if place == "without the store":
        os.environ |= {"TASKFLOW_REDIS_URL": "redis://127.0.0.1:1", "TASKFLOW_CONNECT_TIMEOUT": "0.2"}
    if place == "before the entry is deleted":
        setattr(outbox, "_forget", die)  # noqa: B010 - types would want its signature
    with transaction.atomic():
        if place == "after the commit":
            transaction.on_commit(die)
        names = [f"{name}.{index}" for index in range(count)]
        if count == 1:
            ids: Sequence[str] = [process.trigger(OrderPayload(name=names[0])).id]
        else:
            ids = process.batch_trigger([OrderPayload(name=each) for each in names]).run_ids
        for each, run_id in zip(names, ids, strict=True):
            Order.objects.create(name=each, run_id=run_id)
        if place == "in the block":
            die()
    if place == "without the store":
        LATE.leave()
        die()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
