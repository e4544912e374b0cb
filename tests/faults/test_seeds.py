"""Two short seeds of the fault driver; `make faults` drives longer ones."""

from pathlib import Path

import pytest

from tests.faults.driver import Drive, told
from tests.servers import RabbitServer

SECONDS, PACE = 30, 12.0


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("broker, seed", [("the store", 2), ("RabbitMQ", 3)])
def test_whatever_fails_every_run_ends_once_within_its_limits(
    request: pytest.FixtureRequest, tmp_path: Path, broker: str, seed: int
) -> None:
    """Nodes, children, servers, connections and clocks, from a seeded plan; judged by a ledger of the tasks' own."""
    rabbit: RabbitServer | None = request.getfixturevalue("rabbitmq") if broker == "RabbitMQ" else None
    result = Drive(seed, SECONDS, tmp_path, rabbit).run(PACE)
    print(told(result))
    assert not result.problems, told(result)
