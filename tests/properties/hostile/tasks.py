"""Tasks that use hostile values: each makes one by its recipe, and gives it to one place."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from taskflow import Context, Retry, RetryAfter, logger, metadata, step, streams, tags, task, wait
from tests.properties.hostile.values import Recipe, build

ONCE: Final = Retry(max_attempts=1)
ITEMS: Final = streams.define("hostile")
log: Final = logging.getLogger("hostile")
Order = dict[str, Any]


class OddError(Exception):
    """An error with a value for its message."""

    def __str__(self) -> str:
        return str(self.args[0])


def _noted(value: object) -> Exception:
    error = OddError("noted")
    try:
        error.add_note(value)  # type: ignore[arg-type]  # on purpose
    except TypeError:
        error.__notes__ = [value]  # type: ignore[list-item]  # on purpose
    return error


def _named(value: object) -> Exception:
    kind = type("Named", (Exception,), {})
    kind.__qualname__ = value if isinstance(value, str) else "Named"
    error: Exception = kind("named")
    return error


def _line(value: Any) -> None:
    logger.info(value, value=value)
    logger.info("with a field", **{str(value) if isinstance(value, str) else "field": value})
    log.warning("shown: %s %r", value, [value])
    with logger.span(value if isinstance(value, str) else "span", value=value):
        print(value)


def _metadata(value: Any) -> None:
    name = str(value) if isinstance(value, str) else "name"
    amount: Any = value
    for change in (
        lambda: metadata.set(name, value),
        lambda: metadata.set("other", {name: value}),
        lambda: metadata.append("list", value),
        lambda: metadata.remove("list", value),
        lambda: metadata.increment("number", amount),
        lambda: metadata.increment("number", amount),
        lambda: tags.add(value),
    ):
        try:
            change()
        except ValueError as refused:  # RunUpdateError
            logger.info("refused", error=str(refused))


def _item(value: Any) -> None:
    ITEMS.append({"value": "before"})
    try:
        ITEMS.append({"value": value})
    finally:
        ITEMS.append({"value": "behind"})


def _token(value: Any) -> None:
    made = wait.create_token(tags=[value], idempotency_key=value)
    wait.complete_token(made, value)
    wait.for_token(made)


def _raised(error: Any) -> object:
    raise error


def _caused(value: Any) -> object:
    raise ValueError(value) from OddError(value)


ACTS: Final[Mapping[str, Callable[[Any], object]]] = {
    "output": lambda value: value,
    "error": lambda value: _raised(OddError(value)),
    "error group": lambda value: _raised(ExceptionGroup("several", [OddError(value), ValueError(value)])),
    "error notes": lambda value: _raised(_noted(value)),
    "error name": lambda value: _raised(_named(value)),
    "error cause": _caused,
    "raise": _raised,
    "retry": lambda value: _raised(RetryAfter(value)),
    "line": _line,
    "item": _item,
    "metadata": _metadata,
    "until": lambda value: wait.until(value),
    "for": lambda value: wait.for_(value),
    "token": _token,
}
PLACES: Final = tuple(each for each in ACTS if each != "raise")
"""The places in a task's code that take any value."""


async def _aitem(value: Any) -> None:
    await ITEMS.aappend({"value": "before"})
    try:
        await ITEMS.aappend({"value": value})
    finally:
        await ITEMS.aappend({"value": "behind"})


async def _atoken(value: Any) -> None:
    made = await wait.acreate_token(tags=[value], idempotency_key=value)
    await wait.acomplete_token(made, value)
    await wait.afor_token(made)


AWAITED: Final[Mapping[str, Callable[[Any], Awaitable[object]]]] = {
    "until": lambda value: wait.auntil(value),
    "for": lambda value: wait.afor_(value),
    "item": _aitem,
    "token": _atoken,
}


@task(id="hostile-does", retry=ONCE)
def does(payload: Order) -> Any:
    """Use a value in a child."""
    return ACTS[payload["place"]](build(payload["recipe"]))


@task(id="hostile-async-does", retry=ONCE)
async def async_does(payload: Order) -> Any:
    """Use a value in a coroutine."""
    place, value = payload["place"], build(payload["recipe"])
    return await AWAITED[place](value) if place in AWAITED else ACTS[place](value)


@task(id="hostile-durable", retry=ONCE, durable=True)
def durable(payload: Order) -> Any:
    """Use a value as the result or the error of a step, and replay it."""
    try:
        value = step("step", lambda: ACTS[payload["place"]](build(payload["recipe"])))
    except OddError:
        value = "caught"
    return value


@task(id="hostile-parent", retry=ONCE)
def parent(payload: Order) -> str:
    """Wait for a child that uses a value."""
    result = does.trigger_and_wait(payload)
    return f"{result.ok} {result.error}"[:100]


@task(id="hostile-async-parent", retry=ONCE)
async def async_parent(payload: Order) -> str:
    """Wait for a child that uses a value, in a coroutine."""
    result = await async_does.atrigger_and_wait(payload)
    return f"{result.ok} {result.error}"[:100]


@task(id="hostile-echo", retry=ONCE)
def echo(payload: Any, ctx: Context) -> Any:
    """Return the payload."""
    return payload


@task(id="hostile-async-echo", retry=ONCE)
async def async_echo(payload: Any, ctx: Context) -> Any:
    """Return the payload, from a coroutine."""
    return payload


@task(id="hostile-text", retry=ONCE)
def text(payload: str) -> str:
    """Return the payload, a text."""
    return payload


def an_order(place: str, recipe: Recipe) -> Order:
    """Return the payload by which a task uses a value."""
    return {"place": place, "recipe": recipe}
