"""The task that the schedules of the fault drive trigger."""

from taskflow import ScheduledPayload, task


@task(id="ledger-tick")
async def ledger_tick(payload: ScheduledPayload) -> str:
    """Return the tick."""
    return payload.timestamp.isoformat()
