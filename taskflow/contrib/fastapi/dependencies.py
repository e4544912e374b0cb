"""Dependencies of path operations: the application, and a run by the id in the path."""

from typing import Annotated

from fastapi import Depends, HTTPException, Path

from taskflow import Run, RunNotFoundError, TaskFlow, runs


async def current_flow() -> TaskFlow:
    """Return the application that verbs use."""
    return TaskFlow.current()


async def run_by_id(run_id: Annotated[str, Path(description="Id of a run.")]) -> Run:
    """Return the run whose id is ``run_id`` in the path. An unknown one is answered with 404."""
    try:
        return await runs.aretrieve(run_id)
    except RunNotFoundError as unknown:
        raise HTTPException(
            404, f"There is no run {unknown.run_id}, or it ended so long ago that it is forgotten."
        ) from None


CurrentFlow = Annotated[TaskFlow, Depends(current_flow)]
"""The type of a parameter: the application that verbs use."""
RunById = Annotated[Run, Depends(run_by_id)]
"""The type of a parameter: the run whose id is ``run_id`` in the path, else 404."""
