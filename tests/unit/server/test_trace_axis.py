"""The axis of a trace: idle time is folded, and every instant has a place."""

import itertools
from datetime import UTC, datetime, timedelta

from taskflow.engine.trace.rows import ROOT, Interval, SpanKind, Trace, TraceRow, TraceSpan
from taskflow.models import Run, RunStatus
from taskflow.server.dashboard.pages.run.axis import axis_of
from taskflow.server.dashboard.pages.run.trace_rows import rows_of
from taskflow.server.dashboard.view.tracebacks import traceback_lines

START = datetime(2026, 11, 28, 14, 2, tzinfo=UTC)


def after(seconds: float) -> datetime:
    """Return an instant behind the trigger."""
    return START + timedelta(seconds=seconds)


def trace(*spans: TraceSpan, status: RunStatus = RunStatus.COMPLETED, ended: float | None = 100) -> Trace:
    """Return the trace of a run with these spans."""
    run = Run(
        "run_1", "shop", status, "queue", "small-1x", "process", START, 3, finished_at=after(ended) if ended else None
    )
    root = TraceSpan(ROOT, None, SpanKind.RUN, "shop", START, run.finished_at)
    rows = (TraceRow(root, 0, True), *(TraceRow(span, 1) for span in spans))
    return Trace(run, rows, after(ended or 100))


def attempt(began: float, ended: float | None, *parked: Interval) -> TraceSpan:
    """Return the span of an attempt."""
    end = None if ended is None else after(ended)
    return TraceSpan("attempt-1", ROOT, SpanKind.ATTEMPT, "Attempt 1", after(began), end, parked=parked, attempt=1)


def test_idle_time_is_folded_and_says_its_length() -> None:
    """A wait of a minute must not hide a second of work."""
    axis = axis_of(trace(attempt(0, 100, Interval(after(5), after(95)))), folded=True)
    assert [(fold.began, fold.ended, fold.label) for fold in axis.folds] == [(5, 95, "1\u00a0m\u00a030\u00a0s")]
    assert axis.folds[0].width == 12
    assert axis.at(after(5)) == 44
    assert axis.at(after(95)) == 56
    assert axis.at(after(100)) == 100
    true_to_scale = axis_of(trace(attempt(0, 100, Interval(after(5), after(95)))), folded=False)
    assert true_to_scale.folds == ()
    assert true_to_scale.at(after(5)) == 5


def test_time_in_which_a_child_computes_is_not_idle() -> None:
    """The run waits, but its child works."""
    child = TraceSpan("child-1", ROOT, SpanKind.CHILD, "render", after(5), after(95), run_id="run_2")
    axis = axis_of(trace(attempt(0, 100, Interval(after(5), after(95))), child), folded=True)
    assert axis.folds == ()


def test_a_run_that_goes_on_has_room_for_its_bars() -> None:
    """The axis moves in steps, so that rows are sent when something happens, not because time passes."""
    open_trace = trace(attempt(0, None), status=RunStatus.EXECUTING, ended=None)
    axis = axis_of(open_trace, folded=True)
    assert axis.points[-1][0] == 150
    assert axis.at(after(100)) < 70
    rows = list(rows_of(open_trace, axis))
    assert rows[1].bars[0].began_ms == int(START.timestamp() * 1000)
    assert rows[1].is_open


def test_ticks_never_overlap() -> None:
    """Labels have room, for any length and any folds."""
    for seconds in (0.003, 0.7, 9, 59, 3600, 86_400 * 3, 86_400 * 400):
        for parked in ((), (Interval(after(seconds * 0.1), after(seconds * 0.9)),)):
            axis = axis_of(trace(attempt(0, seconds, *parked), ended=seconds), folded=True)
            places = [place for place, _ in axis.ticks]
            assert places
            assert all(right - left >= 5 for left, right in itertools.pairwise(places))


def test_many_siblings_are_counted() -> None:
    """A page of a thousand spans stays a page."""
    spans = [TraceSpan(f"1.{n}", ROOT, SpanKind.SPAN, f"s{n}", after(n / 10), after(n / 10)) for n in range(512)]
    shown = trace(*spans)
    rows = list(rows_of(shown, axis_of(shown, folded=True)))
    assert len(rows) == 202
    assert rows[-1].name == "312 more spans"


def test_frames_of_libraries_are_counted_and_escape_sequences_readable() -> None:
    """A traceback shows the code of the user, and moves no terminal."""
    text = (
        'Traceback (most recent call last):\n  File "/shop/tasks.py", line 8, in fulfil\n    quote()\n'
        '  File "/v/site-packages/httpx/_client.py", line 1, in post\n    a()\n'
        '  File "/v/site-packages/httpx/_client.py", line 2, in send\n    b()\nReadTimeout: \x1b[31mtimed out\n\n'
        "The above exception was the direct cause of the following exception:\n\n"
        'Traceback (most recent call last):\n  File "/shop/carrier.py", line 4, in quote\n    raise X\nX: no\n'
    )
    assert [(line.kind, line.text) for line in traceback_lines(text)] == [
        ("own", "/shop/tasks.py:8 in fulfil"),
        ("code", "    quote()"),
        ("lib", "httpx/_client.py, 2 frames"),
        ("error", "ReadTimeout: \\x1b[31mtimed out"),
        ("gap", ""),
        ("lib-text", "the cause of"),
        ("own", "/shop/carrier.py:4 in quote"),
        ("code", "    raise X"),
        ("error", "X: no"),
    ]
