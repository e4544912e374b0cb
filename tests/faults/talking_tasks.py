"""The fault driver's tasks with tokens, input streams and output streams.

Lines, behind ``kind run attempt claim pid time`` (see ``tasks``): ``token id outcome``, the outcome that the run got;
``completing id value`` and ``completed id value yes|no``; ``got index number send``, an item of the input stream;
``told started count``, so many items of the output stream of what started under that claim are written.
"""

import asyncio
import time

from pydantic import BaseModel

from taskflow import Context, TokenResult, streams, task, wait
from tests.faults.tasks import FAST, Done, away, done, note, noted

TIMEOUT = "timeout"


class Line(BaseModel):
    """An item of the output stream: the claim under which its code has started, and its number there, from 0."""

    started: int
    number: int


class Question(BaseModel):
    """An item of the input stream: a number. It is sent again when the first may not have arrived."""

    number: int
    send: int = 1


class Letter(BaseModel):
    """The token to wait for, or to complete, and the number of attempts that fail after it."""

    token: str
    fails: int = 0


class Tale(BaseModel):
    """The number of items, the time in which to write them, and the number of attempts that fail after them."""

    items: int
    seconds: float = 0.0
    fails: int = 0


class Exam(BaseModel):
    """The number up to which to take questions, and whether the run keeps its slot meanwhile."""

    last: int
    holds: bool = False


tale = streams.define("tale", Line)
questions = streams.input("questions", Question)


def outcome_of(result: TokenResult[object]) -> str:
    """Return the outcome of a token for a run, as one word."""
    return str(result.output) if result.ok else TIMEOUT


def fail(attempts: int, ctx: Context) -> None:
    """Let the first attempts fail."""
    if ctx.attempt.number <= attempts:
        raise ConnectionError(f"attempt {ctx.attempt.number} fails as told")


@task(id="f-waiter", retry=FAST)
def waiter(payload: Letter, ctx: Context) -> Done:
    """Wait for a token in a child."""
    with noted(ctx):
        with away(ctx):
            result = wait.for_token(payload.token)
        note("token", ctx, payload.token, outcome_of(result))
        fail(payload.fails, ctx)
        return done(ctx)


@task(id="f-awaiter", retry=FAST)
async def awaiter(payload: Letter, ctx: Context) -> Done:
    """Wait for a token as a coroutine."""
    with noted(ctx):
        with away(ctx):
            result = await wait.afor_token(payload.token)
        note("token", ctx, payload.token, outcome_of(result))
        fail(payload.fails, ctx)
        return done(ctx)


@task(id="f-completer", retry=FAST)
async def completer(payload: Letter, ctx: Context) -> Done:
    """Complete a token, with another value each time."""
    with noted(ctx) as claim:
        value = f"{ctx.run.id}.{claim}"
        note("completing", ctx, payload.token, value)
        is_first = await wait.acomplete_token(payload.token, value)
        note("completed", ctx, payload.token, value, "yes" if is_first else "no")
        return done(ctx)


@task(id="f-teller", retry=FAST)
def teller(payload: Tale, ctx: Context) -> Done:
    """Write items in a child: some in the background, some with a writer."""
    with noted(ctx) as started:
        for number in range(payload.items):
            if number % 7 == 6:
                with tale.writer() as write:
                    write(Line(started=started, number=number))
                note("told", ctx, started, number + 1)
            else:
                tale.append(Line(started=started, number=number))
            time.sleep(payload.seconds / payload.items)
        fail(payload.fails, ctx)
        return done(ctx)


@task(id="f-ateller", retry=FAST)
async def ateller(payload: Tale, ctx: Context) -> Done:
    """Do the same as a coroutine."""
    with noted(ctx) as started:
        for number in range(payload.items):
            if number % 7 == 6:
                async with tale.writer() as write:
                    await write.awrite(Line(started=started, number=number))
                note("told", ctx, started, number + 1)
            else:
                await tale.aappend(Line(started=started, number=number))
            await asyncio.sleep(payload.seconds / payload.items)
        fail(payload.fails, ctx)
        return done(ctx)


@task(id="f-examined", retry=FAST)
def examined(payload: Exam, ctx: Context) -> Done:
    """Take questions up to a number, in a child."""
    with noted(ctx):
        number, index = -1, 0
        while number < payload.last:
            if payload.holds:
                question = questions.once()
            else:
                with away(ctx):
                    question = questions.wait()
            note("got", ctx, index, question.number, question.send)
            number, index = question.number, index + 1
        return done(ctx)


@task(id="f-aexamined", retry=FAST)
async def aexamined(payload: Exam, ctx: Context) -> Done:
    """Do the same as a coroutine."""
    with noted(ctx):
        number, index = -1, 0
        while number < payload.last:
            if payload.holds:
                question = await questions.aonce()
            else:
                with away(ctx):
                    question = await questions.await_next()
            note("got", ctx, index, question.number, question.send)
            number, index = question.number, index + 1
        return done(ctx)
