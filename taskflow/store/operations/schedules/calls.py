"""The operations of schedules. Instants that scripts compare are whole milliseconds."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any

from taskflow.errors import DeclaredScheduleError, ScheduleNotFoundError
from taskflow.store.operations.encoding import instant, milliseconds
from taskflow.store.operations.making import NewRun, trigger_run
from taskflow.store.operations.operation import PER_PASS, Operation
from taskflow.store.operations.schedules.records import Copied, Read, StoredSchedule, ms, read_records


@dataclass(frozen=True, slots=True)
class NextTick:
    """The tick that follows, and when it is fired; None for none. ``zones``: the version of the time zone data."""

    tick: datetime | None
    due: datetime | None
    zones: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """The result of a change: whether it was made, and the record as it is then."""

    is_done: bool
    now: datetime
    record: StoredSchedule | None


def put_schedule(
    schedule_id: str,
    revision: int | None,
    changes: Mapping[str, str],
    following: NextTick,
    removed_for: timedelta | None = None,
) -> Operation[Written]:
    """Make a schedule (``revision`` None), or change the one that still has this revision.

    Args:
        changes: Fields of the record; "" deletes one.
        removed_for: Remove it, and remember for so long that it was removed.
    """

    def read(code: int, value: Any) -> Written:
        found = read_records(value)
        return Written(code == 1, found.now, found.found[0] if found.found else None)

    kept = "" if removed_for is None else milliseconds(removed_for)
    known = "" if revision is None else revision
    args = (schedule_id, known, json.dumps(dict(changes)), ms(following.tick), ms(following.due), kept)
    return Operation("put_schedule", args, read, needs_replicas=True)


def drop_schedule(schedule_id: str) -> Operation[None]:
    """Delete a schedule.

    Raises (when read):
        ScheduleNotFoundError: No such schedule.
        DeclaredScheduleError: A task declares it.
    """

    def read(code: int, value: Any) -> None:
        if code == 0:
            raise ScheduleNotFoundError(schedule_id)
        if code == 2:
            raise DeclaredScheduleError(schedule_id, value.decode())

    return Operation("drop_schedule", (schedule_id,), read)


def read_schedules(ids: Sequence[str]) -> Operation[Read]:
    """Read those of some schedules that are there."""
    return Operation("read_schedules", tuple(ids), lambda _, value: read_records(value))


def list_schedules(offset: int, most: int) -> Operation[Read]:
    """Read schedules of a shard in the order of their making, and how many there are."""
    return Operation("list_schedules", (offset, most), lambda _, value: read_records(value))


def due_schedules(most: int = PER_PASS) -> Operation[Read]:
    """Read the schedules that are due. ``total``: how late the latest of them is, in ms."""
    return Operation("due_schedules", (most,), lambda _, value: read_records(value))


def postpone_schedules(ids: Sequence[str], wait: timedelta) -> Operation[int]:
    """Look at schedules later."""
    return Operation("postpone_schedules", (milliseconds(wait), *ids), lambda _, value: int(value))


class Fired(IntEnum):
    """The outcome of a tick."""

    CHANGED = 0
    MADE = 1
    KNOWN = 2
    LEFT_OUT = 3
    HELD = 4
    UNREGISTERED = 5


def fire_schedule(
    record: StoredSchedule, tick: datetime, following: NextTick, new: NewRun
) -> Operation[tuple[Fired, str]]:
    """Make the run of a tick and move the schedule on, if it is still as it was read."""
    schedule = record.schedule
    args = (
        schedule.id, schedule.revision, ms(schedule.next_run), ms(tick), ms(following.tick), ms(following.due),
        following.zones, *trigger_run(new).args,
    )  # fmt: skip
    return Operation("fire_schedule", args, lambda code, value: (Fired(code), value.decode()), new.id)


def move_schedule(record: StoredSchedule, following: NextTick, problem: str = "") -> Operation[bool]:
    """Move a schedule to another next tick without a run, if it is still as it was read.

    Args:
        problem: Why its tick could not be fired.
    """
    schedule = record.schedule
    args = (
        schedule.id, schedule.revision, ms(schedule.next_run), ms(following.tick), ms(following.due), following.zones,
        problem,
    )  # fmt: skip
    return Operation("move_schedule", args, lambda code, _: code == 1)


@dataclass(frozen=True, slots=True)
class Declared:
    """The schedules that tasks declare, those that were removed included.

    Attributes:
        stamp: When the asking node's declarations were first seen, in ms: later than those of all live nodes if it is
            to count.
        modules: Modules that a live node has imported.
    """

    now: datetime
    records: tuple[StoredSchedule, ...]
    stamp: int
    modules: frozenset[str]


def read_declared(stamp: str) -> Operation[Declared]:
    """Read the schedules that tasks declare, and note that a node declares some under a stamp."""

    def read(_: int, value: Any) -> Declared:
        now, found, first_seen, lists = value
        modules = frozenset(name for each in lists for name in json.loads(each) if isinstance(name, str))
        return Declared(instant(now), read_records((now, found)).found, int(first_seen), modules)

    return Operation("read_declared", (stamp,), read)


def note_zones(version: str) -> Operation[str]:
    """Note with which time zone data all next ticks have been computed; "" notes nothing. Reads as the newest noted."""
    return Operation("note_zones", (version,), lambda _, value: value.decode())


def copy_schedules(most: int, done: Sequence[str] = (), *, mark: bool = False) -> Operation[Copied]:
    """Read the schedules that were changed since the history had them.

    Args:
        done: "<id> <updated>" of those that the history has now, "<id> " of deleted ones.
        mark: Note that history and store have met: from now on the store has all.
    """

    def read(_: int, value: Any) -> Copied:
        now, found, gone, has_met = value
        return Copied(
            instant(now), read_records((now, found)).found, tuple(each.decode() for each in gone), has_met == 1
        )

    return Operation("copy_schedules", (most, "1" if mark else "", *done), read)
