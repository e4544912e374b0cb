"""Hostile values wherever user data enters, on real nodes, with both brokers and a history."""

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.conftest import StartFleet
from tests.properties.hostile.cases import Case, cases
from tests.properties.hostile.driver import Driver
from tests.support.servers import RedisServer, Server


@pytest.mark.timeout(120)
def test_no_value_harms_anything_but_its_own_run(
    start_fleet: StartFleet, valkey: RedisServer, broker_server: Server
) -> None:
    """It is refused, or its run ends after one attempt and can be read back. For longer: ``python -m`` this folder."""
    broker_url = None if broker_server is valkey else broker_server.url
    driver = Driver(start_fleet(valkey.url, broker_url, database_url=None))

    @seed(1)
    @settings(
        max_examples=2,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )
    @given(st.lists(cases, min_size=30, max_size=30))
    def drive(several: list[Case]) -> None:
        driver.drive(several)

    drive()
    assert driver.findings == []
    assert driver.runs > 10
