"""The shard of a run that an asyncio node claims. The id of a run names its shard, except that of an adopted run."""

from taskflow.errors import RunNotClaimableError
from taskflow.store.operations.claims import ClaimedRun
from taskflow.store.operations.operation import Operation
from taskflow.store.pipeline import Pipeline
from taskflow.store.wire import shard_of_run


async def claim_on_its_shard(
    pipeline: Pipeline, shards: int, claim: Operation[ClaimedRun], run_id: str
) -> tuple[ClaimedRun, int]:
    """Claim a run. Return the claim and the shard of the run.

    Raises:
        RunNotClaimableError, NodeUnregisteredError: See ``claim_run``.
    """
    named = shard_of_run(run_id)
    if named is not None:
        return await pipeline.submit(claim, named), named
    for shard in range(shards - 1):
        try:
            return await pipeline.submit(claim, shard), shard
        except RunNotClaimableError as refused:
            if refused.status != "MISSING":
                raise
    return await pipeline.submit(claim, shards - 1), shards - 1
