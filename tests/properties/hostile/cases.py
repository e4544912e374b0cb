"""Cases: one value at one of the places where user data enters, called from outside of a run."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from hypothesis import strategies as st

from taskflow import Debounce, RunFilter, idempotency_keys, queues, runs, streams, tasks, wait
from taskflow.verbs.task import Task
from tests.properties.hostile import tasks as hostile
from tests.properties.hostile.values import (
    Recipe,
    Strategy,
    build,
    durations,
    errors,
    instants,
    leaves,
    numbers,
    texts,
    values,
)
from tests.support.fleet import Fleet

NOTHING: Final = object()
ANSWERS: Final = streams.input("answers")
DOERS: Final[tuple[Task[Any, Any], ...]] = (
    *(hostile.does, hostile.async_does, hostile.durable, hostile.parent, hostile.async_parent),
)
ECHOES: Final[tuple[Task[Any, Any], ...]] = (hostile.echo, hostile.async_echo)


@dataclass(frozen=True, slots=True)
class Case:
    """One call. ``place`` names what takes the value, and which executor runs it."""

    place: str
    recipe: Recipe
    pick: int

    def __repr__(self) -> str:
        return f"{self.place} {self.pick % 6}: {self.recipe!s:.300}"


@dataclass(slots=True)
class Called:
    """A call that was not refused.

    Attributes:
        run_id: The run that it has made, if it made one.
        expected: The output that the run must have if it completes, or ``NOTHING``.
        may_wait: Whether it may have made a run that does not start by itself, so that it is to be canceled.
        attempts: Most attempts of the run.
    """

    run_id: str | None = None
    expected: object = field(default=NOTHING)
    may_wait: bool = False
    attempts: int = 1


def _option(name: str) -> Callable[[Case], Called]:
    def call(case: Case) -> Called:
        value = build(case.recipe)
        given: dict[str, Any] = {name: value}
        if name == "debounce":
            given = {name: Debounce(value, "1h", max_delay=value if case.pick % 2 else None)}
        if name == "global key":
            given = {"idempotency_key": idempotency_keys.create([value, "a"], scope="global")}
        if name == "many tags":
            given = {"tags": ["plain", value]}
        if name == "metadata name":
            given = {"metadata": {value: 1, "in": {value: [value]}}}
        if name == "metadata value":
            given = {"metadata": {"value": value}}
        handle = _picked(ECHOES, case).trigger(1, **given)
        return Called(handle.id, may_wait=True)

    return call


def _payload(case: Case) -> Called:
    value = build(case.recipe)
    handle = _picked(ECHOES, case).trigger(value)
    return Called(handle.id, expected=value if _is_plain(value) else NOTHING)


def _text(case: Case) -> Called:
    value = build(case.recipe)
    return Called(hostile.text.trigger(value).id, expected=value)


def _batch(case: Case) -> Called:
    made = _picked(ECHOES, case).batch_trigger([build(case.recipe)])
    return Called(made.run_ids[0] if made.run_ids else None)


def _code(case: Case) -> Called:
    place = hostile.PLACES[case.pick // len(DOERS) % len(hostile.PLACES)]
    if case.place == "code error":
        place = "raise"
    task = _picked(DOERS, case)
    if task is hostile.durable and place in hostile.AWAITED:
        task = hostile.does
    handle = task.trigger(hostile.an_order(place, case.recipe), max_attempts=2 if place == "retry" else 1)
    is_long = place in ("until", "for", "retry")
    return Called(handle.id, attempts=2 if place == "retry" else 1, may_wait=is_long)


def _run_id(case: Case) -> Called:
    value: Any = build(case.recipe)
    calls: tuple[Callable[[], object], ...] = (
        lambda: runs.retrieve(value),
        lambda: runs.cancel(value),
        lambda: runs.replay(value),
        lambda: runs.reschedule(value, "1h"),
        lambda: runs.add_tags(value, "a"),
        lambda: list(runs.logs(value)),
        lambda: runs.bulk_cancel([value]),
        lambda: list(hostile.ITEMS.read(value, timeout=0)),
        lambda: ANSWERS.send(value, 1),
        lambda: wait.retrieve_token(value),
        lambda: queues.retrieve(value),
        lambda: queues.pause(value),
        lambda: runs.list(5, cursor=value),
        lambda: wait.list_tokens(cursor=value),
    )
    calls[case.pick % len(calls)]()
    return Called()


def _filter(case: Case) -> Called:
    value: Any = build(case.recipe)
    names = (
        *("status", "task", "tag", "queue", "machine", "version", "batch", "parent", "root", "idempotency_key"),
        *("error", "created_from", "created_to", "schedule"),
    )
    wanted = RunFilter(**{names[case.pick % len(names)]: value})
    runs.list(5, where=wanted)
    runs.count(["status"], where=wanted)
    return Called()


def _token(case: Case) -> Called:
    value: Any = build(case.recipe)
    choice = case.pick % 5
    if choice == 0:
        wait.create_token(tags=[value])
    if choice == 1:
        wait.create_token(idempotency_key=value)
    if choice == 2:
        wait.create_token(timeout=value)
    made = wait.create_token()
    if choice == 3:
        wait.complete_token(made, value)
        wait.retrieve_token(made)
    if choice == 4:
        wait.create_token(idempotency_key="k", idempotency_key_ttl=value)
    return Called()


def _task_id(case: Case) -> Called:
    tasks.trigger(build(case.recipe), 1).cancel()
    return Called()


def _stream_item(case: Case) -> Called:
    handle = hostile.echo.trigger(1, delay="1h")
    try:
        ANSWERS.send(handle.id, build(case.recipe))
    finally:
        handle.cancel()
    return Called(handle.id)


PLACES: Final[Mapping[str, tuple[Strategy, Callable[[Case], Called]]]] = {
    "code": (values, _code),
    "code text": (texts, _code),
    "code instant": (st.one_of(instants, durations), _code),
    "code error": (errors, _code),
    "payload": (values, _payload),
    "text": (texts, _text),
    "batch": (values, _batch),
    "queue": (texts, _option("queue")),
    "concurrency_key": (st.one_of(texts, numbers), _option("concurrency_key")),
    "machine": (texts, _option("machine")),
    "delay": (st.one_of(instants, durations), _option("delay")),
    "ttl": (durations, _option("ttl")),
    "priority": (st.one_of(numbers, durations), _option("priority")),
    "tags": (leaves, _option("tags")),
    "many tags": (texts, _option("many tags")),
    "metadata": (values, _option("metadata")),
    "metadata name": (texts, _option("metadata name")),
    "metadata value": (values, _option("metadata value")),
    "idempotency_key": (leaves, _option("idempotency_key")),
    "global key": (texts, _option("global key")),
    "idempotency_key_ttl": (durations, _option("idempotency_key_ttl")),
    "max_attempts": (numbers, _option("max_attempts")),
    "max_duration": (durations, _option("max_duration")),
    "debounce": (texts, _option("debounce")),
    "run id": (leaves, _run_id),
    "filter": (st.one_of(texts, leaves), _filter),
    "token": (st.one_of(values, instants, texts), _token),
    "task id": (texts, _task_id),
    "stream item": (values, _stream_item),
    "message": (st.one_of(values, texts, instants), lambda case: Called()),
}
"""Every place, with its values, and its call. Messages are sent by the driver, which has the broker."""


def _case(place: str) -> st.SearchStrategy[Case]:
    return st.builds(Case, st.just(place), PLACES[place][0], st.integers(0, 10_000))


_SHARES: Final = {"code": 12, "code error": 3, "message": 3, "payload": 3}
_drawn: Final = [place for place in PLACES for _ in range(_SHARES.get(place, 1))]
cases: Final = st.sampled_from(_drawn).flatmap(_case)


def call(case: Case) -> Called:
    """Make a case's call."""
    return PLACES[case.place][1](case)


