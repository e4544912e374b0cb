"""Tools that make and change runs. They are offered to callers that may write only."""

from typing import Annotated, Any, Final

from pydantic import Field

from taskflow.definition.calls.schema_faults import schema_faults
from taskflow.definition.calls.trigger_options import TriggerOptions
from taskflow.errors import PayloadError
from taskflow.mcp_server.session import Session
from taskflow.mcp_server.tasks import known_task
from taskflow.mcp_server.tool import Arguments, Document, Tool

_FAULTS: Final = 10


class TriggerTask(Arguments):
    """A run to make."""

    task_id: str
    payload: Annotated[
        Any, Field(description="As the task's payload_schema says. null for a task that takes none.")
    ] = None
    idempotency_key: str = Field(
        "", description="Any text of your own: triggers of one task with one key make one run, so a repeat is safe."
    )
    delay: str = Field("", description="Start so much later: 30s, 5m, 1h30m.")
    tags: list[str] = Field([], max_length=10)
    test: bool = Field(False, description="Mark the run as a test.")


class RunId(Arguments):
    """A run."""

    run_id: str


async def trigger_task(session: Session, wanted: TriggerTask) -> Document:
    """Make a run. The payload is checked before anything is written."""
    task = await known_task(session, wanted.task_id)
    faults = schema_faults(task.schema, wanted.payload) if task.schema is not None else ()
    if faults:
        texts = [f"{'.'.join(path) or 'it'}: {text}" for path, text in faults[:_FAULTS]]
        raise PayloadError(task.id, f"{'; '.join(texts)}. Nothing was triggered. get_task has its payload_schema.")
    options = TriggerOptions.checked(
        idempotency_key=wanted.idempotency_key or None, delay=wanted.delay or None, tags=wanted.tags, test=wanted.test
    )
    run_id, is_cached = await session.engine.runs.atrigger(task.id, wanted.payload, options)
    return {"run_id": run_id, "is_new": not is_cached}


async def replay_run(session: Session, wanted: RunId) -> Document:
    """Make a run like another one."""
    return {"run_id": await session.engine.runs.areplay(wanted.run_id), "replay_of": wanted.run_id}


async def cancel_run(session: Session, wanted: RunId) -> Document:
    """Cancel a run."""
    is_canceled = await session.engine.runs.acancel(wanted.run_id)
    status = await session.engine.runs.astatus(wanted.run_id)
    return {"run_id": wanted.run_id, "is_canceled": is_canceled, "status": status.value}


TOOLS: Final = (
    Tool(
        "trigger_task",
        "Trigger a task",
        "Make a run of a task. The payload is checked against the task's schema first. Returns the run's id: follow it "
        "with get_run and wait_seconds.",
        TriggerTask,
        trigger_task,
        is_write=True,
        is_idempotent=False,
    ),
    Tool(
        "replay_run",
        "Replay a run",
        "Make a new run with the payload of another one. Returns the new run's id.",
        RunId,
        replay_run,
        is_write=True,
        is_idempotent=False,
    ),
    Tool(
        "cancel_run",
        "Cancel a run",
        "Cancel a run that has not ended. is_canceled is false for one that had ended already.",
        RunId,
        cancel_run,
        is_write=True,
        is_destructive=True,
    ),
)
