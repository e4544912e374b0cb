"""Say why a QUEUED run does not start: a pause, its place behind a limit, a rate, workers, or the broker. Pure."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from taskflow.engine.reasons.facts import Facts, clock, span
from taskflow.models import Reason, ReasonCode
from taskflow.store.operations.encoding import instant
from taskflow.store.operations.explanation import Explained


def queued(explained: Explained, facts: Facts) -> Reason:
    """Return the first thing that keeps a QUEUED run from starting, with its place in line where it has one."""
    for reason in (
        _paused(explained, facts),
        _refused(explained, facts),  # before the workers, which are perhaps refused as well
        _no_worker(explained, facts),
        *_limited(explained, facts),
    ):
        if reason is not None:
            return reason
    return _busy(explained, facts)


def _paused(explained: Explained, facts: Facts) -> Reason | None:
    queue = explained.run.queue
    for what, code, command, name in (
        ("The environment", ReasonCode.ENVIRONMENT_PAUSED, "", "all_paused"),
        (f"Queue {queue!r}", ReasonCode.QUEUE_PAUSED, f" {queue}", "paused"),
    ):
        since = facts.instant(name)
        if since:
            by, note = facts.texts.get(f"{name}_by"), facts.texts.get(f"{name}_note") or None
            paused = f"is paused since {clock(since)}{f' by {by}' if by else ''}{f': {note}' if note else ''}"
            text = f"{what} {paused.removesuffix('.')}. Resume: taskflow queues resume{command}"
            return Reason(code, text, {"queue": queue, "since": since, "by": by, "note": note, **_line(facts)})
    return None


def _no_worker(explained: Explained, facts: Facts) -> Reason | None:
    run = explained.run
    if facts.number("node_slots") or "node" in explained.fields:  # a run with a node goes on there
        return None
    served = facts.words("classes")
    up = f"The workers that are up serve {', '.join(served)}" if served else "No worker is up"
    text = (
        f"No worker that is up serves machine {run.machine} with executor {run.executor}. {up}. "
        f"Start one: taskflow worker --machine {run.machine}"
    )
    return Reason(ReasonCode.NO_WORKER, text, {"machine": run.machine, "executor": run.executor, "served": served})


def _limited(explained: Explained, facts: Facts) -> Iterator[Reason | None]:
    if "slot" in explained.fields or facts.number("place") is None:
        return
    run, line, number = explained.run, _line(facts), facts.number
    key = run.concurrency_key
    yield _full(
        ReasonCode.TOTAL_LIMIT,
        f"Queue {run.queue!r}",
        "over all concurrency keys",
        number("total"),
        number("total_used"),
        run.queue,
        line,
    )
    yield _full(
        ReasonCode.ENVIRONMENT_LIMIT,
        "The environment",
        "at a time",
        number("environment"),
        number("environment_used"),
        run.queue,
        line,
    )
    code = ReasonCode.KEY_LIMIT if key else ReasonCode.CONCURRENCY_LIMIT
    what = f"Concurrency key {key!r} of queue {run.queue!r}" if key else f"Queue {run.queue!r}"
    overridden = " (an override)" if "override" in facts.texts else ""
    yield _full(
        code,
        what,
        f"at a time{overridden}",
        number("limit"),
        number("used"),
        run.queue,
        line | {"concurrency_key": key},
    )
    yield _rated(explained, facts, line)


def _full(
    code: ReasonCode,
    what: str,
    how: str,
    limit: int | None,
    running: int | None,
    queue: str,
    line: Mapping[str, object],
) -> Reason | None:
    if limit is None or running is None or running < limit:
        return None
    text = f"{what} executes {limit} {'run' if limit == 1 else 'runs'} {how}, and {running} do. {_place(line)}"
    return Reason(code, text, {"queue": queue, "limit": limit, "running": running, **line})


def _rated(explained: Explained, facts: Facts, line: Mapping[str, object]) -> Reason | None:
    wait = facts.number("rate_wait")
    if wait is None or facts.now is None:
        return None
    at, period = facts.now + timedelta(milliseconds=wait), timedelta(milliseconds=facts.number("period") or 0)
    rate = f"{facts.number('rate')} in {span(period)}"
    queue, due = explained.run.queue, f"{clock(at)}{facts.ahead(at)}"
    text = f"Queue {queue!r} starts {rate}; the next start is at {due}. {_place(line)}"
    details = {"queue": queue, "rate": facts.number("rate"), "period": period, "next_start_at": at, **line}
    return Reason(ReasonCode.RATE_LIMIT, text, details)


def _refused(explained: Explained, facts: Facts) -> Reason | None:
    at_ms, _, said = facts.texts.get("refusal", "").partition("\t")
    if not at_ms:
        return None
    queue, at = explained.fields.get("ticket", b"").decode(), instant(at_ms)
    text = (
        f"The broker refuses tickets for its Celery queue {queue!r}, last at {clock(at)}: {said} See: taskflow doctor"
    )
    return Reason(ReasonCode.BROKER_REFUSES, text, {"celery_queue": queue, "at": at, "message": said})


def _busy(explained: Explained, facts: Facts) -> Reason:
    run, line = explained.run, _line(facts)
    slots, running = facts.number("node_slots") or 0, facts.number("node_runs") or 0
    details = {"machine": run.machine, "executor": run.executor, "capacity": slots, "running": running, **line}
    if "node" in explained.fields:
        text = f"What it waited for is there; it goes on once queue {run.queue!r} has a slot. {_place(line)}"
        return Reason(ReasonCode.CONCURRENCY_LIMIT, text, {"queue": run.queue, **line})
    busy = f"The workers of {run.machine} ({run.executor}) execute {running} of {slots} runs"
    rest = "it starts when one is free." if running >= slots else "one of them takes it next."
    if line:
        rest = f"it is not its turn yet. {_place(line)}"
    return Reason(ReasonCode.WORKERS_BUSY, f"{busy}; {rest}", details)


def _line(facts: Facts) -> dict[str, object]:
    place = facts.number("place")
    return {} if place is None else {"place": place, "waiting": facts.number("waiting")}


def _place(line: Mapping[str, object]) -> str:
    return f"It is number {line['place']} of {line['waiting']} in line." if "place" in line else "It is in line."
