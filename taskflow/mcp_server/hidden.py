"""Runs and log lines as tools may show them: without the values of TASKFLOW_REDACT, as on the dashboard's pages."""

import asyncio
from collections.abc import Sequence

from taskflow.definition.calls.shown_runs import shown_run
from taskflow.definition.documents.secret_texts import NO_SECRETS, Secrets
from taskflow.mcp_server.session import Session
from taskflow.models import Run


async def read_run(session: Session, run_id: str) -> Run:
    """Return a run as it may be shown."""
    run = await session.engine.runs.aretrieve(run_id)
    return await asyncio.to_thread(_shown, session, run) if session.hiding else run


async def shown_runs(session: Session, runs: Sequence[Run]) -> Sequence[Run]:
    """Return runs of a list as they may be shown. Their documents are read, because their errors may repeat values."""
    if not session.hiding:
        return runs
    return await asyncio.gather(*(read_run(session, run.id) for run in runs))


async def secrets_of(session: Session, run_id: str) -> Secrets:
    """Return the hidden values of a run.

    Raises:
        RunNotFoundError: No such run.
    """
    if not session.hiding:
        return NO_SECRETS
    run = await session.engine.runs.aretrieve(run_id)
    return await asyncio.to_thread(session.hiding.secrets, (run.payload, run.output, run.metadata))


def _shown(session: Session, run: Run) -> Run:
    return shown_run(run, session.hiding, session.hiding.secrets((run.payload, run.output, run.metadata)))
