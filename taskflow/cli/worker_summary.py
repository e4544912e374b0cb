"""The summary that ``taskflow worker`` prints at its start: where it works, what it serves, and how to stop it."""

from collections.abc import Iterator
from importlib.metadata import version
from typing import Final

from taskflow.app import TaskFlow
from taskflow.broker.urls import without_password
from taskflow.cli.printing import add_row, facts_table, lines_of, show, show_table
from taskflow.errors import TaskflowError
from taskflow.worker.attempt.runtime import runtime_of
from taskflow.worker.launch.plan import NodePlan, Plan

_SHOWN: Final = 8


def show_summary(flow: TaskFlow, plan: Plan) -> None:
    """Print the summary."""
    code = runtime_of(flow.celery).version()
    show(
        f"taskflow {version('celery-taskflow')}, environment {flow.settings.environment}, {_version(code)}",
        style="bold",
    )
    table = facts_table()
    for name, value in _facts(flow, plan):
        add_row(table, f"  {name}", lines_of(value))
    show_table(table)


def _version(code: str | None) -> str:
    return f"code version {code}" if code else "code version unknown (set TASKFLOW_VERSION)"


def _facts(flow: TaskFlow, plan: Plan) -> Iterator[tuple[str, str]]:
    settings = flow.settings
    is_embedded = settings.redis_url is None
    yield "store", f"{without_password(flow.store_url)}{' (embedded)' if is_embedded else ''}"
    yield "broker", "the store itself" if flow.is_one_server else without_password(flow.broker_url)
    yield "history", _history(flow)
    yield "nodes", "\n".join(map(_node, plan.nodes))
    ids = sorted(task.id for task in flow.registry)
    yield "tasks", f"{len(ids)}: {', '.join(ids[:_SHOWN])}{', ...' if len(ids) > _SHOWN else ''}"
    queues = sorted({task.queue_name for task in flow.registry if not task.queue_name.startswith("task/")})
    if queues:
        yield "queues", f"{len(queues)}: {', '.join(queues[:_SHOWN])}{', ...' if len(queues) > _SHOWN else ''}"
    grace = f"{settings.shutdown_grace.total_seconds():g} s"
    yield "stop", f"Ctrl-C: no new runs, and {grace} for those that execute. Ctrl-C again: at once."


def _node(node: NodePlan) -> str:
    how = "each in a process" if node.executor == "process" else "in one event loop"
    only = f", only queue {node.queue}" if node.queue else ""
    return f"{node.machine.name}.{node.executor}: {node.concurrency:,} runs at a time, {how}{only}"


def _history(flow: TaskFlow) -> str:
    if flow.settings.database_url == "none":
        return "none, as TASKFLOW_DATABASE_URL says"
    try:
        return flow.lookup.address()
    except TaskflowError as error:
        return str(error)
