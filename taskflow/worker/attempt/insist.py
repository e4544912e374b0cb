"""Repeats an operation until the store answers, because a run's output or end must not be lost."""

import logging
import random
import time
from typing import Final, TypeVar

from taskflow.errors import StoreUnavailableError
from taskflow.store.operations.operation import Operation
from taskflow.worker.attempt.runtime import Runtime

log = logging.getLogger("taskflow.node")
ResultT = TypeVar("ResultT")
LONGEST_PAUSE_SECONDS: Final = 2.0


def insist(runtime: Runtime, operation: Operation[ResultT], *, run_id: str | None = None, shard: int = 0) -> ResultT:
    """Execute an operation on the shard of a run, or on ``shard``, however long the store is away."""
    pause = 0.1
    while True:
        try:
            if run_id is None:
                return runtime.store.run(operation, shard=shard)
            return runtime.store.run_for(run_id, operation)
        except StoreUnavailableError as error:
            log.warning("store.unavailable: %s", error)
            time.sleep(pause + random.uniform(0, pause))
            pause = min(LONGEST_PAUSE_SECONDS, 2 * pause)
