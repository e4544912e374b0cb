"""The fault driver's durable tasks. A task is a list of legs. Each call that the journal answers is written down.

Lines, behind ``kind run attempt claim pid time`` (see ``tasks``): ``pass``, the code begins at its top;
``step name goes|fails``, the function of a step is being called; ``stepped name value``, a call has returned with a
value, so the journal has an entry of it.
"""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Literal, Protocol

from pydantic import BaseModel

from taskflow import Context, Retry, TaskResult, TokenResult, astep, durable, step, task, wait
from taskflow.execution.in_place import run_unsuspended
from tests.faults.talking_tasks import Letter, Question, completer, fail, outcome_of, questions
from tests.faults.tasks import FAST, Done, Work, ashort, away, done, note, noted, short
from tests.projects.fleet_tasks import write

Leg = Literal["step", "flaky", "wrong", "chance", "both", "wait", "child", "token", "own", "ask"]
SUSPEND_AFTER = 0.5
AGAIN = Retry(max_attempts=30, min_delay=0.02, max_delay=0.1)
OWN_TIMEOUT = 12


class Trip(BaseModel):
    """The legs of a durable run.

    Attributes:
        token: The token of the leg "token".
        waits: Seconds of the leg "wait": long enough to be unloaded.
        falters_at: The leg before which attempts fail or die.
    """

    legs: Sequence[Leg]
    token: str = ""
    seconds: float = 0.05
    waits: float = 5.5
    falters_at: int = 0
    fails: int = 0
    deaths: int = 0


class RefusedError(Exception):
    """The error of a step that the code catches."""


class Verbs(Protocol):
    """The verbs of an executor. Those of a ``def`` task never suspend."""

    async def step(self, name: str, function: Callable[..., str], *args: object, retry: Retry = AGAIN) -> str: ...
    async def both(self, first: Coroutine[Any, Any, str], second: Coroutine[Any, Any, str]) -> tuple[str, str]: ...
    async def sleep(self, seconds: float) -> None: ...
    async def for_token(self, token: str) -> TokenResult[object]: ...
    async def create_token(self) -> str: ...
    async def ask(self) -> Question: ...
    async def child(self, work: Work) -> TaskResult[Done]: ...


class Blocking:
    """The verbs of a ``def`` task."""

    async def step(self, name: str, function: Callable[..., str], *args: object, retry: Retry = AGAIN) -> str:
        return step(name, function, *args, retry=retry)

    async def both(self, first: Coroutine[Any, Any, str], second: Coroutine[Any, Any, str]) -> tuple[str, str]:
        return await first, await second

    async def sleep(self, seconds: float) -> None:
        wait.for_(seconds)

    async def for_token(self, token: str) -> TokenResult[object]:
        return wait.for_token(token)

    async def create_token(self) -> str:
        return wait.create_token(timeout=OWN_TIMEOUT).id

    async def ask(self) -> Question:
        return questions.wait()

    async def child(self, work: Work) -> TaskResult[Done]:
        return ashort.trigger_and_wait(work)


class Awaiting:
    """The verbs of an ``async def`` task."""

    async def step(self, name: str, function: Callable[..., str], *args: object, retry: Retry = AGAIN) -> str:
        return await astep(name, function, *args, retry=retry)

    async def both(self, first: Coroutine[Any, Any, str], second: Coroutine[Any, Any, str]) -> tuple[str, str]:
        return await asyncio.gather(first, second)

    async def sleep(self, seconds: float) -> None:
        await wait.afor_(seconds)

    async def for_token(self, token: str) -> TokenResult[object]:
        return await wait.afor_token(token)

    async def create_token(self) -> str:
        return (await wait.acreate_token(timeout=OWN_TIMEOUT)).id

    async def ask(self) -> Question:
        return await questions.await_next()

    async def child(self, work: Work) -> TaskResult[Done]:
        return await short.atrigger_and_wait(work)