def send_message(fleet: Fleet, case: Case) -> str | None:
    """Send a plain Celery message with a value in one of its parts. Returns its id if a run must come of it."""
    value: Any = build(case.recipe)
    celery: Any = fleet.flow.celery
    name = _picked(ECHOES, case).definition.id
    parts = ("id", "argument", "keyword", "keyword name", "header", "eta", "expires", "stamp")
    part = parts[case.pick // 2 % len(parts)]
    options: dict[str, Any] = {"args": [1]}
    match part:
        case "id":
            options["task_id"] = value
        case "argument":
            options["args"] = [value]
        case "keyword":
            options |= {"args": [], "kwargs": {"payload": value}}
        case "keyword name":
            options["kwargs"] = {value: value}
        case "header":
            options["headers"] = {"odd": value, "traceparent": value, "baggage": value}
        case "stamp":
            options["headers"] = {"stamped_headers": ["odd"], "stamps": {"odd": [value]}, "odd": value}
        case _:
            options[part] = value
    sent = celery.send_task(name, **options)
    is_sure = part in ("argument", "keyword", "header", "stamp")
    return sent.id if is_sure else None


def _picked(several: Iterable[Any], case: Case) -> Any:
    choices = [*several]
    return choices[case.pick % len(choices)]


def _is_plain(value: object) -> bool:
    kind: type[object] = type(value)
    if kind is dict:
        return all(type(name) is str and _is_plain(each) for name, each in cast("dict[str, object]", value).items())
    if kind is list:
        return all(map(_is_plain, cast("list[object]", value)))
    return kind in (str, int, bool, float, type(None))
