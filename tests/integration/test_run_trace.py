"""The trace of a run on real nodes: a span of each kind, of both executors, after kills, within the limits."""

import asyncio
from typing import Any

import pytest

from taskflow import RunNotFoundError, RunStatus, wait
from taskflow.engine.trace.rows import SpanKind, Trace, TraceLine, TraceSpan
from tests.conftest import StartFleet
from tests.projects import spanned_tasks as tasks
from tests.support.fleet import TASKS, Fleet
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until

BOTH = f"{TASKS},tests.projects.spanned_tasks"


def outline(trace: Trace) -> list[str]:
    """Return the rows as text: indented by their depth, with kind, name and outcome."""
    return [f"{'  ' * row.depth}{_shown(row.item)}" for row in trace.rows]


def _shown(item: TraceSpan | TraceLine) -> str:
    if isinstance(item, TraceLine):
        return f"{item.line.level} {item.line.message}"
    outcome = f" {item.outcome.value}" if item.outcome else " open" if item.is_open else ""
    return f"{item.kind.value} {item.name}{outcome}"


def complete(fleet: Fleet, run_id: str, kind: SpanKind = SpanKind.HOOK) -> Trace:
    """Return the trace once the spans of the last attempt have been sent."""
    traces = fleet.flow.engine.traces

    def is_sent() -> bool:
        trace = traces.trace(run_id)
        last = len(trace.run.attempts)
        return any(span.kind is kind and span.attempt == last and not span.is_open for span in trace.spans)

    wait_until(is_sent, f"a {kind.value} of the last attempt", timeout=10)
    return traces.trace(run_id)


def the(trace: Trace, kind: SpanKind, name: str | None = None) -> TraceSpan:
    """Return the last span of a kind, with a name."""
    return [span for span in trace.spans if span.kind is kind and name in (None, span.name)][-1]


@pytest.mark.timeout(90)
def test_a_trace_has_a_span_of_each_kind(fleet: Fleet) -> None:
    """Both executors record the same tree, with either broker."""
    fleet.start_node(TASKFLOW_TASKS=BOTH, wait=False)
    fleet.start_node(executor="async", TASKFLOW_TASKS=BOTH, wait=False)
    for node in fleet.nodes:
        fleet.wait_for(node)
    handles = [task.trigger(3) for task in tasks.ALL]
    names = [("around", "sp-child"), ("aaround", "sp-async-child")]
    for handle, (middleware, child) in zip(handles, names, strict=True):
        assert handle.result(timeout=30) == 9
        trace = complete(fleet, handle.id)
        assert outline(trace) == [
            f"run {handle.retrieve().task_id} done",
            "  queued Queued",
            "  attempt Attempt 1 failed",
            f"    middleware {middleware} failed",
            "      hook init done",
            "        INFO in init",
            "      function run failed",
            "        INFO begins",
            "        span outer failed",
            "          span inner done",
            "            WARNING within",
            "      hook on_error done",
            "  retry_delay Retry delay",
            "  queued Queued",
            "  attempt Attempt 2 done",
            f"    middleware {middleware} done",
            "      hook init done",
            "        INFO in init",
            "      function run done",
            "        INFO begins",
            "        span outer done",
            "          span inner done",
            "            WARNING within",
            "        step double done",
            "        wait duration done",
            f"        child {child} done",
            "      hook on_success done",
            "    stream sp-notes",
        ]
        first = next(span for span in trace.spans if span.kind is SpanKind.ATTEMPT)
        assert first.error == "ConnectionError"
        assert first.note == trace.run.attempts[0].node
        assert the(trace, SpanKind.SPAN, "outer").fields == {"order": 3}
        _check_times(trace)
        parked = the(trace, SpanKind.FUNCTION).parked
        assert len(parked) == 1
        waited = the(trace, SpanKind.CHILD)
        assert waited.run_id == waited.note
        assert waited.status is RunStatus.COMPLETED


def _check_times(trace: Trace) -> None:
    """Each span begins and ends within its parent, if the clock of both is the same."""
    spans = {span.id: span for span in trace.spans}
    for span in trace.spans:
        assert span.ended is not None, span
        assert span.began <= span.ended, span
        parent = spans.get(span.parent or "")
        if parent is not None and parent.kind not in (SpanKind.RUN, SpanKind.ATTEMPT):
            assert parent.ended is not None
            assert (parent.began - span.began).total_seconds() < 0.05, span
            assert (span.ended - parent.ended).total_seconds() < 0.05, span


