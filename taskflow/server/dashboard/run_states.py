"""The statuses of some runs, for rows that name a run."""

import asyncio
from collections.abc import Mapping, Sequence

from taskflow.engine.engine import Engine
from taskflow.errors import RunNotFoundError
from taskflow.models import RunStatus


async def states_of(engine: Engine, run_ids: Sequence[str | None]) -> Mapping[str, RunStatus]:
    """Return the statuses of runs by their ids. Those that nothing has any more are left out."""
    wanted = list(dict.fromkeys(run_id for run_id in run_ids if run_id))
    found = await asyncio.gather(*(_state(engine, run_id) for run_id in wanted))
    return {run_id: state for run_id, state in zip(wanted, found, strict=True) if state is not None}


async def _state(engine: Engine, run_id: str) -> RunStatus | None:
    try:
        return await engine.runs.astatus(run_id)
    except RunNotFoundError:
        return None
