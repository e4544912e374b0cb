"""``wait``: let a run wait for time or for a token. Meanwhile it holds neither a slot nor a place in its node."""

from datetime import datetime, timedelta
from typing import Final

from taskflow import clock
from taskflow.definition.blocking import refuse_in_event_loop
from taskflow.durations import Duration, check_instant, parse_duration
from taskflow.errors import DefinitionError, WaitError
from taskflow.errors.base import shown
from taskflow.execution.waiting.traced_waits import traced_wait
from taskflow.seams.waits import SLEPT, Wait, WaitRequest, require_waits
from taskflow.verbs.tokens import TokenVerbs


class Waiting(TokenVerbs):
    """Verbs of waits. Waits for time work only within a run."""

    def for_(self, duration: Duration) -> None:
        """Let the run wait. Up to 5 s it sleeps; longer, it gives back its slot and its place in its node.

        Args:
            duration: How long: seconds, a ``timedelta``, or text, for example ``"1h30m"``. 0 returns at once.

        Raises:
            OutsideRunError: No run executes here.
            DefinitionError: It is not a duration.
            BlockingCallError: An event loop runs in this thread; await ``wait.afor_``.
        """
        refuse_in_event_loop("wait.for_", "wait.afor_")
        self._sleep(parse_duration(duration, option="duration"), "wait.for_")

    async def afor_(self, duration: Duration) -> None:
        """Let the run wait. See ``for_``."""
        await self._asleep(parse_duration(duration, option="duration"), "wait.afor_")

    def sleep(self, duration: Duration) -> None:
        """Let the run wait. The same as ``for_``."""
        self.for_(duration)

    async def asleep(self, duration: Duration) -> None:
        """Let the run wait. The same as ``afor_``."""
        await self.afor_(duration)

    def until(self, date: datetime, *, raise_if_past: bool = False) -> None:
        """Let the run wait until an instant. See ``for_``.

        Args:
            date: An aware datetime.
            raise_if_past: Raise if the date has passed, instead of going on at once.

        Raises:
            WaitError: The date has no time zone, or it has passed and ``raise_if_past`` is set.
        """
        refuse_in_event_loop("wait.until", "wait.auntil")
        self._sleep(_left(date, raise_if_past), "wait.until", date)

    async def auntil(self, date: datetime, *, raise_if_past: bool = False) -> None:
        """Let the run wait until an instant. See ``until``."""
        await self._asleep(_left(date, raise_if_past), "wait.auntil", date)

    def _sleep(self, duration: timedelta, verb: str, date: datetime | None = None) -> None:
        waits = require_waits(verb)
        if duration > SLEPT or waits.is_durable:
            waits.wait(_request(duration, date, verb))
        elif duration > timedelta(0):
            with traced_wait(_request(duration, date, verb)):
                clock.sleep(duration.total_seconds())

    async def _asleep(self, duration: timedelta, verb: str, date: datetime | None = None) -> None:
        waits = require_waits(verb)
        if duration > SLEPT or waits.is_durable:
            await waits.await_(_request(duration, date, verb.replace(".a", ".")))
        elif duration > timedelta(0):
            with traced_wait(_request(duration, date, verb)):
                await clock.asleep(duration.total_seconds())


def _request(duration: timedelta, date: datetime | None, label: str) -> WaitRequest:
    until = date or clock.now() + duration
    return WaitRequest(due=date or duration, what=Wait("duration", until=until), label=label)


def _left(date: datetime, raise_if_past: bool) -> timedelta:
    if not isinstance(date, datetime):  # pyright: ignore[reportUnnecessaryIsInstance] - by callers without a checker
        raise WaitError(
            f"wait.until({shown(date)}): that is no datetime. Use e.g. datetime.now(UTC) + ..., or wait.for_."
        )
    try:
        check_instant(date, option="date")
    except DefinitionError as wrong:
        raise WaitError(f"wait.until({shown(date)}): {wrong.what}. {wrong.remedy}") from None
    left = date - clock.now()
    if left < timedelta(0) and raise_if_past:
        raise WaitError(f"wait.until({date.isoformat()}): that is over already. Leave raise_if_past out to go on.")
    return left


wait: Final = Waiting()
