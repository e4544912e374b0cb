"""``python -m tests.faults SEED...``: drive each seed and print its result. See ``make faults``."""

import argparse
import contextlib
import logging
import secrets
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.clock import find_faketime
from tests.faults.driver import drive, told
from tests.support.servers import RabbitServer, find_rabbitmq

PACE = 20.0


def main() -> int:
    """Drive the seeds that are named, or a new one. Returns 1 when any check failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("seeds", nargs="*", type=int, help="default: a new one")
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--pace", type=float, default=PACE, help="triggers a second")
    parser.add_argument("--broker", choices=["store", "rabbitmq"], help="default: odd seeds RabbitMQ, even the store")
    given = parser.parse_args()
    logging.getLogger("taskflow").setLevel(logging.ERROR)  # servers are away on purpose
    if find_faketime() is None:
        print("WITHOUT jumps of the clock: libfaketime is not installed")
    failed = [seed for seed in given.seeds or [secrets.randbelow(1 << 20)] if not _drive(seed, given)]
    print(f"failed seeds: {' '.join(map(str, failed))}" if failed else "all seeds held")
    return 1 if failed else 0


def _drive(seed: int, given: argparse.Namespace) -> bool:
    has_rabbit = given.broker == "rabbitmq" or (given.broker is None and seed % 2 == 1)
    began = time.monotonic()
    print(f"seed {seed} for {given.seconds:g} s, broker: {'RabbitMQ' if has_rabbit else 'the store'}", flush=True)
    with contextlib.ExitStack() as ends:
        broker = None
        if has_rabbit:
            folder = ends.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
            broker = RabbitServer(Path(folder), *find_rabbitmq())
            ends.callback(broker.close)
            broker.start()
            broker.fresh_vhost()
        result = drive(seed, given.seconds, given.pace, broker)
    print(f"{told(result)}\n  took {time.monotonic() - began:.0f} s", flush=True)
    return not result.problems


if __name__ == "__main__":
    sys.exit(main())
