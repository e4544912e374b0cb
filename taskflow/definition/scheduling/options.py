"""The checked options of a schedule: those of ``@schedules.task``, ``schedules.create`` and ``schedules.update``."""

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, TypedDict, Unpack, get_args

from pydantic_core import PydanticSerializationError, to_jsonable_python

from taskflow.definition.cron.expression import parse_cron
from taskflow.definition.cron.zones import find_zone
from taskflow.definition.scheduling.rule import check_jitter, check_period
from taskflow.definition.scheduling.schedule import CatchUp, Overlap, Schedule
from taskflow.durations import Duration
from taskflow.errors import ScheduleError
from taskflow.texts import is_encodable

_LONGEST_TEXT: Final = 512
_LARGEST_PAYLOAD: Final = 64 * 1024


class RuleKeywords(TypedDict, total=False):
    """The options that say when a schedule is due and what a tick does.

    Attributes:
        cron: A cron expression of five fields, or a nickname such as ``@daily``. Either this or ``every``.
        every: A period of at least a second: "90s", "2h", a timedelta. Ticks are ``start + n * every``.
        timezone: The IANA time zone of ``cron``. Default: UTC.
        overlap: See ``Schedule``. Default: "allow".
        catch_up: See ``Schedule``. Default: "none".
        jitter: The longest time by which a tick is fired later, or a part of the interval such as "30%".
    """

    cron: str | None
    every: Duration | None
    timezone: str | None
    overlap: Overlap
    catch_up: CatchUp
    jitter: Duration | None


class ScheduleKeywords(RuleKeywords, total=False):
    """The options of ``schedules.create`` beside the task.

    Attributes:
        deduplication_key: A second ``create`` with the key changes the schedule that has it. It holds within the
            environment.
        external_id: Text that its runs get in their payload, for example a customer's id.
        payload: The payload of its runs, at most 64 KB of JSON, in place of a ``ScheduledPayload``: so any task can be
            scheduled. For a task with several parameters a dict of their names.
        active: False: it fires once it is activated. Default: true for a new schedule.
        start: The instant, in the future or in the past, behind which the ticks of a new schedule begin. Of the ticks
            since a past one, ``catch_up`` says which are made up for. Default: now.
    """

    deduplication_key: str | None
    external_id: str | None
    payload: object
    active: bool | None
    start: datetime | None


class ChangeKeywords(RuleKeywords, total=False):
    """The options of ``schedules.update``. What is left out stays as it is; ``cron`` replaces ``every``."""

    task: str
    external_id: str | None
    payload: object


