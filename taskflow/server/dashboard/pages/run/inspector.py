"""The inspector: the selected span with its error, and the documents and properties of the run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from markupsafe import Markup

from taskflow.engine.trace.documents import StoredDocument
from taskflow.engine.trace.rows import ROOT, SpanKind, SpanOutcome, Trace, TraceSpan
from taskflow.models import Attempt, Run, RunError
from taskflow.server.dashboard.pages.run.facts import computed
from taskflow.server.dashboard.pages.run.trace_rows import short_node, words_of
from taskflow.server.dashboard.view.durations import duration, whole_duration
from taskflow.server.dashboard.view.instants import full_instant
from taskflow.server.dashboard.view.links import url
from taskflow.server.dashboard.view.numbers import counted, size
from taskflow.server.dashboard.view.reader import READER
from taskflow.server.dashboard.view.statuses import short_id
from taskflow.server.dashboard.view.tracebacks import TracebackLine, traceback_lines
from taskflow.texts import visible

Property = tuple[str, Markup | str]
_MOST_RUNS = 10


@dataclass(frozen=True, slots=True)
class Selected:
    """The selected span as the inspector shows it."""

    span: TraceSpan
    title: str
    when: str
    status: str
    error: RunError | None
    traceback: Sequence[TracebackLine]
    properties: Sequence[Property]


@dataclass(frozen=True, slots=True)
class ShownDocument:
    """A document as the inspector shows it. ``size`` is "" for one that the run does not have."""

    name: str
    title: str
    text: bytes
    size: str
    is_large: bool
    is_long: bool


def select(trace: Trace, wanted: str) -> Selected:
    """Return the span that the address names; else the newest failed attempt, else the whole run."""
    spans = {span.id: span for span in trace.spans}
    attempts = [span for span in trace.spans if span.kind is SpanKind.ATTEMPT and span.attempt is not None]
    failed = [span for span in attempts if span.outcome is SpanOutcome.FAILED]
    span = spans.get(wanted) or (failed[-1] if failed else spans[ROOT])
    attempt = next(
        (each for each in trace.run.attempts if span.kind is SpanKind.ATTEMPT and each.number == span.attempt), None
    )
    error = _error(trace.run, span, attempt)
    name, note = words_of(span)
    ended = span.ended or trace.read_at
    since = duration(span.began - trace.run.created_at)
    return Selected(
        span=span,
        title=visible(name) if span.kind is not SpanKind.HOOK or not note else visible(f"{name} {note}"),
        when=f"+{since}, {duration(ended - span.began)}{'' if span.ended else ' so far'}",
        status=_status(span),
        error=error,
        traceback=traceback_lines(error.traceback) if error else (),
        properties=tuple(_span_properties(trace, span, attempt)),
    )


def documents_of(stored: dict[str, StoredDocument]) -> list[ShownDocument]:
    """Return payload, output and metadata, without hidden values."""
    hiding = READER.get().hiding
    shown: list[ShownDocument] = []
    for name in ("payload", "output", "metadata"):
        document = stored.get(name)
        text = hiding.text(document.text) if document else b""
        if document is None or (name == "metadata" and text in (b"", b"{}")):
            shown.append(ShownDocument(name, name.capitalize(), b"", "", is_large=False, is_long=False))
            continue
        words = "large value" if document.is_large else size(len(text))
        is_long = len(text) > 256 * 1024
        shown.append(ShownDocument(name, name.capitalize(), text, words, document.is_large, is_long))
    return shown


def run_properties(trace: Trace) -> Iterator[Property]:
    """Yield the properties of a run."""
    run = trace.run
    yield "Id", Markup('<span class="mono">{}</span>').format(run.id)
    yield "Task", Markup('<a class="link mono" href="{}">{}</a>').format(url("runs", task=run.task_id), run.task_id)
    yield "Idempotency key", _mono(run.idempotency_key)
    yield "Concurrency key", _mono(run.concurrency_key)
    yield "Priority", f"{run.priority:g}"
    yield "TTL", whole_duration(run.ttl) if run.ttl else "none"
    used = f", {duration(computed(trace))} computed" if run.attempts else ""
    yield "Max duration", f"{whole_duration(run.max_duration)} an attempt{used}" if run.max_duration else "none"
    children = [span for span in trace.spans if span.kind is SpanKind.CHILD]
    if children:
        words = counted(len(children), "run") + (" or more" if trace.more_children else "")
        yield "Children", Markup('<a class="link" href="{}">{}</a>').format(url("runs", parent=run.id), words)
    else:
        yield "Children", "none"
    yield "Parent", _run_link(run.parent_id)
    yield "Root", _run_link(run.root_id)
    yield (
        "Batch",
        Markup('<a class="link mono" href="{}">{}</a>').format(url("batches", run.batch_id), short_id(run.batch_id))
        if run.batch_id
        else "none",
    )
    yield "Executor", run.executor
    if run.steps:
        yield "Journal", counted(len(run.steps), "call")
    if run.dropped_lines:
        yield "Dropped", f"about {counted(run.dropped_lines, 'log line or span', 'log lines and spans')}"


def context_of(run: Run) -> dict[str, object]:
    """Return what the task's function finds in its context, as far as the record has it."""
    return {
        "run": {"id": run.id, "tags": list(run.tags), "is_test": run.is_test, "is_replay": run.replay_of is not None,
                "created_at": run.created_at.isoformat(), "max_attempts": run.max_attempts,
                "idempotency_key": run.idempotency_key, "concurrency_key": run.concurrency_key,
                "parent_id": run.parent_id, "root_id": run.root_id, "batch_id": run.batch_id, "version": run.version},
        "attempt": {"number": run.attempts[-1].number} if run.attempts else None,
        "task": {"id": run.task_id},
        "queue": {"name": run.queue},
        "machine": {"name": run.machine},
    }  # fmt: skip


