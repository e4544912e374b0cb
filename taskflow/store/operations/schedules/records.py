"""A schedule's record: the fields of its hash in the store."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from taskflow.definition.scheduling.options import ScheduleOptions
from taskflow.definition.scheduling.schedule import CatchUp, Overlap, Schedule
from taskflow.store.operations.encoding import duration, instant, milliseconds, pairs, text


@dataclass(frozen=True, slots=True)
class StoredSchedule:
    """A schedule with the fields of its record that only the engine needs.

    Attributes:
        module: The module of the task that declares it, "" for others.
        stamp: When the code that declared it was first seen, in ms.
        digest: Of the declaration.
        is_removed: The code does not declare it any more. The record stays for a while, so that old code does not bring
            it back.
        is_held: It waits for the end of the run of an earlier tick.
        paused_at: The tick that would have been next when it was deactivated.
        zones: Version of the time zone data that computed the next tick.
    """

    schedule: Schedule
    module: str = ""
    stamp: int = 0
    digest: str = ""
    is_removed: bool = False
    is_held: bool = False
    paused_at: datetime | None = None
    zones: str = ""


@dataclass(frozen=True, slots=True)
class Read:
    """Schedules, with the store's clock at the time of reading.

    Attributes:
        unreadable: Ids of records that this version cannot read.
    """

    now: datetime
    found: tuple[StoredSchedule, ...]
    total: int = 0
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Copied:
    """The schedules to copy into the history.

    Attributes:
        gone: Those that were deleted.
        has_met: Whether this store has met the history; not so a store that was emptied.
    """

    now: datetime
    records: tuple[StoredSchedule, ...]
    gone: tuple[str, ...]
    has_met: bool

    def done(self) -> list[str]:
        """Return what these are named by when the history has them."""
        there = [f"{each.schedule.id} {ms(each.schedule.updated_at)}" for each in self.records]
        return there + [f"{each} " for each in self.gone]


def document_of(schedule: Schedule) -> dict[str, str]:
    """Return the fields of a schedule that a program has made, without its next tick."""
    fields = rule_fields(ScheduleOptions.of(schedule), schedule.anchor)
    fields |= {"task": schedule.task_id, "last": ms(schedule.last_run)} | pause_fields(
        schedule.paused_at, schedule.paused_by or ""
    )
    return {name: value for name, value in fields.items() if value}


def schedule_of(schedule_id: str, fields: Mapping[str, str], now: datetime) -> Schedule:
    """Return the schedule of such fields."""
    whole = {"created": ms(now), "updated": ms(now), "revision": "0"} | dict(fields)
    return _stored(schedule_id, {name: value.encode() for name, value in whole.items()}).schedule


def read_records(value: Sequence[Any]) -> Read:
    """Return the schedules of a script's reply."""
    now, found, *rest = value
    records: list[StoredSchedule] = []
    unreadable: list[str] = []
    for each, fields in found:
        try:
            records.append(_stored(each.decode(), pairs(fields)))
        except (ValueError, KeyError, OverflowError):  # a newer version has written it; it must not hide the others
            unreadable.append(each.decode())
    return Read(instant(now), tuple(records), _total(rest), tuple(unreadable))


def _total(rest: Sequence[Any]) -> int:
    return int(rest[0]) if rest else 0


def rule_fields(options: ScheduleOptions, anchor: datetime | None) -> dict[str, str]:
    """Return the fields of a schedule's options. "" deletes a field."""
    jitter = options.jitter
    return {
        "cron": options.cron or "",
        "every": "" if options.every is None else str(milliseconds(options.every)),
        "anchor": ms(anchor),
        "timezone": options.timezone,
        "overlap": options.overlap,
        "catch_up": options.catch_up,
        "jitter": str(milliseconds(jitter)) if isinstance(jitter, timedelta) else jitter or "",
        "key": options.deduplication_key or "",
        "external": options.external_id or "",
        "payload": "" if options.payload is None else json.dumps(options.payload),
        "active": "1" if options.active else "0",
    }


def pause_fields(at: datetime | None, by: str = "") -> dict[str, str]:
    """Return the fields that name who paused a schedule, and when; None for nobody."""
    return {"paused_since": ms(at), "paused_by": by if at is not None else ""}


def ms(moment: datetime | None) -> str:
    """Return an instant as scripts take it, "" for None."""
    return "" if moment is None else str(round(moment.timestamp() * 1000))


def _stored(schedule_id: str, fields: Mapping[str, bytes]) -> StoredSchedule:
    every = duration(fields.get("every"))
    schedule = Schedule(
        id=schedule_id,
        task_id=fields["task"].decode(),
        cron=text(fields.get("cron")),
        every=every,
        timezone=fields.get("timezone", b"UTC").decode(),
        is_active=fields.get("active", b"1") == b"1",
        is_declared="declared" in fields,
        deduplication_key=text(fields.get("key")),
        external_id=text(fields.get("external")),
        next_run=_instant(fields, "next"),
        next_fire=_instant(fields, "due"),
        last_run=_instant(fields, "last"),
        last_run_id=text(fields.get("run")),
        overlap=cast("Overlap", fields.get("overlap", b"allow").decode()),
        catch_up=cast("CatchUp", fields.get("catch_up", b"none").decode()),
        jitter=_jitter(text(fields.get("jitter"))),
        anchor=_instant(fields, "anchor"),
        created_at=instant(fields["created"]),
        updated_at=instant(fields["updated"]),
        skipped=int(fields.get("skipped", b"0")),
        error=text(fields.get("error")),
        paused_at=_instant(fields, "paused_since"),
        paused_by=text(fields.get("paused_by")),
        revision=int(fields["revision"]),
        payload=json.loads(fields["payload"]) if "payload" in fields else None,
    )
    return StoredSchedule(
        schedule,
        module=fields.get("module", b"").decode(),
        stamp=int(fields.get("stamp", b"0")),
        digest=fields.get("digest", b"").decode(),
        is_removed="removed" in fields,
        is_held="held" in fields,
        paused_at=_instant(fields, "paused"),
        zones=fields.get("zones", b"").decode(),
    )


def _instant(fields: Mapping[str, bytes], name: str) -> datetime | None:
    return instant(fields[name]) if name in fields else None


def _jitter(stored: str | None) -> str | timedelta | None:
    if stored is None or stored.endswith("%"):
        return stored
    return timedelta(milliseconds=int(stored))