@dataclass(frozen=True, slots=True)
class ScheduleOptions:
    """The options of a schedule after their check. Either ``cron`` or ``every`` is given."""

    cron: str | None = None
    every: timedelta | None = None
    timezone: str = "UTC"
    overlap: Overlap = "allow"
    catch_up: CatchUp = "none"
    jitter: str | timedelta | None = None
    deduplication_key: str | None = None
    external_id: str | None = None
    payload: object = None
    active: bool | None = None
    """None: that of the schedule that has the deduplication key; a new one is active."""
    start: datetime | None = None

    @classmethod
    def checked(cls, **given: Unpack[ScheduleKeywords]) -> "ScheduleOptions":
        """Return options after a check.

        Raises:
            ScheduleError: One of them is not possible; CronError for a wrong expression.
        """
        cron, every = _checked_text("cron", given.get("cron"), allow_empty=True), given.get("every")
        if (cron is None) == (every is None):
            remedy = 'Give one of the two: cron="0 3 * * *" or every="90s".'
            what = "A schedule needs either cron or every" if cron is None else "A schedule has either cron or every"
            raise ScheduleError(what, option="cron", value=cron, remedy=remedy)
        timezone = _checked_text("timezone", given.get("timezone")) or "UTC"
        find_zone(timezone)
        if every is not None and timezone != "UTC":
            remedy = "Leave timezone out: a period is the same in all time zones."
            raise ScheduleError("A period has no time zone", option="timezone", value=timezone, remedy=remedy)
        overlap, catch_up = given.get("overlap", "allow"), given.get("catch_up", "none")
        _check_choice("overlap", overlap, get_args(Overlap))
        _check_choice("catch_up", catch_up, get_args(CatchUp))
        return cls(
            cron=None if cron is None else " ".join(parse_cron(cron).text.split()),
            every=None if every is None else check_period(every),
            timezone=timezone,
            overlap=overlap,
            catch_up=catch_up,
            jitter=check_jitter(given.get("jitter")),
            deduplication_key=_checked_text("deduplication_key", given.get("deduplication_key")),
            external_id=_checked_text("external_id", given.get("external_id")),
            payload=checked_payload(given.get("payload")),
            active=given.get("active"),
            start=_checked_start(given.get("start")),
        )

    @classmethod
    def of(cls, schedule: Schedule) -> "ScheduleOptions":
        """Return the options that a schedule has."""
        return cls(
            cron=schedule.cron,
            every=schedule.every,
            timezone=schedule.timezone,
            overlap=schedule.overlap,
            catch_up=schedule.catch_up,
            jitter=schedule.jitter,
            deduplication_key=schedule.deduplication_key,
            external_id=schedule.external_id,
            payload=schedule.payload,
            active=schedule.is_active,
        )

    def changed(self, changes: Mapping[str, object]) -> "ScheduleOptions":
        """Return the options with some of them replaced. A new ``cron`` takes ``every`` away, and the other way round.

        Raises:
            ScheduleError: One of them is not possible.
        """
        options = {**self._given(), **changes}
        if changes.get("cron") is not None and "every" not in changes:
            options["every"] = None
        if changes.get("every") is not None:
            options.pop("timezone", None)
            if "cron" not in changes:
                options["cron"] = None
            if "timezone" in changes:
                options["timezone"] = changes["timezone"]
        checked = ScheduleOptions.checked(**options)  # type: ignore[arg-type]  # the names are those of the fields
        return replace(checked, active=self.active)

    def _given(self) -> dict[str, object]:
        return {
            "cron": self.cron,
            "every": self.every,
            "timezone": self.timezone,
            "overlap": self.overlap,
            "catch_up": self.catch_up,
            "jitter": self.jitter,
            "deduplication_key": self.deduplication_key,
            "external_id": self.external_id,
            "payload": self.payload,
        }


def _check_choice(option: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        remedy = f"Use one of {', '.join(map(repr, choices))}."
        raise ScheduleError(f"There is no such {option.replace('_', '-')}", option=option, value=value, remedy=remedy)


def _checked_text(option: str, value: object, *, allow_empty: bool = False) -> str | None:
    if value is None:
        return None
    if isinstance(value, str) and (value or allow_empty) and len(value) <= _LONGEST_TEXT and is_encodable(value):
        return value
    remedy = f"Give text of 1 to {_LONGEST_TEXT} characters that UTF-8 can express."
    raise ScheduleError("That text is not possible", option=option, value=value, remedy=remedy)


def checked_payload(value: object) -> object:
    """Return a payload as plain JSON."""
    try:
        text = json.dumps(to_jsonable_python(value), allow_nan=False, ensure_ascii=False)
        is_possible = is_encodable(text) and len(text.encode()) <= _LARGEST_PAYLOAD
    except (PydanticSerializationError, TypeError, ValueError, RecursionError):
        text, is_possible = "", False
    if not is_possible:
        remedy = f"Give JSON of at most {_LARGEST_PAYLOAD // 1024} KB, or a model that pydantic writes as such."
        raise ScheduleError("That payload is not possible", option="payload", value=value, remedy=remedy)
    return json.loads(text)


def _checked_start(value: object) -> datetime | None:
    """Return an instant in whole milliseconds, as the store has them."""
    if value is None:
        return None
    instant = value
    if isinstance(value, str):  # over HTTP
        with contextlib.suppress(ValueError):
            instant = datetime.fromisoformat(value)
    if not isinstance(instant, datetime) or instant.tzinfo is None:
        remedy = "Give a datetime with a time zone: datetime.now(UTC)."
        raise ScheduleError("That start is not possible", option="start", value=value, remedy=remedy)
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)
