"""The nine facts about a run."""

from collections.abc import Iterator
from datetime import timedelta

from markupsafe import Markup

from taskflow.engine.trace.rows import SpanKind, Trace
from taskflow.models import AttemptOutcome, Run
from taskflow.server.dashboard.view.durations import DASH, duration
from taskflow.server.dashboard.view.instants import age_time, clock_time, running_time
from taskflow.server.dashboard.view.links import url

Fact = tuple[str, Markup | str]


def facts_of(trace: Trace, origin: Markup) -> Iterator[Fact]:
    """Yield label and value of each fact. ``origin``: who or what triggered the run, in words."""
    run = trace.run
    yield "Triggered", Markup("{}, {}").format(clock_time(run.created_at), age_time(run.created_at))
    if run.finished_at is not None:
        yield "Took", duration(run.finished_at - run.created_at)
    else:
        yield "Took so far", running_time(run.created_at)
    yield "Computed", duration(computed(trace)) if run.attempts else DASH
    yield "Queued", duration(_queued(trace))
    yield "Attempt", f"{_tries(run)} of {run.max_attempts}" if run.attempts else f"{DASH} of {run.max_attempts}"
    yield "Queue", Markup('<a href="{}">{}</a>').format(url("queues", run.queue), run.queue)
    yield "Machine", run.machine
    yield "Version", _version(run)
    yield "Triggered by", origin


def computed(trace: Trace) -> timedelta:
    """Return how long the run's code has executed: what counts for max_duration, and lost attempts besides."""
    total = timedelta()
    for span in trace.spans:
        if span.kind is SpanKind.ATTEMPT:
            total += (span.ended or trace.read_at) - span.began
            total -= sum(((each.ended or trace.read_at) - each.began for each in span.parked), timedelta())
    return max(total, timedelta())


def _queued(trace: Trace) -> timedelta:
    spans = [span for span in trace.spans if span.kind is SpanKind.QUEUED]
    return sum(((span.ended or trace.read_at) - span.began for span in spans), timedelta())


def _tries(run: Run) -> int:
    uncounted = (AttemptOutcome.LOST, AttemptOutcome.INTERRUPTED)
    return max(1, sum(attempt.outcome not in uncounted for attempt in run.attempts))


def _version(run: Run) -> Markup | str:
    if not run.version:
        return DASH
    shown = run.version if len(run.version) <= 12 else f"{run.version[:12]}…"
    return Markup('<a class="mono" href="{}" title="{}">{}</a>').format(
        url("runs", version=run.version), run.version, shown
    )
