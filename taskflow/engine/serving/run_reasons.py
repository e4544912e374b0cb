"""The reasons why the runs of a list do not start or go on, in one round trip."""

from collections.abc import Callable, Mapping, Sequence

from taskflow.engine.loops import Loop
from taskflow.engine.reasons.reason import Heartbeats, reason_of
from taskflow.engine.round_trips import Steps, adrive, checked
from taskflow.errors import RunNotFoundError
from taskflow.models import Reason, Run
from taskflow.store.operations.explanation import Explained, explain_runs
from taskflow.store.operations.operation import Operation
from taskflow.store.wire import shard_of_run


class RunReasons:
    """Explains many runs at once."""

    def __init__(self, loop: Callable[[], Loop], shards: int, heartbeats: Heartbeats) -> None:
        self._loop, self._shards, self._heartbeats = loop, shards, heartbeats

    async def areasons(self, run_ids: Sequence[str]) -> Mapping[str, tuple[Run, Reason | None]]:
        """Return live runs with the reason why each does not start or go on, None for one that executes.

        Runs that have ended and unknown ones are left out. The runs have waits, and neither payload nor output. The
        reason names a token that a run waits for, and not whether it was completed meanwhile.
        """
        return await adrive(self._loop().store, self._reasons(run_ids))

    def _reasons(self, run_ids: Sequence[str]) -> Steps[Mapping[str, tuple[Run, Reason | None]]]:
        asked: list[tuple[Operation[list[Explained]], int]] = []
        for shard in range(self._shards):
            here = [run_id for run_id in run_ids if _may_be_on(shard, run_id)]
            if here:
                asked.append((explain_runs(here), shard))
        if not asked:
            return {}
        results = yield [*asked]
        found: list[Explained] = [explained for result in results for explained in checked(result)]
        return {each.run.id: (each.run, reason_of(each, self._heartbeats)) for each in found}


def _may_be_on(shard: int, run_id: str) -> bool:
    """Whether a run may be on a shard: an adopted one may be on any."""
    try:
        return shard_of_run(run_id) in (shard, None)
    except RunNotFoundError:
        return False
