"""Two short seeds of the fault driver; `make faults` drives longer ones."""

import logging

import pytest

from tests.faults.driver import drive, told
from tests.support.servers import RabbitServer

SECONDS, PACE = 20, 10.0


@pytest.mark.slow
@pytest.mark.timeout(280)
@pytest.mark.parametrize("broker, seed", [("the store", 2), ("RabbitMQ", 3)])
def test_whatever_fails_every_run_ends_once_within_its_limits(
    request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture, broker: str, seed: int
) -> None:
    """A seeded plan faults nodes, children, servers, connections and clocks. A ledger of the tasks' own judges."""
    caplog.set_level(logging.ERROR, "taskflow")  # servers are away on purpose
    rabbit: RabbitServer | None = request.getfixturevalue("rabbitmq") if broker == "RabbitMQ" else None
    result = drive(seed, SECONDS, PACE, rabbit)
    print(told(result))
    assert not result.problems, told(result)
