"""Trace headers go from a trigger to its run, to each attempt, and on to the runs that these trigger."""

from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk
from opentelemetry import baggage, context, trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from taskflow import Queue, RunHandle
from tests.conftest import StartFleet
from tests.projects import traced_tasks as tasks
from tests.support.api import Api
from tests.support.fleet import TASKS, Fleet
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until

ALL = f"{TASKS},tests.projects.traced_tasks"
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HEADERS = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "vendor=1", "baggage": tasks.BAGGAGE}


class Nowhere(Transport):
    """A transport that sends nothing."""

    def capture_envelope(self, envelope: Envelope) -> None: ...


@pytest.fixture
def store_fleet(start_fleet: StartFleet, valkey: RedisServer) -> Fleet:
    return start_fleet(valkey.url)


@pytest.fixture
def in_span() -> Iterator[None]:
    """Let the test's code execute in a span, with baggage."""
    parent = SpanContext(
        int(TRACE, 16),
        int(SPAN, 16),
        is_remote=False,
        trace_flags=TraceFlags(1),
        trace_state=TraceState([("vendor", "1")]),
    )
    around = baggage.set_baggage("shop", "17", trace.set_span_in_context(NonRecordingSpan(parent)))
    token = context.attach(around)
    yield
    context.detach(token)


@pytest.fixture
def sentry() -> Iterator[None]:
    """Set Sentry up in this process, without the patches that it would make."""
    sentry_sdk.init(
        dsn="http://key@127.0.0.1:1/1",
        traces_sample_rate=1.0,
        transport=Nowhere,
        default_integrations=False,
        auto_enabling_integrations=False,
    )
    yield
    sentry_sdk.get_global_scope().set_client(None)


def spans_of(fleet: Fleet) -> list[list[str]]:
    """Return name, trace and parent of the spans that workers have written."""
    return [line[1:] for line in fleet.ledger() if line[0] == "span"]


@pytest.mark.usefixtures("in_span")
@pytest.mark.parametrize("executor, parent", [("process", tasks.parent), ("async", tasks.aparent)])
def test_a_run_and_the_runs_that_it_triggers_have_the_trace_headers_of_the_caller(
    fleet: Fleet, executor: str, parent: Any
) -> None:
    """A worker that nobody watches hands them on, over the store's broker and over RabbitMQ."""
    fleet.start_node(executor=executor, TASKFLOW_TASKS=ALL)
    assert parent.trigger(None).result(timeout=20) == HEADERS


@pytest.mark.usefixtures("in_span")
def test_opentelemetry_sees_each_attempt_as_a_child_of_the_span_that_triggered_it(fleet: Fleet) -> None:
    """Its integration reads the headers of the ticket, before the run is claimed."""
    fleet.start_node(TASKFLOW_TASKS=ALL, TRACED_BY="otel")
    limited = Queue("tr-limited", concurrency_limit=1)  # its tickets are written when a slot is free
    given = tasks.twice.trigger(None, queue=limited).result(timeout=20)
    assert given["traceparent"] == HEADERS["traceparent"]
    wait_until(lambda: len(spans_of(fleet)) >= 2, "the spans of both attempts")
    assert spans_of(fleet) == [["run/tr-twice", TRACE, SPAN]] * 2


@pytest.mark.usefixtures("in_span")
def test_a_watched_run_is_the_parent_of_the_runs_that_it_triggers(store_fleet: Fleet) -> None:
    """The span of the attempt goes to the child, not that of the first caller."""
    store_fleet.start_node(TASKFLOW_TASKS=ALL, TRACED_BY="otel")
    given = tasks.parent.trigger(None).result(timeout=20)
    assert given["traceparent"].split("-")[1] == TRACE
    assert given["traceparent"] != HEADERS["traceparent"]
    wait_until(lambda: len(spans_of(store_fleet)) == 2, "the spans of both runs")
    assert {trace_id for _, trace_id, _ in spans_of(store_fleet)} == {TRACE}


@pytest.mark.usefixtures("in_span")
def test_opentelemetry_sees_coroutines_in_the_trace_of_their_caller(store_fleet: Fleet) -> None:
    """A coroutine's request has the headers of its ticket."""
    store_fleet.start_node(executor="async", TASKFLOW_TASKS=ALL, TRACED_BY="otel")
    assert tasks.aleaf.trigger(None).result(timeout=20) == HEADERS
    wait_until(lambda: len(spans_of(store_fleet)) == 1, "the span")
    assert spans_of(store_fleet) == [["run/tr-aleaf", TRACE, SPAN]]


@pytest.mark.usefixtures("sentry")
def test_sentry_sees_a_run_in_the_trace_of_its_caller(store_fleet: Fleet) -> None:
    """Its integration reads the header ``headers``."""
    store_fleet.start_node(TASKFLOW_TASKS=ALL, TRACED_BY="sentry")
    with sentry_sdk.start_transaction(name="checkout") as checkout:
        given = tasks.leaf.trigger(None).result(timeout=20)
    assert given["sentry-trace"].startswith(checkout.trace_id)
    assert f"sentry-trace_id={checkout.trace_id}" in given["baggage"]
    wait_until(lambda: len(spans_of(store_fleet)) == 1, "the transaction")
    assert spans_of(store_fleet) == [["tr-leaf", checkout.trace_id, "-"]]


def test_a_plain_message_hands_its_trace_headers_to_its_run(fleet: Fleet) -> None:
    """A producer that OpenTelemetry watches has put them into the message."""
    fleet.start_node(TASKFLOW_TASKS=ALL, TRACED_BY="otel")
    queue = f"{fleet.environment}.small-1x.process"
    sent = fleet.flow.celery.send_task("tr-leaf", queue=queue, headers={**HEADERS, "baggage": "b" * 9000})
    kept = {name: HEADERS[name] for name in ("traceparent", "tracestate")}
    assert fleet.flow.celery.AsyncResult(sent.id).get(timeout=20) == kept  # a header that is too long is left out
    wait_until(lambda: len(spans_of(fleet)) == 1, "the span")
    assert spans_of(fleet) == [["run/tr-leaf", TRACE, SPAN]]


def test_code_without_a_trace_leaves_none(store_fleet: Fleet) -> None:
    """The libraries are loaded here, but there is no span."""
    store_fleet.start_node(TASKFLOW_TASKS=ALL)
    assert tasks.leaf.trigger(None).result(timeout=20) == {}


async def test_a_request_to_the_server_hands_its_trace_headers_to_its_run(store_fleet: Fleet) -> None:
    """A caller in any language sends them with its HTTP requests."""
    store_fleet.start_node(TASKFLOW_TASKS=ALL)
    async with Api(store_fleet.flow).client(**HEADERS) as client:
        made = await client.post("/api/v1/tasks/tr-leaf/trigger", json={})
    assert made.status_code == 200
    handle: RunHandle[dict[str, str]] = RunHandle(made.json()["id"])
    assert await handle.aresult(timeout=20) == HEADERS
