"""Runs and traces as pages may show them: without the values at the paths of TASKFLOW_REDACT.

Texts that may repeat such a value are cleared of it: errors, tracebacks, log lines, spans, tags, keys.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from taskflow.definition.calls import shown_runs as without_hidden
from taskflow.definition.documents.secret_texts import NO_SECRETS, Secrets
from taskflow.engine.engine import Engine
from taskflow.engine.trace.documents import NAMES
from taskflow.engine.trace.rows import Trace, TraceLine, TraceRow, TraceSpan
from taskflow.errors import TaskflowError
from taskflow.models import Run
from taskflow.objects.large_values import is_resolved
from taskflow.server.dashboard.view.reader import READER


async def shown_runs(engine: Engine, runs: Sequence[Run]) -> list[Run]:
    """Return runs of a list as they may be shown. Documents that records of lists lack are read."""
    if not READER.get().hiding:
        return list(runs)
    return list(await asyncio.gather(*(shown_run(engine, run) for run in runs)))


async def shown_run(engine: Engine, run: Run) -> Run:
    """Return a run as it may be shown."""
    if not READER.get().hiding:
        return run
    return await asyncio.to_thread(_shown, run, await secrets_of(engine, run))


async def secrets_of(engine: Engine, run: Run) -> Secrets:
    """Return the hidden values of a run. If its documents can't be read, everything is hidden."""
    hiding = READER.get().hiding
    if not hiding:
        return NO_SECRETS
    if run.payload is not None and is_resolved(run):
        return await asyncio.to_thread(hiding.secrets, (run.payload, run.output, run.metadata))
    return await stored_secrets(engine, run.id)


async def stored_secrets(engine: Engine, run_id: str) -> Secrets:
    """Return the hidden values of a run by its stored documents."""
    hiding = READER.get().hiding
    if not hiding:
        return NO_SECRETS
    try:
        texts = await asyncio.gather(*(engine.documents.aload(run_id, name) for name in NAMES))
    except TaskflowError:
        return Secrets(is_everything=True)
    return await asyncio.to_thread(hiding.secrets, [text for text in texts if text is not None])


async def shown_trace(engine: Engine, trace: Trace) -> Trace:
    """Return a run's trace as it may be shown."""
    if not READER.get().hiding:
        return trace
    return await asyncio.to_thread(_shown_trace, trace, await secrets_of(engine, trace.run))


def _shown_trace(trace: Trace, secrets: Secrets) -> Trace:
    few = secrets.within(text for row in trace.rows for text in _texts(row.item))
    rows = tuple(TraceRow(_item(row.item, few), row.depth, row.has_children) for row in trace.rows)
    return replace(trace, run=_shown(trace.run, secrets), rows=rows)


def shown_fields(fields: Mapping[str, object], secrets: Secrets) -> dict[str, object]:
    """Return fields of a span or log line without hidden values."""
    return without_hidden.shown_fields(fields, READER.get().hiding, secrets)


def _shown(run: Run, secrets: Secrets) -> Run:
    return without_hidden.shown_run(run, READER.get().hiding, secrets)


def _texts(item: TraceSpan | TraceLine) -> tuple[str, ...]:
    """Return the texts of a row: those that ``_item`` clears."""
    if isinstance(item, TraceLine):
        return item.line.message, *_words(item.line.fields)
    return item.name, item.note, item.error or "", *_words(item.fields)


def _words(fields: Mapping[str, object]) -> Iterator[str]:
    for name, value in fields.items():
        yield name
        yield str(value)


def _item(item: TraceSpan | TraceLine, secrets: Secrets) -> TraceSpan | TraceLine:
    if isinstance(item, TraceLine):
        return TraceLine(without_hidden.shown_line(item.line, READER.get().hiding, secrets), item.parent)
    return replace(
        item,
        name=secrets.scrub(item.name),
        note=secrets.scrub(item.note),
        error=item.error and secrets.scrub(item.error),
        fields=shown_fields(item.fields, secrets) if item.fields else item.fields,
    )
