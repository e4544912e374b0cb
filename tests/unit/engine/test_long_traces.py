"""The trace of a run that has written as many spans and lines as it may is made in time for its page."""

import json
import time

from taskflow.engine.trace.build import build
from taskflow.engine.trace.recorded import Recorded, recorded
from taskflow.engine.trace.rows import Trace, TraceLine, TraceSpan
from taskflow.models import Run
from taskflow.store.events import Event, entry_id
from taskflow.store.operations import records
from taskflow.store.operations.encoding import instant

BEGIN = 1_800_000_000_000


def a_run(run_id: str, created: int, finished: int) -> Run:
    """Return a run with one attempt."""
    fields = {
        "task": "t",
        "status": "COMPLETED",
        "queue": "task/t",
        "class": "small-1x.process",
        "created": created,
        "max_attempts": 1,
        "attempt": 1,
        "claim": 1,
        "attempt_started": created,
        "started": created,
        "node": "n",
        "finished": finished,
    }
    return records.run(run_id, {name: str(value).encode() for name, value in fields.items()})


def a_document(number: int, **fields: object) -> str:
    """Return the JSON of a line or span that began five milliseconds after the one before."""
    return json.dumps({"attempt": 1, "claim": 1, "seq": number, "time": BEGIN + number * 5, **fields})


def written(spans: int, lines: int) -> Recorded:
    """Return spans without parents, and lines without a span around them."""
    events = [a_document(number, span=number, ms=3, message="a step", fields={}) for number in range(1, spans + 1)]
    texts = [a_document(spans + number, level="INFO", message="a line") for number in range(1, lines + 1)]
    return recorded(
        Event(entry_id((BEGIN << 20) + place), "run_1", kind, text)
        for place, (kind, text) in enumerate([*(("span", each) for each in events), *(("log", each) for each in texts)])
    )


def made(size: int) -> tuple[Trace, float]:
    """Return a trace of so many spans, lines and child runs, and the seconds of the processor that it took."""
    run, found = a_run("run_1", BEGIN, BEGIN + size * 5 + 5), written(size, size)
    children = [a_run(f"run_c{number}", BEGIN + number * 5 + 2, BEGIN + number * 5 + 3) for number in range(1, 201)]
    began = time.thread_time()
    trace = build(run, found, children, instant(BEGIN + size * 10))
    return trace, time.thread_time() - began


def test_its_time_grows_with_its_size() -> None:
    """Twenty seconds for 10,000 entries, as it once was, are no page."""
    few = min(made(500)[1] for _ in range(3))
    many = min(made(4000)[1] for _ in range(3))
    assert many < 24 * few, (few, many)  # 8 times as many entries


def test_children_and_lines_find_what_is_around_them() -> None:
    """A child belongs to the span that goes on at its instant, a line without a span to its attempt."""
    trace, _ = made(300)
    spans = {span.id: span for span in trace.spans}
    assert {spans[f"child-run_c{number}"].parent for number in (1, 200)} == {"1.1", "1.200"}
    parents = {row.item.parent for row in trace.rows if isinstance(row.item, TraceLine)}
    assert parents == {"attempt-1"}
    assert sum(isinstance(row.item, TraceSpan) for row in trace.rows) >= 500
