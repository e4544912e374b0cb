"""The calls of a durable run: answered from its journal, or made and journaled. Written once for both executors.

A ``Way`` makes the calls. That of a ``def`` task never suspends, see ``in_place.run_unsuspended``.
"""

import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final, Literal, Protocol

from taskflow import clock
from taskflow.errors import JournalError, WaitError
from taskflow.execution.journal import Journal
from taskflow.execution.reporting.spans import traced
from taskflow.execution.step_failures import failure_of
from taskflow.execution.waiting.traced_waits import facts_of, traced_wait
from taskflow.execution.waiting.wait_store import Opening
from taskflow.seams.journal_entries import Asked, JournalEntry, asked_wait, step_entry, step_value, wait_entry
from taskflow.seams.journal_keys import NOWHERE, JournalScope, Scope, StepCall, WithinStep, in_scope
from taskflow.seams.waits import SLEPT, Wait, Waiter, WaitRequest

NOTHING: Final = (b"null",)


class Way(Protocol):
    """The actions of a durable call, as one of the executors does them."""

    async def open(self, opening: Opening) -> None:
        """Open a wait in the store."""
        ...

    async def begin(self, request: WaitRequest, key: str) -> Wait:
        """Start what completes a wait, for example trigger a run."""
        ...

    async def call_hooks(self, kind: Literal["on_wait", "on_resume"], what: Wait) -> None:
        """Call the hooks of a wait."""
        ...

    async def until_done(self, key: str) -> Sequence[bytes]:
        """Wait until a wait is done."""
        ...

    async def sleep(self, duration: timedelta) -> None:
        """Sleep."""
        ...

    async def call(self, call: StepCall) -> object:
        """Call a step's function."""
        ...

    async def write(self, entries: Mapping[str, bytes]) -> None:
        """Write entries of the journal."""
        ...


class DurableCalls:
    """The calls of one attempt."""

    def __init__(self, way: Way, journal: Journal, random: Callable[[], float] = random.random) -> None:
        self._way, self._journal, self._random = way, journal, random

    async def wait(self, place: JournalScope, request: WaitRequest) -> Sequence[bytes]:
        """Wait, and return the JSON of each item."""
        if isinstance(place, WithinStep):
            raise WaitError(
                f"Step {place.name!r} can't wait: it would be done again from its start. Wait in the task's function, "
                "between steps."
            )
        assert place is not None
        key = place.next_key()
        asked = asked_wait(request)
        short = short_wait(request)
        entry = self._journal.find(key, asked)
        if entry is not None and entry.state == "z":
            return NOTHING
        if entry is None and short is not None:
            with in_scope(NOWHERE), traced_wait(request, key):
                await self._way.sleep(short)
                await self._keep(key, wait_entry("z", asked))
            return NOTHING
        return await self._wait(key, asked, request, entry)

    async def step(self, scope: Scope, call: StepCall) -> object:
        """Return the result that a step had the first time, or call its function."""
        key, asked = scope.next_key(), Asked("step", call.name)
        entry = self._journal.find(key, asked)
        if entry is None:
            call.output.prepare()
            try:
                with traced("step", call.name, key=key):
                    entry = step_entry(call, await self._until_returned(key, call))
            except Exception as error:
                self._journal.note_failure(key, asked, error)
                raise
            with in_scope(NOWHERE):
                await self._keep(key, entry)
        if entry.state == "f":
            raise failure_of(call.name, entry.value)
        try:
            return step_value(call, entry)
        except JournalError as error:  # the return annotation has changed
            raise self._journal.misfit(key, str(error)) from error

    async def _until_returned(self, key: str, call: StepCall) -> object:
        waited = self._journal.retries_of(key)
        if waited:
            await self._delay(f"{key}/{waited}", call, timedelta(0))
        for failed in itertools.count(waited + 1):
            await self._flush()
            try:
                with in_scope(WithinStep(call.name)):
                    return await self._way.call(call)
            except Exception as error:
                self._journal.check()
                delay = call.delay_after(error, failed, self._random)
                if delay is None:
                    raise
            await self._delay(f"{key}/{failed}", call, delay)
        raise AssertionError

    async def _delay(self, key: str, call: StepCall, delay: timedelta) -> None:
        """Wait before a step is tried again. A long delay is a wait of the run."""
        asked = Asked("retry", call.name)
        entry = self._journal.find(key, asked)
        if entry is None and delay <= SLEPT:
            with in_scope(NOWHERE):
                await self._way.sleep(delay)
            return
        what = Wait("duration", until=clock.now() + delay)
        await self._wait(key, asked, WaitRequest(due=delay, what=what), entry)

    async def _wait(self, key: str, asked: Asked, request: WaitRequest, entry: JournalEntry | None) -> Sequence[bytes]:
        journal, way = self._journal, self._way
        what = entry.wait() if entry else None
        values = journal.values.get(key)
        if entry is not None and entry.state == "r" and values is not None:
            return values
        began_ms = entry.began if entry else None
        # A task that is made here is not one of the function's own.
        with in_scope(NOWHERE), traced_wait(request, key, began_ms, asked.kind) as span:
            if what is None:
                what = await self._begin(key, asked, request)
            span.tell(facts_of(what))
            if values is None:
                values = await way.until_done(key)
            journal.values[key] = values
            journal.note(key, wait_entry("r", asked, what))
            await way.call_hooks("on_resume", what)
        return values

    async def _begin(self, key: str, asked: Asked, request: WaitRequest) -> Wait:
        journal, way = self._journal, self._way
        is_known = request.begin is None and request.abegin is None
        journal.note(key, wait_entry("w" if is_known else "o", asked, request.what if is_known else None))
        await way.open(
            Opening(
                key, request.items, request.due, entries=journal.unwritten(), is_durable=True, what=request.described
            )
        )
        what = request.what if is_known else await way.begin(request, key)
        if not is_known:
            journal.note(key, wait_entry("w", asked, what))
        await way.call_hooks("on_wait", what)
        return what

    async def _keep(self, key: str, entry: JournalEntry) -> None:
        self._journal.note(key, entry)
        await self._flush()

    async def _flush(self) -> None:
        entries = self._journal.unwritten()
        if entries:
            await self._way.write(entries)


class Patience:
    """The time that a run may wait in memory before it is unloaded."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def left(self, keys: Sequence[str], waited: timedelta) -> timedelta | None:
        """Return the time until a run with these waits is to be unloaded, None when it cannot be."""
        entries = [self._journal.entry(key) for key in keys]
        whats = [entry.wait() if entry else None for entry in entries]
        if not whats or None in whats:  # a wait of a hook, which is not in the journal
            return None
        after = self._journal.suspend_after
        known = [what.until for what in whats if what is not None and what.type == "duration"]
        now = clock.now()
        if len(known) == len(whats) and all(until is not None and until - now > after for until in known):
            return timedelta(0)
        return max(timedelta(0), after - waited)


def waiter(journal: Journal, key: str, place: str) -> Waiter:
    """Return the waiter of a durable wait, which its source completes."""
    return Waiter(journal.run_id, key, place=place, is_durable=True, salt=journal.salt)


def short_wait(request: WaitRequest) -> timedelta | None:
    """Return the time to sleep instead of a short wait, None for any other wait."""
    if request.kind or request.begin or request.abegin or request.what.type != "duration" or request.due is None:
        return None
    left = request.due if isinstance(request.due, timedelta) else request.due - clock.now()
    return max(timedelta(0), left) if left <= SLEPT else None
