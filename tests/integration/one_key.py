"""Trigger one task with one idempotency key from many threads, and print the ids of the runs that were made.

Arguments: the number of threads, the number of triggers in all. Every second trigger is a batch of four items.
"""

import sys
from concurrent.futures import ThreadPoolExecutor

from taskflow import BatchItem
from tests.projects.fleet_tasks import echo


def trigger(number: int) -> set[str]:
    """Trigger once."""
    if number % 2:
        return {echo.trigger(number, idempotency_key="one").id}
    return set(echo.batch_trigger([BatchItem(number, idempotency_key="one")] * 4).run_ids)


def main() -> None:
    """Trigger as often as the arguments demand."""
    threads, triggers = map(int, sys.argv[1:])
    with ThreadPoolExecutor(threads) as pool:
        print(*set[str]().union(*pool.map(trigger, range(triggers))))


if __name__ == "__main__":
    main()
