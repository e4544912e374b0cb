"""Where a run's operations go: to the shard that its id names, or to the one that an adopted run was found on."""

import asyncio
from typing import TypeVar

from taskflow.errors import RunNotClaimableError
from taskflow.store.operations import Operation
from taskflow.store.pipeline import Pipeline
from taskflow.store.records import ClaimedRun
from taskflow.store.wire import shard_of_run

ResultT = TypeVar("ResultT")


class RunShards:
    """The pipeline of a loop, addressed by run."""

    def __init__(self, pipeline: Pipeline, shards: int) -> None:
        self._pipeline = pipeline
        self._last = shards - 1
        self._adopted: dict[str, int] = {}

    def submit(self, operation: Operation[ResultT], run_id: str) -> "asyncio.Future[ResultT]":
        """Return the future result of an operation on a run."""
        named = shard_of_run(run_id)
        return self._pipeline.submit(operation, self._adopted.get(run_id, 0) if named is None else named)

    async def claim(self, operation: Operation[ClaimedRun], run_id: str) -> ClaimedRun:
        """Claim a run; an adopted one, whose id is Celery's, is looked for on every shard."""
        for shard in range(self._last if shard_of_run(run_id) is None else 0):
            try:
                self._adopted[run_id] = shard
                return await self._pipeline.submit(operation, shard)
            except RunNotClaimableError as refused:
                if refused.status != "MISSING":
                    raise
                self._adopted[run_id] = self._last
        return await self.submit(operation, run_id)

    def forget(self, run_id: str) -> None:
        """Forget where an adopted run was found: it is over here."""
        self._adopted.pop(run_id, None)
