"""Errors of any size, and errors whose code does anything, one a payload."""

import asyncio
import gc
import time
from collections.abc import Callable

from taskflow import Retry, logger, metadata, streams, task

LINE = "a line of text\n"
BIG = LINE * 1_000_000
ONCE = Retry(max_attempts=1)


class TextError(Exception):
    """An error whose text is made by the function that it is given."""

    def __str__(self) -> str:
        make: Callable[[], str] = self.args[0]
        return make()


class ClassError(Exception):
    """An error that has no class that one could look at."""

    @property  # type: ignore[misc]  # as a detached row has it
    def __class__(self) -> type:  # pyright: ignore[reportIncompatibleMethodOverride]
        raise RuntimeError("detached")


class EndlessError(Exception):
    """An error of which everything but its message is made for ever."""

    def __repr__(self) -> str:
        return _endless()


class UnpicklableError(Exception):
    """An error that is pickled for ever."""

    def __reduce__(self) -> str:
        return _endless()


class NoMeta(type):
    """The class of a class that tells nothing of it."""

    @property
    def __name__(cls) -> str:  # type: ignore[override]  # the point
        raise RuntimeError("no name")


class NamelessError(Exception, metaclass=NoMeta):
    """An error whose class has no name."""


class OddError(Exception):
    """An error each attribute of which raises, and that has no truth and equals nothing."""

    def __getattribute__(self, name: str) -> object:
        raise RuntimeError(name)

    def __bool__(self) -> bool:
        raise RuntimeError("no truth")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no equal")

    __hash__ = None  # type: ignore[assignment]  # the point


def _endless() -> str:
    while True:
        pass


def _greedy() -> str:
    kept: list[bytes] = []
    while True:
        kept.append(bytes(50_000_000))  # not touched, so that it takes no time


def _slow() -> str:
    time.sleep(3600)
    return "never"


def _leaves() -> str:
    raise SystemExit(3)


def _number() -> str:
    return 5  # type: ignore[return-value]  # the point


def _raises() -> str:
    raise RuntimeError("no text")


def _noted() -> Exception:
    error = ValueError("noted")
    for number in range(100):
        error.add_note(f"note {number} {BIG[:100_000]}")
    return error


def _chained() -> Exception:
    error = ValueError("cause 0")
    for number in range(1, 100):
        following = ValueError(f"cause {number} {BIG[:200_000]}")
        following.__cause__ = error
        error = following
    return error


def _group(depth: int = 2) -> Exception:
    members = [_group(depth - 1) if depth else ValueError(BIG) for _ in range(20)]
    return ExceptionGroup("several", members)


def _frames() -> Exception:
    name = "a" * 1_000_000
    space: dict[str, Callable[[], None]] = {}
    exec(f"def {name}():\n    raise ValueError('in it')", space)
    try:
        space[name]()
    except ValueError as error:
        return error
    raise AssertionError


SIZES: dict[str, Callable[[], BaseException]] = {
    "message": lambda: ValueError(BIG),
    "one line": lambda: ValueError("x" * 15_000_000),
    "key": lambda: KeyError("x" * 15_000_000),
    "arguments": lambda: ValueError(*[BIG[:1_000_000]] * 15),
    "notes": _noted,
    "causes": _chained,
    "group": _group,
    "frames": _frames,
    "type": lambda: type("N" * 5_000_000, (Exception,), {})("named"),
    "module": lambda: type("Named", (Exception,), {"__module__": "m" * 5_000_000})("named"),
    "cyrillic": lambda: ValueError("\N{CYRILLIC SMALL LETTER A}" * 5_000_000),
    "control": lambda: ValueError("\x01" * 5_000_000),
    "surrogates": lambda: ValueError("\udc80" * 5_000_000),
}
TEXTS: dict[str, Callable[[], BaseException]] = {
    "endless": lambda: TextError(_endless),
    "slow": lambda: TextError(_slow),
    "greedy": lambda: TextError(_greedy),
    "leaves": lambda: TextError(_leaves),
    "number": lambda: TextError(_number),
    "raises": lambda: TextError(_raises),
    "class": lambda: ClassError("one"),
    "repr": lambda: EndlessError("two"),
    "pickle": lambda: UnpicklableError("three"),
    "nameless": lambda: NamelessError("four"),
    "odd": lambda: OddError("five"),
}
ERRORS = SIZES | TEXTS


@task(id="he-def", retry=ONCE, executor="process")
def hostile(payload: str) -> None:
    """Raise one."""
    raise ERRORS[payload]()


@task(id="he-async", retry=ONCE)
async def hostile_coroutine(payload: str) -> None:
    """Raise one."""
    raise ERRORS[payload]()


@task(id="he-child", retry=ONCE, executor="process")
async def hostile_in_child(payload: str) -> None:
    """Raise one, in the loop of a child."""
    raise ERRORS[payload]()


@task(id="he-hooked", retry=ONCE)
async def hooked(payload: str) -> str:
    """Return. What is hostile is its hook."""
    return payload


@hooked.on_complete
async def after(payload: str) -> None:
    """Raise one."""
    raise ERRORS[payload]()


@task(id="he-forgotten", retry=ONCE)
async def forgotten(payload: str) -> str:
    """Leave an asyncio task whose error nobody retrieves."""

    async def fail() -> None:
        raise ERRORS[payload]()

    left = asyncio.create_task(fail())
    await asyncio.wait([left])
    del left
    gc.collect()
    return "done"


lines = streams.define("he-lines", str)


@task(id="he-say", retry=ONCE)
async def say(payload: str) -> str:
    """Show the payload everywhere, and return it. Fail with it when it begins with "fail"."""
    logger.info(payload, field=payload)
    with logger.span(payload, field=payload):
        metadata.set(payload, payload)
    await lines.aappend(payload)
    if payload.startswith("fail"):
        raise ValueError(payload)
    return payload


@task(id="he-tick")
def tick() -> None:
    """Do nothing: a schedule's task."""
