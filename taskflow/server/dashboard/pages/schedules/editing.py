"""The form of a schedule: new or changed, with its next ten instants as one types."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, cast

from starlette.responses import Response

from taskflow.definition.calls.users import Role
from taskflow.definition.cron.expression import parse_cron
from taskflow.definition.cron.words import describe, describe_period
from taskflow.definition.cron.zones import zone_names
from taskflow.definition.scheduling.options import ScheduleKeywords, ScheduleOptions
from taskflow.definition.scheduling.rule import Rule
from taskflow.definition.scheduling.schedule import UPCOMING, Schedule
from taskflow.errors import DeclaredScheduleError, PayloadError, ScheduleError
from taskflow.server.dashboard.page import Page, action
from taskflow.server.dashboard.pages.schedules.listing import local_time
from taskflow.server.dashboard.payloads.checks import faults_of, target_of
from taskflow.server.dashboard.payloads.documents import write
from taskflow.server.dashboard.payloads.hidden import Restored, covered, restored
from taskflow.server.dashboard.view.reader import READER
from taskflow.server.dashboard.visit import Visit

_OVERLAPS: Final = (
    ("allow", "Make another run"),
    ("skip", "Leave the tick out"),
    ("queue", "Make its run when the earlier one has ended"),
    ("cancel_previous", "Cancel the earlier run"),
)
_CATCH_UPS: Final = (("none", "None"), ("last", "The last one"), ("all", "All, 100 at most"))
_TEXTS: Final = ("cron", "every", "timezone", "jitter", "external_id", "overlap", "catch_up")
_FIELDS: Final = frozenset({*_TEXTS, "task", "deduplication_key", "payload"})


@dataclass(frozen=True, slots=True)
class Preview:
    """The meaning of a rule: in words, and its next instants; or why it has none."""

    words: str = ""
    instants: Sequence[tuple[datetime, str]] = ()
    error: str = ""


async def new(visit: Visit) -> Response:
    """Show an empty form."""
    values = {"timezone": "UTC", "overlap": "allow", "catch_up": "none", "task": visit.query.get("task", "")}
    return await _form(visit, values, {}, None)


async def edit(visit: Visit) -> Response:
    """Show the form of a schedule that a program or a person has made."""
    schedule = await _changeable(visit)
    return await _form(visit, values_of(schedule), {}, schedule)


async def preview(visit: Visit) -> Response:
    """Show what a rule means, while one types it."""
    return visit.render("schedule_preview.html", preview=_preview(visit.query))


async def create(visit: Visit) -> Response:
    """Make a schedule."""
    if visit.form.get("look"):
        return await _form(visit, visit.form, {}, None)
    key, task = visit.form.get("deduplication_key", "").strip(), visit.form.get("task", "").strip()
    try:
        options = _options(
            visit.form,
            {"deduplication_key": key or None, "payload": await _payload(visit, task, _written(visit, None))},
        )
        schedule = await visit.engine.schedules.acreate(task, options)
    except (ScheduleError, PayloadError, _PayloadError) as wrong:
        return await _form(visit, visit.form, _errors(wrong), None)
    visit.audit("schedule.create", schedule.id)
    return visit.go("schedules", schedule.id)


async def change(visit: Visit) -> Response:
    """Change a schedule. No tick of the old rule fires after that."""
    schedule = await _changeable(visit)
    if visit.form.get("look"):
        return await _form(visit, visit.form, {}, schedule)
    task, written = visit.form.get("task", "").strip(), _written(visit, schedule.payload)
    try:
        _options(visit.form, {})
        changes = {name: visit.form.get(name, "").strip() or None for name in _TEXTS}
        given: dict[str, object] = {
            name: value for name, value in changes.items() if value or name in ("external_id", "jitter")
        }
        given["payload"] = await _payload(visit, task, written)
        if given.get("every"):
            given.pop("timezone", None)
        await visit.engine.schedules.aupdate(schedule.id, given, task)
    except (ScheduleError, PayloadError, _PayloadError) as wrong:
        errors = {name: written.secrets.scrub(text) for name, text in _errors(wrong).items()}
        return await _form(visit, visit.form, errors, schedule)
    visit.audit("schedule.update", schedule.id)
    return visit.go("schedules", schedule.id)


def values_of(schedule: Schedule) -> Mapping[str, str]:
    """Return a schedule as the fields of its form."""
    every, jitter = schedule.every, schedule.jitter
    payload = "" if schedule.payload is None else write(covered(READER.get().hiding, schedule.payload))
    return {
        "task": schedule.task_id,
        "payload": payload,
        "cron": schedule.cron or "",
        "every": f"{every.total_seconds():g}s" if every else "",
        "timezone": schedule.timezone,
        "jitter": jitter if isinstance(jitter, str) else f"{jitter.total_seconds():g}s" if jitter else "",
        "external_id": schedule.external_id or "",
        "overlap": schedule.overlap,
        "catch_up": schedule.catch_up,
    }


async def _changeable(visit: Visit) -> Schedule:
    schedule = await visit.engine.schedules.aretrieve(visit.path["schedule_id"])
    if schedule.is_declared:
        raise DeclaredScheduleError(schedule.id, schedule.task_id)
    return schedule


def _options(form: Mapping[str, str], more: Mapping[str, Any]) -> ScheduleOptions:
    given = {name: form.get(name, "").strip() or None for name in _TEXTS}
    chosen = {name: value for name, value in given.items() if value is not None}
    if "every" in chosen:  # a period has no zone
        chosen.pop("timezone", None)
    return ScheduleOptions.checked(**cast("ScheduleKeywords", {**chosen, **more}))


class _PayloadError(ValueError):
    """The text of the form is no payload."""


async def _payload(visit: Visit, task: str, written: Restored) -> object:
    """Return the payload that the form has as text, None for none.

    Raises:
        _PayloadError: It is no JSON, has a mark that hides nothing, or does not fit what is known of the task.
    """
    if not written.text.strip():
        return None
    for fault in [*written.faults, *await faults_of(await target_of(visit.flow, task), written.text)]:
        place = f"Line {fault.line}, column {fault.column}: " if fault.line else ""
        raise _PayloadError(f"{place}{'.'.join(fault.path)} {fault.message}".strip())
    return json.loads(written.text)


def _written(visit: Visit, before: object) -> Restored:
    """Return the text of the payload. Hidden values of the schedule's own stay where their marks stand."""
    return restored(READER.get().hiding, visit.form.get("payload", ""), before)


