"""A task that only some of the nodes declare, and never the process that triggers it: the code of another deploy."""

from pydantic import BaseModel

from taskflow import Context, Queue, task
from tests.projects.fleet_tasks import write


class Order(BaseModel):
    """What is ordered."""

    number: int


@task(id="t-elsewhere", queue=Queue("t-elsewhere", concurrency_limit=2), machine="small-1x")
async def elsewhere(payload: Order, ctx: Context) -> str | None:
    """Return the version that executes it."""
    write("start", ctx.run.id, payload.number)
    assert ctx.run.version == ctx.deployment.version
    return ctx.deployment.version
