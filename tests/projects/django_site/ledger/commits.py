"""Transactions with triggers and faults, driven by a seed. Prints what was committed and what was rolled back, as JSON.

``python -m ledger.commits SEED TRIES PORT``: the store is at PORT, and this process reaches it through a proxy that
loses answers and is away now and then. Every trigger writes a row with its run's id in the same block, so that the
database itself tells which triggers were committed.
"""

import json
import os
import random
import sys

import django

from tests.support.unreliable_proxy import UnreliableProxy
from tests.support.waiting import wait_until


class FaultError(Exception):
    """Raised at a random place of a transaction."""


def main(seed: int, tries: int, port: int) -> None:
    """Try transactions, then wait until what the store missed is made up for."""
    with UnreliableProxy(port) as proxy:
        os.environ["TASKFLOW_REDIS_URL"] = proxy.url.replace("http", "redis") + "/0"
        os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.settings"
        django.setup()
        from taskflow.verbs.late_triggers import LATE

        rolled_back = Tries(seed, proxy).go(tries)
        proxy.is_away, proxy.losses = False, 0
        wait_until(lambda: not len(LATE), "what the store missed to be made up for", timeout=60)
    print(json.dumps({"rolled_back": rolled_back}))


class Tries:
    """The tries of one seed."""

    def __init__(self, seed: int, proxy: UnreliableProxy) -> None:
        self.random, self.proxy = random.Random(seed), proxy
        self.triggered: list[str] = []

    def go(self, tries: int) -> list[str]:
        """Make all tries. Returns the ids of the runs whose rows are not in the database."""
        from django.db import transaction

        from .models import Order

        for number in range(tries):
            self.proxy.is_away = self.proxy.is_away and self.random.random() < 0.5  # away for some tries
            try:
                with transaction.atomic(durable=True):
                    self.block(f"{number}", 0)
                    if self.random.random() < 0.1:
                        self.proxy.go_away()  # before the commit
                    elif self.random.random() < 0.05:
                        self.proxy.losses = 1
                    self.perhaps_fail(0.3)
            except FaultError:
                pass
        kept = set(Order.objects.values_list("run_id", flat=True))
        return [run_id for run_id in self.triggered if run_id not in kept]

    def block(self, name: str, depth: int) -> None:
        """Write and trigger, with blocks inside whose faults end in them or not."""
        from django.db import transaction

        for index in range(self.random.randint(1, 2)):
            self.order(f"{name}.{index}")
            self.perhaps_fail(0.05)
            if depth < 2 and self.random.random() < 0.4:
                is_caught = self.random.random() < 0.7
                try:
                    with transaction.atomic():
                        self.block(f"{name}.{index}n", depth + 1)
                        self.perhaps_fail(0.3)
                except FaultError:
                    if not is_caught:
                        raise

    def order(self, name: str) -> None:
        """Trigger a run, or a batch of two, and write the rows that name it."""
        from .models import Order
        from .tasks import OrderPayload, process, process_async

        kind = self.random.random()
        if kind < 0.2:
            names = [f"{name}a", f"{name}b"]
            handle = process.batch_trigger([OrderPayload(name=each) for each in names])
            made = list(zip(names, handle.run_ids, strict=True))
        else:
            task = process if kind < 0.7 else process_async
            made = [(name, task.trigger(OrderPayload(name=name)).id)]
        for each, run_id in made:
            self.triggered.append(run_id)
            Order.objects.create(name=each, run_id=run_id)

    def perhaps_fail(self, chance: float) -> None:
        """Raise with a probability."""
        if self.random.random() < chance:
            raise FaultError


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
