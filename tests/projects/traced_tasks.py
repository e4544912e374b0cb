"""Tasks in a worker that OpenTelemetry or Sentry watches, as ``TRACED_BY`` says: each span goes to the ledger."""

import os
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from taskflow import Context, Retry, task
from tests.projects.fleet_tasks import write

BAGGAGE = "shop=17"


def watch_with_otel() -> None:
    """Watch Celery as OpenTelemetry's page says."""
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

    class ToLedger(SpanExporter):
        """Write the name, trace and parent of each span."""

        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            for span in spans:
                assert span.context
                parent = f"{span.parent.span_id:016x}" if span.parent else "-"
                write("span", span.name, f"{span.context.trace_id:032x}", parent)
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(ToLedger()))
    instrumentation: Any = import_module("opentelemetry.instrumentation.celery")  # it has no types
    instrumentation.CeleryInstrumentor().instrument(tracer_provider=provider)


def watch_with_sentry() -> None:
    """Watch Celery with Sentry's defaults."""
    import sentry_sdk
    from sentry_sdk.envelope import Envelope
    from sentry_sdk.transport import Transport

    class ToLedger(Transport):
        """Write the task and trace of each transaction."""

        def capture_envelope(self, envelope: Envelope) -> None:
            for item in envelope.items:
                event: Any = item.payload.json
                if event and event.get("type") == "transaction":
                    write("span", event["transaction"], event["contexts"]["trace"]["trace_id"], "-")

    sentry_sdk.init(dsn="http://key@127.0.0.1:1/1", traces_sample_rate=1.0, transport=ToLedger)


if os.environ.get("TRACED_BY") == "otel":
    watch_with_otel()
elif os.environ.get("TRACED_BY") == "sentry":
    watch_with_sentry()


@task(id="tr-leaf")
def leaf(ctx: Context) -> dict[str, str]:
    """Return the trace headers of the run."""
    return dict(ctx.run.trace)


@task(id="tr-aleaf")
async def aleaf(ctx: Context) -> dict[str, str]:
    """Return the trace headers of the run, as a coroutine."""
    return dict(ctx.run.trace)


@task(id="tr-twice", retry=Retry(max_attempts=2, min_delay=0.05, max_delay=0.05))
def twice(ctx: Context) -> dict[str, str]:
    """Fail once."""
    if ctx.attempt.number == 1:
        raise LookupError("again")
    return dict(ctx.run.trace)


@task(id="tr-parent")
def parent(ctx: Context) -> dict[str, str]:
    """Return the trace headers of a child's run."""
    return leaf.trigger_and_wait(None).unwrap()


@task(id="tr-aparent")
async def aparent(ctx: Context) -> dict[str, str]:
    """Return the trace headers of a child's run, as a coroutine."""
    return (await aleaf.atrigger_and_wait(None)).unwrap()
