"""What one run does, on real nodes, with the store and with RabbitMQ as broker."""

from taskflow import RunStatus
from tests import fleet_tasks as tasks
from tests.fleet import Fleet


def test_a_run_completes_with_its_output(fleet: Fleet) -> None:
    """The thinnest path through every layer."""
    fleet.start_node()
    handle = tasks.echo.trigger({"a": [1, "ü"]})
    assert handle.result(timeout=10) == {"a": [1, "ü"]}
    run = handle.retrieve()
    assert run.status is RunStatus.COMPLETED
    assert [attempt.number for attempt in run.attempts] == [1]


def test_a_coroutine_completes_with_its_output(fleet: Fleet) -> None:
    """The same path through the asyncio pool."""
    fleet.start_node(executor="async", concurrency=50)
    handles = [tasks.async_sleep.trigger(tasks.Nap(seconds=0.1)) for _ in range(100)]
    assert [handle.result(timeout=10) for handle in handles] == [handle.id for handle in handles]
