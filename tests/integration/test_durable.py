"""Durable runs on real nodes of both kinds, with the store and with RabbitMQ as broker."""

import pytest

from taskflow import RunStatus, Task
from tests import durable_tasks as tasks
from tests.fleet import Fleet
from tests.waiting import wait_until

SHOPS = pytest.mark.parametrize("shop", [tasks.shop, tasks.async_shop], ids=["process", "async"])


def count(fleet: Fleet, *words: str) -> int:
    """Return how often a line is in the ledger."""
    return fleet.ledger().count(list(words))


@pytest.mark.timeout(60)
@SHOPS
def test_a_run_waits_without_a_process_and_goes_on_at_another_node(
    fleet: Fleet, shop: Task[tasks.Order, list[str]]
) -> None:
    """What it did before is not done again."""
    executor = "async" if shop is tasks.async_shop else "process"
    first = fleet.start_node(executor=executor)
    handle = shop.trigger(tasks.Order(children=[2, 3]))
    wait_until(lambda: count(fleet, "finally", "o1"), "its code to be left", timeout=20)
    assert handle.status() is RunStatus.WAITING
    first.kill()
    fleet.start_node(executor=executor)
    if executor == "async":
        fleet.start_node()
    found = handle.result(timeout=40)
    assert found[:2] == ["Charge", "5 10"]
    assert count(fleet, "charge", "o1", "5") == 1
    assert len(handle.retrieve().attempts) == 1
