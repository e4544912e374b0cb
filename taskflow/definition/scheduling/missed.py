"""The tick of a schedule to fire now: the next one, or after an outage what ``catch_up`` keeps of the missed ones."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from taskflow.definition.scheduling.rule import Rule
from taskflow.definition.scheduling.schedule import CatchUp

GRACE: Final = timedelta(seconds=10)
"""A tick that is later than this was missed. Until then another node has taken over, however a node died."""
MOST_MADE_UP: Final = 100
_KEPT: Final[dict[CatchUp, int]] = {"none": 0, "last": 1, "all": MOST_MADE_UP}


@dataclass(frozen=True, slots=True)
class Turn:
    """A decision about a schedule that is due: the tick to fire, None to fire none, and the tick that follows."""

    tick: datetime | None
    following: datetime | None


def turn_of(rule: Rule, schedule_id: str, due: datetime, now: datetime, catch_up: CatchUp, *, held: bool) -> Turn:
    """Return what to do with a schedule whose stored next tick has come.

    Args:
        due: The stored next tick.
        held: It waited for the run of an earlier tick, so that it is late for no outage.
    """
    shift = rule.fired_at(due, schedule_id) - due
    missed_until = now - GRACE - shift
    if due > missed_until:
        return Turn(due, rule.after(due))
    kept = rule.newest(due, missed_until, MOST_MADE_UP if held else _KEPT[catch_up])
    if kept:
        return Turn(kept[0], rule.after(kept[0]))
    return Turn(None, rule.after(missed_until))


def tick_since(rule: Rule, catch_up: CatchUp, start: datetime | None, now: datetime) -> datetime | None:
    """Return the next tick of a new schedule whose ticks begin behind an instant; None: now."""
    if start is None or start <= now:
        return first_tick(rule, catch_up, rule.after(start) if start else None, now)
    return rule.after(start)


def first_tick(rule: Rule, catch_up: CatchUp, paused_at: datetime | None, now: datetime) -> datetime | None:
    """Return the next tick of a schedule that is activated.

    Args:
        paused_at: The tick that would have fired next when it was deactivated; None for a schedule without a past.
    """
    if paused_at is not None and paused_at <= now:
        kept = rule.newest(paused_at, now, _KEPT[catch_up])
        if kept:
            return kept[0]
    return rule.after(now)