class Traveller:
    """One pass of a run's code: from its start, or a replay of it."""

    def __init__(self, verbs: Verbs, trip: Trip, ctx: Context) -> None:
        self._verbs, self._trip, self._ctx = verbs, trip, ctx
        self._asked = 0
        self._legs: dict[Leg, Callable[[str], Coroutine[Any, Any, str]]] = {
            "step": self._step, "flaky": self._flaky, "wrong": self._wrong, "chance": self._chance, "both": self._both,
            "wait": self._wait, "child": self._child, "token": self._token, "own": self._own, "ask": self._ask,
        }  # fmt: skip

    async def go(self) -> Done:
        """Execute all legs."""
        with noted(self._ctx):
            note("pass", self._ctx)
            for number, leg in enumerate(self._trip.legs):
                self._falter(number)
                name = f"{leg}-{number}"
                self._stepped(name, await self._legs[leg](name))
            self._falter(len(self._trip.legs))
            return done(self._ctx)

    def _falter(self, number: int) -> None:
        if number == self._trip.falters_at:
            if self._ctx.attempt.number <= self._trip.deaths:
                os.kill(os.getpid(), signal.SIGKILL)
            fail(self._trip.fails, self._ctx)

    def _stepped(self, name: str, value: str) -> str:
        note("stepped", self._ctx, name, value)
        return value

    async def _step(self, name: str) -> str:
        return await self._verbs.step(name, effect, self._trip.seconds, self._ctx, name)

    async def _flaky(self, name: str) -> str:
        return await self._verbs.step(name, flaky, self._ctx, name, retry=AGAIN)

    async def _wrong(self, name: str) -> str:
        """Call a step that raises. Its error is in the journal after the code has gone on, which the next step does."""
        try:
            return await self._verbs.step(name, wrong, self._ctx, name, retry=Retry(max_attempts=1))
        except RefusedError as refused:
            self._stepped(f"{name}.after", await self._step(f"{name}.after"))
            return str(refused)

    async def _chance(self, name: str) -> str:
        """Return values of chance. The journal has them when the next step begins."""
        values = durable.now().isoformat(), durable.random(), durable.uuid4()
        self._stepped(f"{name}.after", await self._step(f"{name}.after"))
        return "/".join(map(str, values))

    async def _both(self, name: str) -> str:
        """Execute two branches of two steps each, at the same time in a coroutine."""
        return "/".join(await self._verbs.both(self._branch(f"{name}.left"), self._branch(f"{name}.right")))

    async def _branch(self, name: str) -> str:
        first = self._stepped(f"{name}.1", await self._step(f"{name}.1"))
        return f"{first}+{self._stepped(f'{name}.2', await self._step(f'{name}.2'))}"

    async def _wait(self, name: str) -> str:
        with away(self._ctx):
            await self._verbs.sleep(self._trip.waits)
        return "over"

    async def _child(self, name: str) -> str:
        with away(self._ctx):
            result = await self._verbs.child(Work(seconds=self._trip.seconds))
        write("made", result.run_id, self._ctx.run.id, "certain")
        return result.run_id

    async def _token(self, name: str) -> str:
        return await self._for_token(self._trip.token)

    async def _own(self, name: str) -> str:
        """Wait for a token of the run's own, which two other runs complete."""
        token = self._stepped(f"{name}.create", await self._verbs.create_token())
        for delay in (0.5, 1.0):
            named = f"{name}.{delay}"
            self._stepped(named, await self._verbs.step(named, start_completer, token, delay, self._ctx, named))
        return await self._for_token(token)

    async def _for_token(self, token: str) -> str:
        with away(self._ctx):
            outcome = outcome_of(await self._verbs.for_token(token))
        note("token", self._ctx, token, outcome)
        return outcome

    async def _ask(self, name: str) -> str:
        with away(self._ctx):
            question = await self._verbs.ask()
        note("got", self._ctx, self._asked, question.number, question.send)
        self._asked += 1
        return f"{question.number}.{question.send}"


@task(id="f-durable", durable=True, suspend_after=SUSPEND_AFTER, retry=FAST)
def trip(payload: Trip, ctx: Context) -> Done:
    """Execute all legs in a child."""
    return run_unsuspended(Traveller(Blocking(), payload, ctx).go())


@task(id="f-adurable", durable=True, suspend_after=SUSPEND_AFTER, retry=FAST)
async def atrip(payload: Trip, ctx: Context) -> Done:
    """Execute all legs as a coroutine."""
    return await Traveller(Awaiting(), payload, ctx).go()


def effect(seconds: float, ctx: Context, name: str) -> str:
    """Write to the ledger, take a while, and return another value each time."""
    note("step", ctx, name, "goes")
    time.sleep(seconds)
    return _unique()


def flaky(ctx: Context, name: str) -> str:
    """Fail two times of three, by chance."""
    fails = os.urandom(1)[0] % 3 > 0
    note("step", ctx, name, "fails" if fails else "goes")
    if fails:
        raise ConnectionError("by chance")
    return _unique()


def wrong(ctx: Context, name: str) -> str:
    """Raise in any case."""
    note("step", ctx, name, "goes")
    raise RefusedError(_unique())


def start_completer(token: str, delay: float, ctx: Context, name: str) -> str:
    """Start a run that completes a token."""
    note("step", ctx, name, "goes")
    handle = completer.trigger(Letter(token=token), delay=delay)
    write("made", handle.id, ctx.run.id, "certain")
    return handle.id


def _unique() -> str:
    return f"{os.getpid()}.{time.time_ns()}"
