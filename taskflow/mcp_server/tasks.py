"""Tools about tasks."""

import json
from typing import Annotated, Any, Final

from pydantic import Field

from taskflow.definition.calls.known_task import KnownTask
from taskflow.errors import TaskNotFoundError
from taskflow.mcp_server.bounds import page_of
from taskflow.mcp_server.documents import document_of, filled, short
from taskflow.mcp_server.session import Session
from taskflow.mcp_server.tool import Arguments, Document, Tool
from taskflow.suggestions import did_you_mean

_LARGEST_SCHEMA: Final = 1_500
_DESCRIPTION: Final = 300
Offset = Annotated[int, Field(ge=0, description="Left out at the beginning: `next_offset` of the page before.")]


class ListTasks(Arguments):
    """A page of tasks."""

    search: str = Field("", description="Only tasks with this text in their id or description.")
    offset: Offset = 0
    limit: int = Field(50, ge=1, le=100)


class GetTask(Arguments):
    """One task."""

    task_id: str


async def list_tasks(session: Session, wanted: ListTasks) -> Document:
    """Return a page of the tasks."""
    word = wanted.search.lower()
    found = [
        task
        for task in await session.engine.tasks.alist()
        if word in task.id.lower() or word in task.description.lower()
    ]
    return page_of("tasks", [_short(task) for task in found], wanted.offset, wanted.limit)


async def get_task(session: Session, wanted: GetTask) -> Document:
    """Return one task."""
    return _whole(await known_task(session, wanted.task_id))


async def known_task(session: Session, task_id: str) -> KnownTask:
    """Return a task that a worker has registered, or that this process declares.

    Raises:
        TaskNotFoundError: There is none of that id.
    """
    task = await session.engine.tasks.aretrieve(task_id)
    if task is None:
        ids = [each.id for each in await session.engine.tasks.alist()]
        hint = did_you_mean(task_id, ids[:50], "tasks")
        raise TaskNotFoundError(short(task_id), f"Nor has a worker registered it. {hint} list_tasks has them all.")
    return task


def _short(task: KnownTask) -> dict[str, Any]:
    whole = _whole(task)
    schema = whole.pop("payload_schema", None)
    is_small = len(json.dumps(schema)) <= _LARGEST_SCHEMA
    shown = filled({**whole, "description": short(task.description, _DESCRIPTION)})
    return shown | {"payload_schema": schema if is_small else "large: get_task has it"}


def _whole(task: KnownTask) -> dict[str, Any]:
    fields = document_of(task)
    fields.pop("schema", None)
    return {
        **fields,
        "payload_schema": dict(task.schema) if task.schema is not None else "not known: any JSON",
    }


TOOLS: Final = (
    Tool(
        "list_tasks",
        "List tasks",
        "List the tasks of this taskflow environment: id, description, queue, machine and executor (class_name), "
        "attempts, and the JSON Schema of the payload. is_registered is false for a task that no worker has declared.",
        ListTasks,
        list_tasks,
    ),
    Tool("get_task", "Get a task", "Get one task with the whole JSON Schema of its payload.", GetTask, get_task),
)