def _error(run: Run, span: TraceSpan, attempt: Attempt | None) -> RunError | None:
    if attempt is not None:
        return attempt.error
    return run.error if span.id == ROOT and run.is_failed else None


def _status(span: TraceSpan) -> str:
    if span.kind is SpanKind.CHILD or span.kind is SpanKind.RUN:
        return span.status.value if span.status else ""
    return {
        SpanOutcome.FAILED: "FAILED",
        SpanOutcome.LOST: "SYSTEM_FAILURE",
        SpanOutcome.CANCELED: "CANCELED",
    }.get(span.outcome, "") if span.outcome else ""  # fmt: skip


def _node(attempt: Attempt) -> Markup | str:
    if not attempt.node:
        return "none"
    title = f"{visible(attempt.node)}, claim {attempt.claim}"
    return Markup('<span title="{}">{}</span>').format(title, visible(short_node(attempt.node)))


def _span_properties(trace: Trace, span: TraceSpan, attempt: Attempt | None) -> Iterator[Property]:
    yield "Began", full_instant(span.began)
    yield "Ended", full_instant(span.ended) if span.ended else "it goes on"
    if span.error and attempt is None:
        yield "Ended by", visible(span.error)
    elif span.outcome is not None and span.outcome is not SpanOutcome.DONE:
        yield "Outcome", span.outcome.value
    if attempt is not None:
        yield "Node", _node(attempt)
        following = [each for each in trace.run.attempts if each.number == attempt.number + 1]
        if following and attempt.finished_at:
            yield (
                "Next",
                f"attempt {attempt.number + 1}, {duration(following[0].started_at - attempt.finished_at)} later",
            )
    if span.kind is SpanKind.HOOK or span.kind is SpanKind.MIDDLEWARE:
        yield "Function", _mono(span.note or span.name)
    if span.kind is SpanKind.CHILD and span.run_id:
        yield "Run", _run_link(span.run_id)
    if span.kind is SpanKind.WAIT:
        yield from _wait_properties(span)
    elif span.fields:
        for name, value in span.fields.items():
            yield visible(str(name))[:60], _mono(visible(str(value))[:500])
    for error in trace.run.hook_errors if span.id == ROOT else ():
        yield "Hook error", visible(f"{error.type}: {error.message}")[:500]


def _wait_properties(span: TraceSpan) -> Iterator[Property]:
    if until := span.fields.get("until"):
        yield "Until", str(until)
    if token := span.fields.get("token"):
        yield "Token", f"…{str(token)[-4:]}"
    runs = span.fields.get("runs")
    if isinstance(runs, list):
        ids = [str(each) for each in cast("list[object]", runs)[:_MOST_RUNS]]
        yield "Runs", Markup(" ").join(_run_link(each) for each in ids)
    if batch := span.fields.get("batch"):
        yield (
            "Batch",
            Markup('<a class="link mono" href="{}">{}</a>').format(url("batches", batch), short_id(str(batch))),
        )


def _run_link(run_id: str | None) -> Markup | str:
    if run_id is None:
        return "none"
    return Markup('<a class="link mono" href="{}" title="{}">{}</a>').format(
        url("runs", run_id), run_id, short_id(run_id)
    )


def _mono(text: str | None) -> Markup | str:
    return Markup('<span class="mono">{}</span>').format(visible(text)) if text else "none"
