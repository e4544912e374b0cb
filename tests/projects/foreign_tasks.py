"""A task that only some nodes declare, and never the process that triggers it: code of another deploy."""

from pydantic import BaseModel

from taskflow import Context, Queue, task
from tests.projects.fleet_tasks import write


class Order(BaseModel):
    """An order with its number."""

    number: int


@task(id="t-elsewhere", queue=Queue("t-elsewhere", concurrency_limit=2), machine="small-1x")
async def elsewhere(payload: Order, ctx: Context) -> str | None:
    """Return the version of the node that executes the run."""
    write("start", ctx.run.id, payload.number)
    assert ctx.run.version == ctx.deployment.version
    return ctx.deployment.version
