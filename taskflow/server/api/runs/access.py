"""The run that a path names, read once a request, and what a public token needs for it."""

from taskflow.models import Run
from taskflow.server.call import Call
from taskflow.server.scopes import Groups


async def run_of(call: Call) -> Run:
    """Return the run of the path's ``run_id``.

    Raises:
        RunNotFoundError: There is none.
    """
    kept: Run | None = getattr(call.request.state, "run", None)
    if kept is None:
        run_id = call.path("run_id")
        call.note_run(run_id)
        kept = await call.engine.runs.aretrieve(run_id)
        call.request.state.run = kept
    return kept


async def to_read_run(call: Call) -> Groups:
    """Return what a token must be allowed to read: the run, its task, one of its tags, or its batch."""
    run = await run_of(call)
    batch = [f"batch:{run.batch_id}"] if run.batch_id else []
    return [[f"runs:{run.id}", f"tasks:{run.task_id}", *(f"tags:{tag}" for tag in run.tags), *batch]]


async def to_write_run(call: Call) -> Groups:
    """Return what a token must be allowed to write: the run, or its task."""
    run = await run_of(call)
    return [[f"runs:{run.id}", f"tasks:{run.task_id}"]]