def _preview(form: Mapping[str, str]) -> Preview:
    if not (form.get("cron", "").strip() or form.get("every", "").strip()):
        return Preview()
    now = datetime.now(UTC)
    try:
        options = _options({name: form.get(name, "") for name in ("cron", "every", "timezone")}, {})
        rule = Rule(options.cron, options.every, options.timezone, now if options.every else None)
        instants = [(tick, local_time(tick, options.timezone)) for tick in rule.upcoming(now, UPCOMING)]
    except ScheduleError as wrong:
        return Preview(error=str(wrong))
    every = options.every
    words = describe(parse_cron(options.cron or "")) if every is None else describe_period(every)
    return Preview(words, instants)


def _errors(wrong: Exception) -> Mapping[str, str]:
    option = "payload" if isinstance(wrong, _PayloadError) else getattr(wrong, "option", None)
    return {option if option in _FIELDS else "": str(wrong)}


async def _form(
    visit: Visit, values: Mapping[str, str], errors: Mapping[str, str], schedule: Schedule | None
) -> Response:
    zones = await asyncio.to_thread(zone_names)
    return visit.render(
        "schedule_form.html",
        422 if errors else 200,
        values=values,
        errors=errors,
        schedule=schedule,
        preview=_preview(values),
        zones=zones,
        overlaps=_OVERLAPS,
        catch_ups=_CATCH_UPS,
    )


PAGES: Final = (
    action("schedules", create),
    Page("schedules/new", new, Role.OPERATOR),
    Page("schedules/preview", preview, Role.OPERATOR),
    Page("schedules/{schedule_id}/edit", edit, Role.OPERATOR),
    action("schedules/{schedule_id}/edit", change),
)