@pytest.mark.timeout(60)
def test_a_run_without_hooks_sends_nothing_for_its_trace(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """Its spans follow from its record and the changes of its status."""
    fleet = start_fleet(valkey.url)
    fleet.start_node(TASKFLOW_TASKS=BOTH)
    handle = tasks.plain.trigger(1)
    assert handle.result(timeout=20) == 1
    trace = fleet.flow.engine.traces.trace(handle.id)
    assert outline(trace) == ["run sp-plain done", "  queued Queued", "  attempt Attempt 1 done"]
    client: Any = valkey.client()
    kinds = [each["kind"] for _, each in client.xrange(f"{{tf:{fleet.environment}:0}}:events", "-", "+")]
    client.close()
    assert set(kinds) == {"status"}
    with pytest.raises(RunNotFoundError):
        fleet.flow.engine.traces.trace("run_unknown")


@pytest.mark.timeout(60)
def test_a_span_is_seen_while_it_is_open_and_ends_with_its_process(
    start_fleet: StartFleet, valkey: RedisServer
) -> None:
    """A child that is killed takes its open spans with it: they end as lost, and the next attempt has its own."""
    fleet = start_fleet(valkey.url, lease=2, heartbeat=0.5)
    fleet.start_node(TASKFLOW_TASKS=BOTH)
    handle = tasks.killed.trigger(3)
    traces = fleet.flow.engine.traces
    wait_until(
        lambda: "span deadly open" in _names(traces.trace(handle.id)),
        "the open span",
        timeout=20,
    )
    assert handle.result(timeout=30) == "saved"
    trace = complete(fleet, handle.id)
    assert [line for line in _names(trace) if "queued" not in line][:8] == [
        "run sp-killed done",
        "attempt Attempt 1 lost",
        "hook init done",
        "INFO in init",
        "function run lost",
        "span outer lost",
        "span deadly lost",
        "attempt Attempt 2 done",
    ]
    _check_times(trace)


@pytest.mark.timeout(60)
def test_a_trace_outlives_the_journal_and_the_record(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """A durable run's steps are dropped from the store when it ends; its trace stays in the history."""
    fleet = start_fleet(valkey.url, database_url=None)
    fleet.start_node(TASKFLOW_TASKS=BOTH)
    handle = tasks.durable.trigger("approval")
    wait_until(lambda: handle.status() is RunStatus.WAITING, "the run to wait", timeout=20)
    traces = fleet.flow.engine.traces
    wait_until(lambda: "wait token open" in _names(traces.trace(handle.id)), "the open wait", timeout=10)
    waiting = the(traces.trace(handle.id), SpanKind.WAIT)
    wait.complete_token(str(waiting.fields["token"]), "yes")
    assert handle.result(timeout=20) == "onetwo"
    trace = complete(fleet, handle.id, SpanKind.STEP)
    expected = ["step first done", "wait token done", "step second done"]
    assert [name for name in _names(trace) if name.split()[0] in ("step", "wait")] == expected
    assert the(trace, SpanKind.WAIT).began == waiting.began
    assert the(trace, SpanKind.ATTEMPT).parked
    client: Any = valkey.client()

    def is_in_history() -> bool:
        events = asyncio.run(fleet.flow.engine.apast_events(handle.id))
        return sum(event.kind == "trace" for event in events) >= 2

    wait_until(is_in_history, "the history to have the trace", timeout=10)
    client.delete(f"{{tf:{fleet.environment}:0}}:run:{handle.id}", f"{{tf:{fleet.environment}:0}}:events")
    client.close()
    assert outline(traces.trace(handle.id)) == outline(trace)


def _names(trace: Trace) -> list[str]:
    return [line.strip() for line in outline(trace)]


@pytest.mark.timeout(60)
def test_dropped_lines_and_spans_are_counted(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """A run that logs in a loop keeps its limits, and says how much is missing."""
    fleet = start_fleet(valkey.url, log_lines=20)
    fleet.start_node(TASKFLOW_TASKS=BOTH)
    handle = tasks.loud.trigger(50)
    handle.result(timeout=20)
    traces = fleet.flow.engine.traces
    wait_until(lambda: traces.trace(handle.id).run.dropped_lines > 0, "the count of what was dropped", timeout=10)
    trace = traces.trace(handle.id)
    assert len(trace.lines) == 21
    assert "Truncated" in trace.lines[-1].message
    assert trace.run.dropped_lines >= 30
