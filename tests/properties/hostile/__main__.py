"""``python -m tests.properties.hostile --seconds 600 --seed N``: drive hostile values, with both brokers."""

import argparse
import contextlib
import logging
import os
import secrets
import sys
import tempfile
import time
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.properties.hostile.cases import Case, cases
from tests.properties.hostile.driver import Driver
from tests.support.fleet import Fleet
from tests.support.servers import RabbitServer, RedisServer, find_rabbitmq, find_valkey

AT_ONCE = 24
ROUNDS = 10


def main() -> int:
    """Drive until the time is over. Returns 1 when something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.properties.hostile")
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 20))
    parser.add_argument("--broker", choices=["store", "rabbitmq"], help="default: both by turns")
    options = parser.parse_args()
    for name in [name for name in os.environ if name.startswith(("TASKFLOW_", "CELERY_"))]:
        del os.environ[name]
    logging.getLogger("taskflow").setLevel(logging.CRITICAL)
    print(f"seed {options.seed} for {options.seconds:g} s", flush=True)
    brokers = [options.broker] if options.broker else ["store", "rabbitmq"]
    findings = 0
    for broker in brokers:
        findings += _campaign(options.seed, options.seconds / len(brokers), broker)
    print(f"seed {options.seed}: {findings} findings" if findings else f"seed {options.seed}: nothing was found")
    return 1 if findings else 0


def _campaign(number: int, seconds: float, broker: str) -> int:
    end = time.monotonic() + seconds
    with contextlib.ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        store = RedisServer(folder / "valkey", find_valkey(), name="Valkey")
        ends.callback(store.close)
        store.start()
        broker_url = None
        if broker == "rabbitmq":
            rabbit = RabbitServer(folder / "rabbitmq", *find_rabbitmq())
            ends.callback(rabbit.close)
            rabbit.start()
            rabbit.fresh_vhost()
            broker_url = rabbit.url
        (folder / "fleet").mkdir()
        fleet = Fleet(folder / "fleet", store.url, broker_url, database_url=None)
        ends.callback(fleet.close)
        driver = Driver(fleet)
        turn = 0
        while time.monotonic() < end:
            _drive(driver, number + turn, end)
            turn += 1
            print(
                f"  {broker}: {driver.calls} calls, {driver.refused} refused, {driver.runs} runs, "
                f"{len(driver.findings)} findings",
                flush=True,
            )
    return len(driver.findings)


def _drive(driver: Driver, number: int, end: float) -> None:
    known = len(driver.findings)

    @seed(number)
    @settings(
        max_examples=ROUNDS,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )
    @given(st.lists(cases, min_size=AT_ONCE, max_size=AT_ONCE))
    def round_(several: list[Case]) -> None:
        nonlocal known
        if time.monotonic() < end:
            driver.drive(several)
        for finding in driver.findings[known:]:
            print(f"FOUND (seed {number}): {finding}", flush=True)
        known = len(driver.findings)

    round_()


if __name__ == "__main__":
    sys.exit(main())
