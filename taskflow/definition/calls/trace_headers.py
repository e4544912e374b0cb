"""Trace headers: how a run is linked to the code that triggered it, for OpenTelemetry and Sentry.

Neither library is imported where the calling process has not loaded it: a trigger then pays for two look-ups.
"""

import logging
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from importlib import import_module
from typing import Any, Final, cast

from pydantic_core import to_json

from taskflow.definition.context import Context

log = logging.getLogger("taskflow.trace")
NAMES: Final = ("traceparent", "tracestate", "baggage", "sentry-trace")
"""W3C Trace Context and Baggage, and Sentry's own header."""
_PARENTS: Final = ("traceparent", "sentry-trace")
LONGEST: Final = 8192
"""Most characters of a header, which is W3C's bound of a baggage. A longer one is left out."""

_received: Final[ContextVar[Mapping[str, str] | None]] = ContextVar("taskflow_received_trace", default=None)


def receive_trace(headers: Mapping[str, str]) -> None:
    """Give the trace headers of an HTTP request to the runs that the calling task of asyncio triggers from now on."""
    given = {name: headers[name] for name in NAMES if name in headers}
    if given:
        _received.set(given)


def trace_of_caller(context: Context | None) -> str:
    """Return the trace headers for a run that the calling code triggers, a JSON object of texts, "" for none.

    Code of a run, or of a request to the server, that has no span of its own hands on what it was given.

    Args:
        context: The context of the run that the code executes in.
    """
    otel, sentry = sys.modules.get("opentelemetry.context"), sys.modules.get("sentry_sdk")
    inherited = context.run.trace if context else _received.get()
    given: dict[str, str] = {}
    try:
        if otel is not None and otel.get_current():  # an empty context has nothing to hand on
            import_module("opentelemetry.propagate").inject(given)
        if sentry is not None and sentry.is_initialized():
            _add_sentry(given, sentry)
    except Exception:  # a propagator of the user's, or another release of theirs: a trigger never fails for its trace
        log.warning("trace.lost: the trace headers of a trigger could not be made", exc_info=True)
    if inherited and not any(name in given for name in _PARENTS):
        given = {**inherited, **given}
    return _text(given) if given else ""


def trace_of_headers(headers: Mapping[str, Any]) -> str:
    """Return the trace headers of a plain Celery message as JSON, "" for none.

    Sentry's own stand in the header ``headers`` as well.
    """
    nested: object = headers.get("headers")
    inner = cast("dict[str, object]", nested if isinstance(nested, dict) else {})
    return _text({name: headers.get(name, inner.get(name)) for name in NAMES})


def _add_sentry(given: dict[str, str], sentry: Any) -> None:
    parent, baggage = sentry.get_traceparent(), sentry.get_baggage()
    if parent:
        given["sentry-trace"] = parent
    if baggage:
        given["baggage"] = ",".join(filter(None, (given.get("baggage"), baggage)))


def _text(given: Mapping[str, object]) -> str:
    kept = {name: value for name in NAMES if _is_header(value := given.get(name))}
    return to_json(kept).decode() if kept else ""


def _is_header(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST and value.isascii() and value.isprintable()
