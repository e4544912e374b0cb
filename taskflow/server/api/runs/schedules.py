"""The schedules of runs on the wire."""

from collections.abc import Mapping, Sequence
from typing import Literal

from taskflow.definition.scheduling.schedule import Schedule
from taskflow.models import Run
from taskflow.server.api.wire import Wire
from taskflow.server.call import Call


class Generator(Wire):
    """The rule of a schedule, also in words."""

    type: Literal["CRON"] = "CRON"
    expression: str
    description: str


class RunSchedule(Wire):
    """The schedule that made a run."""

    id: str
    external_id: str | None = None
    deduplication_key: str | None = None
    generator: Generator
    timezone: str


def generator_of(schedule: Schedule) -> Generator:
    """Return the rule of a schedule. A period is an expression such as ``@every 90s``."""
    every = f"@every {schedule.every.total_seconds():g}s" if schedule.every else ""
    return Generator(expression=schedule.cron or every, description=schedule.description)


async def schedules_of(call: Call, runs: Sequence[Run]) -> Mapping[str, RunSchedule]:
    """Return the schedules that made some runs, by their ids. One that was deleted is left out."""
    ids = list(dict.fromkeys(run.schedule_id for run in runs if run.schedule_id))
    if not ids:
        return {}
    return {schedule.id: _shown(schedule) for schedule in await call.engine.schedules.asome(ids)}


def _shown(schedule: Schedule) -> RunSchedule:
    return RunSchedule(
        id=schedule.id,
        external_id=schedule.external_id,
        deduplication_key=schedule.deduplication_key,
        generator=generator_of(schedule),
        timezone=schedule.timezone,
    )
