"""Runs as the admin may show them: without what TASKFLOW_REDACT hides, as in the dashboard."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from taskflow import Run, Settings
from taskflow.definition.documents.hiding import Hiding
from taskflow.definition.documents.secret_texts import shown_error


def shown(run: Run) -> Run:
    """Return a run without hidden values, and without texts that repeat them."""
    hiding = Hiding.of(Settings.read().redact)
    if not hiding:
        return run
    secrets = hiding.secrets((run.payload, run.output, run.metadata))
    metadata: Any = hiding.value(run.metadata)
    return replace(
        run,
        payload=hiding.value(run.payload),
        output=hiding.value(run.output),
        metadata=cast("Mapping[str, object]", metadata if isinstance(metadata, Mapping) else {}),
        error=shown_error(run.error, secrets),
        attempts=tuple(replace(each, error=shown_error(each.error, secrets)) for each in run.attempts),
        tags=tuple(map(secrets.scrub, run.tags)),
        reason=run.reason and replace(run.reason, text=secrets.scrub(run.reason.text)),
    )


def shown_list(runs: Sequence[Run]) -> list[Run]:
    """Return runs of a list. Their documents are not at hand: where something is hidden, tags are left out."""
    return [replace(run, tags=()) for run in runs] if Settings.read().redact else list(runs)
