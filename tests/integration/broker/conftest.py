"""Brokers, their Celery applications and workers over them."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import Popen

import pytest
from celery import Celery
from kombu import pools

from taskflow.broker.celery_app import make_celery
from taskflow.broker.publishing import KombuPublisher
from taskflow.store.operations.tickets import Ticket
from tests.support.processes import spawn, stop_group

QUEUE = "dev.small-1x.process"
ROOT = Path(__file__).parents[3]

StartWorker = Callable[..., "Popen[bytes]"]
MakePublisher = Callable[..., KombuPublisher]


def a_celery(url: str, **transport_options: object) -> Celery:
    """Make an application whose tasks all go to ``QUEUE``."""
    return make_celery(url, environment="dev", route=lambda _: QUEUE, transport_options=transport_options)


def tickets(count: int, queue: str = QUEUE) -> list[Ticket]:
    """Make tickets ``run_0``, ``run_1``, ..."""
    return [Ticket(f"run_{n}", "hello-world", n + 1, queue, '{"message": "hi"}') for n in range(count)]


@pytest.fixture(autouse=True)
def _closed_pools() -> Iterator[None]:
    """Close the pools of plain producers: kombu's pools are global, and keep declarations that a flush has undone."""
    yield
    pools.reset()


@pytest.fixture
def publisher() -> Iterator[MakePublisher]:
    """Make publishers whose connections are closed after the test."""
    made: list[KombuPublisher] = []

    def make(celery: Celery, **options: object) -> KombuPublisher:
        made.append(KombuPublisher(celery, **options))  # type: ignore[arg-type]  # the one option is checked there
        return made[-1]

    yield make
    for publisher in made:
        publisher.close()


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[StartWorker]:
    """Start Celery workers by module: ``start_worker("stock_worker", url, "-P", "solo")``."""
    workers: list[Popen[bytes]] = []

    def start(module: str, url: str, *options: str, done: str | None = None) -> "Popen[bytes]":
        argv = [sys.executable, "-m", "celery", "-A", f"tests.integration.broker.{module}", "worker", *options]
        env = os.environ | {"BROKER_URL": url, "DONE_URL": done or url}
        with (tmp_path / "worker.log").open("ab") as output:
            workers.append(spawn(argv, env=env, cwd=ROOT, output=output))
        return workers[-1]

    yield start
    for worker in workers:
        stop_group(worker)
