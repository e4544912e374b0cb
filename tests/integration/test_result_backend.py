"""What people who know Celery do with results and canvas, over runs, with the store and with RabbitMQ as broker."""

import subprocess
import sys
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from celery import chain, chord, group, signature, states
from celery.exceptions import ChordError, TaskRevokedError
from celery.exceptions import TimeoutError as CeleryTimeoutError

from taskflow import RunStatus, runs
from taskflow.upkeep.passes import Upkeep
from tests import fleet_tasks as tasks
from tests.conftest import StartFleet
from tests.fleet import ROOT, Fleet
from tests.servers import RedisServer
from tests.waiting import wait_until

S = 10


def sig(fleet: Fleet, name: str, *args: object, **options: Any) -> Any:
    """Return a signature of a task by its id, as any producer makes it."""
    return signature(name, args=args, app=fleet.flow.celery, **options)


def starts(fleet: Fleet, run_id: str) -> int:
    """How often a run's code has started."""
    return sum(line[:2] == ["start", run_id] for line in fleet.ledger())


@pytest.mark.timeout(90)
def test_canvas_of_tasks_on_a_process_node(fleet: Fleet) -> None:
    """Groups, chains, chords, callbacks and errbacks, as Celery's manual has them."""
    fleet.start_node()
    celery = fleet.flow.celery
    assert celery.tasks["t-echo"].delay({"a": 1}).get(timeout=S) == {"a": 1}

    grouped = group(sig(fleet, "t-echo", n) for n in range(5)).apply_async()
    assert grouped.get(timeout=S) == [0, 1, 2, 3, 4]
    grouped.save()
    assert celery.GroupResult.restore(grouped.id).get(timeout=S) == [0, 1, 2, 3, 4]

    chained = chain(sig(fleet, "t-echo", 2), sig(fleet, "t-flaky"), sig(fleet, "t-echo")).apply_async()
    assert chained.get(timeout=S) == 2
    assert chained.parent.get(timeout=S) == 2
    assert chained.parent.retries == 1

    body = chord([sig(fleet, "t-echo", n) for n in range(10)], sig(fleet, "t-echo")).apply_async()
    assert body.get(timeout=S) == list(range(10))
    assert starts(fleet, body.id) == 1
