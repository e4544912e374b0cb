"""Tasks on schedules, for tests with real nodes."""

from taskflow import ScheduledPayload, schedules, task


@schedules.task(id="sched-each-second", every="1s", description="Declared by the code.")
async def each_second(payload: ScheduledPayload) -> str:
    """Return the tick."""
    return payload.timestamp.isoformat()


@schedules.task(id="sched-on-demand")
async def on_demand(payload: ScheduledPayload) -> dict[str, object]:
    """Return what the payload has."""
    return {"external": payload.external_id, "upcoming": len(payload.upcoming), "kind": payload.type}


@task(id="sched-charge")
async def charge(order_id: str, amount: int = 1) -> None:
    """Do nothing with several parameters."""
