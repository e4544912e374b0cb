"""A schedule, its page, and the payload of its runs, as values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, overload

from taskflow.definition.cron.expression import parse_cron
from taskflow.definition.cron.words import describe, describe_period
from taskflow.definition.scheduling.rule import Rule
from taskflow.errors import ScheduleError

Overlap = Literal["allow", "skip", "queue", "cancel_previous"]
CatchUp = Literal["none", "last", "all"]
UPCOMING: Final = 10


@dataclass(frozen=True, slots=True)
class ScheduledPayload:
    """The payload of a run that a schedule makes.

    Attributes:
        timestamp: The tick: the instant that the schedule names, without jitter and however late the run is made.
        schedule_id: The schedule, for example to tell several of one task apart.
        timezone: Its time zone.
        last_timestamp: The tick that made its run before this one, None for the first.
        external_id: The text that ``schedules.create`` was given, for example a customer's id.
        upcoming: The next ten ticks.
        type: Whether the task declares the schedule.
    """

    timestamp: datetime
    schedule_id: str = ""
    timezone: str = "UTC"
    last_timestamp: datetime | None = None
    external_id: str | None = None
    upcoming: tuple[datetime, ...] = ()
    type: Literal["DECLARATIVE", "IMPERATIVE"] = "IMPERATIVE"


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule: its record in the store at one moment.

    Attributes:
        every: The period, None for a schedule by cron. Ticks are ``anchor + n * every``.
        is_declared: Whether a task declares it (``@schedules.task``); such a schedule changes with the code only,
            except that it can be paused.
        next_run: The tick that fires next, None while it is inactive.
        next_fire: When it fires: ``next_run`` and the schedule's share of the jitter.
        last_run: The last tick that made a run.
        last_run_id: The run that the last tick has made, or its last ``run_now``.
        overlap: The rule for a tick while the run of an earlier one is not finished: "allow" makes another run, "skip"
            leaves the tick out, "queue" makes its run when the earlier one has ended, "cancel_previous" cancels that.
        catch_up: The ticks that are made up for after an outage or a pause: "none", the "last", or "all" (100 at most).
        skipped: How many ticks made no run because of ``overlap="skip"``.
        paused_at: Since when it is inactive because somebody paused it; None for one that was made so.
        paused_by: Who paused it: a run, a user, an API key, or ``user@host``.
        error: Why its last tick could not be fired; None when it was.
        payload: The payload of its runs, as JSON; None: they get a ``ScheduledPayload``.
    """

    id: str
    task_id: str
    cron: str | None
    every: timedelta | None
    timezone: str
    is_active: bool
    is_declared: bool
    deduplication_key: str | None
    external_id: str | None
    next_run: datetime | None
    next_fire: datetime | None
    last_run: datetime | None
    last_run_id: str | None
    overlap: Overlap
    catch_up: CatchUp
    jitter: str | timedelta | None
    anchor: datetime | None
    created_at: datetime
    updated_at: datetime
    skipped: int = 0
    error: str | None = None
    paused_at: datetime | None = None
    paused_by: str | None = None
    revision: int = 1
    payload: object = None

    @property
    def rule(self) -> Rule:
        """The rule by which it is due."""
        return Rule(self.cron, self.every, self.timezone, self.anchor, self.jitter)

    @property
    def description(self) -> str:
        """Its rule in words: "At 09:00, Monday to Friday" or "Every 90 s"."""
        if self.every is not None:
            return describe_period(self.every)
        try:
            return describe(parse_cron(self.cron or ""))
        except ScheduleError as wrong:  # another version of the library took it
            return str(wrong)

    def upcoming(self, count: int = UPCOMING) -> list[datetime]:
        """Return the next ticks, none while it is inactive."""
        if self.next_run is None:
            return []
        return [self.next_run, *self.rule.upcoming(self.next_run, count - 1)][:count]


@dataclass(frozen=True, slots=True)
class SchedulePage(Sequence[Schedule]):
    """A page of schedules in the order of their making.

    Attributes:
        total: The number of schedules on all pages.
        page: From 1.
    """

    schedules: tuple[Schedule, ...]
    total: int
    page: int
    per_page: int

    @property
    def pages(self) -> int:
        """The number of pages, at least 1."""
        return max(1, -(-self.total // self.per_page))

    @overload
    def __getitem__(self, index: int) -> Schedule: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Schedule, ...]: ...

    def __getitem__(self, index: int | slice) -> Schedule | tuple[Schedule, ...]:
        """Return a schedule by its position."""
        return self.schedules[index]

    def __len__(self) -> int:
        return len(self.schedules)
