"""Schedules as tables for people and as JSON for programs."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from rich.table import Table
from rich.text import Text

from taskflow.cli.output import time_and_age
from taskflow.cli.printing import add_row, facts_table, lines_of, make_table
from taskflow.definition.cron.expression import parse_cron
from taskflow.definition.scheduling.schedule import Schedule

_ID_WIDTH = 38


def as_dict(schedule: Schedule) -> dict[str, Any]:
    """Return a schedule as JSON values, durations in seconds, with its next ten ticks."""
    fields = asdict(schedule)
    for name in ("every", "jitter"):
        value = fields[name]
        fields[name] = value.total_seconds() if isinstance(value, timedelta) else value
    return {**fields, "description": schedule.description, "upcoming": schedule.upcoming()}


def schedules_table(schedules: Sequence[Schedule]) -> Table:
    """Return a table of schedules, one a row."""
    table = make_table("SCHEDULE", "TASK", "RULE", "ZONE", "NEXT", "LAST", "STATE")
    for column in table.columns:
        column.no_wrap = True
    table.columns[0].min_width = _ID_WIDTH
    for each in schedules:
        texts = (each.timezone if each.cron else "-", _time(each.next_run), _time(each.last_run), _state(each))
        add_row(table, each.id, each.task_id, _rule(each), *texts)
    return table


def schedule_page(schedule: Schedule) -> Table:
    """Return everything about a schedule."""
    table = facts_table()
    for name, text in _facts(schedule):
        add_row(table, name, text)
    return table


def _facts(schedule: Schedule) -> Iterator[tuple[str, str | Text]]:
    yield "schedule", schedule.id
    yield "task", schedule.task_id
    yield "state", _state(schedule)
    if schedule.paused_at:
        yield "paused", f"{time_and_age(schedule.paused_at)}, by {schedule.paused_by or '?'}"
    yield "rule", f"{_rule(schedule)} ({schedule.description})"
    if schedule.cron and parse_cron(schedule.cron).is_either:
        yield "note", "both day fields are restricted: a day that fits one of them is enough"
    if schedule.cron:
        yield "timezone", schedule.timezone
    yield "overlap", schedule.overlap
    yield "catch up", schedule.catch_up
    if schedule.jitter:
        yield "jitter", _duration(schedule.jitter)
    for name, text in (("deduplication key", schedule.deduplication_key), ("external id", schedule.external_id)):
        if text:
            yield name, text
    if schedule.payload is not None:
        yield "payload", lines_of(json.dumps(schedule.payload, indent=2, ensure_ascii=False))
    if schedule.last_run:
        yield "last tick", time_and_age(schedule.last_run)
    if schedule.last_run_id:
        yield "last run", schedule.last_run_id
    if schedule.skipped:
        yield "left out", f"{schedule.skipped} ticks, because a run was not finished"
    if schedule.error:
        yield "error", lines_of(schedule.error)
    yield "next ticks", lines_of("\n".join(_times(schedule.upcoming())) or "-")


def _rule(schedule: Schedule) -> str:
    if schedule.every is not None:
        return f"every {_duration(schedule.every)}"
    return schedule.cron or ""


def _duration(value: str | timedelta) -> str:
    return value if isinstance(value, str) else f"{value.total_seconds():g} s"


def _state(schedule: Schedule) -> str:
    state = "active" if schedule.is_active else "inactive"
    declared = ", declared" if schedule.is_declared else ""
    return f"{'failing' if schedule.error else state}{declared}"


def _time(instant: datetime | None) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S}Z" if instant else "-"


def _times(instants: Iterable[datetime]) -> list[str]:
    return [_time(each) for each in instants]
