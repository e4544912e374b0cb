"""Notes of a trace's rows that other records tell, and the labels of its axis."""

from datetime import UTC, datetime, timedelta

import pytest

from taskflow import Retry
from taskflow.engine.trace.rows import SpanKind, Trace, TraceRow, TraceSpan
from taskflow.models import Attempt, Run, RunStatus
from taskflow.seams.tokens import TokenOptions
from taskflow.server.dashboard.pages.run.axis import axis_of
from taskflow.server.dashboard.pages.run.notes import delay_note, with_notes
from taskflow.server.dashboard.pages.run.query import TraceQuery
from taskflow.server.dashboard.pages.run.trace_rows import words_of
from tests.support.dashboard import Dashboard

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """Return an instant after the start."""
    return START + timedelta(seconds=seconds)


def a_trace(status: RunStatus, spans: list[TraceSpan], read_at: float) -> Trace:
    """Return the trace of a run that was triggered at the start."""
    run = Run("run_1", "t", status, "q", "small-1x", "process", START, 1)
    whole = TraceSpan("run", None, SpanKind.RUN, "t", START, None)
    return Trace(run, tuple(TraceRow(span, bool(number)) for number, span in enumerate([whole, *spans])), at(read_at))


def a_wait(span_id: str, token: str) -> TraceSpan:
    """Return the span of a wait for a token."""
    return TraceSpan(span_id, "run", SpanKind.WAIT, "token", START, None, fields={"token": token})


async def test_a_wait_for_a_token_has_the_tokens_name(dashboard: Dashboard) -> None:
    """Four digits of an id tell nobody what a run waits for. The first tag is the name, as in the list of tokens."""
    engine = dashboard.flow.engine
    named = (await engine.tokens.acreate(TokenOptions(tags=("customs-approval", "order:1")))).id
    nameless = (await engine.tokens.acreate(TokenOptions())).id
    spans = [a_wait("a", named), a_wait("b", nameless), a_wait("c", "token_00" + "0" * 32)]
    shown = await with_notes(engine, a_trace(RunStatus.WAITING, spans, 5))
    assert [words_of(span) for span in shown.spans[1:]] == [
        ("customs-approval", "token"),
        ("Token", f"…{nameless[-4:]}"),
        ("Token", "…0000"),
    ]
    rows = TraceQuery(search="customs").rows(shown)
    assert [row.item for row in rows] == [shown.spans[0], shown.spans[1]]


@pytest.mark.parametrize(
    "policy, failed, seconds, note",
    [
        (Retry(min_delay=1.5), 1, 2.115, "1.50 s \N{MULTIPLICATION SIGN} 1.41, randomized"),
        (Retry(min_delay=1.5), 2, 3.3, "3.00 s \N{MULTIPLICATION SIGN} 1.10, randomized"),
        (Retry(min_delay=0.5), 1, 1.04, "500 ms \N{MULTIPLICATION SIGN} 2.00, randomized"),
        (Retry(min_delay=10, factor=10), 3, 60, "1 m 0 s at most"),
        (Retry(min_delay=1.5, randomize=False), 2, 3, "1.50 s \N{MULTIPLICATION SIGN} 2^1"),
        (Retry(min_delay=1.5, randomize=False), 1, 1.5, ""),
        (Retry(min_delay=1.5), 1, 600, ""),
    ],
)
def test_a_retrys_delay_has_its_reason(policy: Retry, failed: int, seconds: float, note: str) -> None:
    """One that does not follow from the declared policy was asked for by code, or the policy has changed since."""
    attempts = tuple(Attempt(number, 1, "n1", at(number), at(number + 0.5)) for number in range(1, failed + 1))
    run = Run("run_1", "t", RunStatus.QUEUED, "q", "small-1x", "process", START, 5, attempts=attempts)
    began = at(failed + 0.5)
    span = TraceSpan(
        "retry_delay-1", "run", SpanKind.RETRY_DELAY, "Retry delay", began, began + timedelta(seconds=seconds)
    )
    assert delay_note(policy, run, span).replace("\N{NO-BREAK SPACE}", " ") == note


def test_labels_of_the_axis_do_not_lie_on_each_other() -> None:
    """A run that began with idle time had "0 ms" below the length of that time."""
    delayed = TraceSpan("delayed-0", "run", SpanKind.DELAYED, "Delayed", START, at(600))
    attempt = TraceSpan("attempt-1", "run", SpanKind.ATTEMPT, "Attempt 1", at(600), at(602), attempt=1)
    trace = a_trace(RunStatus.EXECUTING, [delayed, attempt], 602)
    axis = axis_of(trace, folded=True)
    assert [fold.x for fold in axis.folds] == [0]
    assert axis.ticks
    assert all(place >= 12 for place, _ in axis.ticks)


def test_the_axis_of_a_run_that_waits_has_room_for_now() -> None:
    """Its last bar does not grow, because its idle time is folded; behind it stands the word now."""
    attempt = TraceSpan("attempt-1", "run", SpanKind.ATTEMPT, "Attempt 1", START, at(2), attempt=1)
    waits = TraceSpan("wait", "run", SpanKind.WAIT, "duration", at(2), None)
    axis = axis_of(a_trace(RunStatus.WAITING, [attempt, waits], 1000), folded=True)
    assert axis.is_idle_at_end
    assert axis.at(at(1000)) == axis.at(at(2000)) == 95
    assert axis.folds[0].x + axis.folds[0].width == 95
