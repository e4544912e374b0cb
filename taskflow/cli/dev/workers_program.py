"""The workers of ``taskflow dev`` with one state of the code: imports it, reports, and supervises the nodes."""

import os
import sys

from taskflow.app import TaskFlow
from taskflow.cli.application import app_module, load
from taskflow.dev.messages import Loaded, Note, Refused, send
from taskflow.dev.orders import WorkersOrder, read_order
from taskflow.errors import TaskflowError
from taskflow.worker.attempt.runtime import runtime_of
from taskflow.worker.celery_options import WorkerOptionError, check_settings
from taskflow.worker.launch.first_contact import wait_for_store
from taskflow.worker.launch.plan import Demand, Plan, WorkerOptions, plan_nodes
from taskflow.worker.launch.supervisor import LAST_STEPS, supervise
from taskflow.worker.node.host import this_host
from taskflow.worker.usable_tasks import UsableTasks


def main() -> None:
    """Serve until a signal. Exit with 1 when the code can't be served."""
    order = WorkersOrder.model_validate_json(read_order())
    sys.path.insert(0, os.getcwd())
    try:
        flow, plan = _planned(order)
    except (TaskflowError, WorkerOptionError) as error:
        send(Refused(why=str(error)))
        sys.exit(1)
    patience = flow.settings.shutdown_grace.total_seconds() + LAST_STEPS
    sys.exit(
        supervise(
            plan.nodes,
            show=_note,
            stop_after=patience,
            program="taskflow.worker.launch.reporting_node_program",
            announces=False,
        )
    )


def _planned(order: WorkersOrder) -> tuple[TaskFlow, Plan]:
    flow = load(order.app)
    check_settings(flow.celery)
    options = WorkerOptions(
        app=app_module(order.app),
        environment=flow.settings.environment,
        machines=order.machines,
        concurrency=order.concurrency,
        async_concurrency=flow.settings.async_concurrency,
        loglevel=order.loglevel,
    )
    plan = plan_nodes([Demand.of(task) for task in flow.registry], this_host(), options, flow.presets)
    wait_for_store(flow.store, _note)
    faults = UsableTasks(flow.registry).faults().items()
    send(
        Loaded(
            environment=flow.settings.environment,
            store_url=flow.store_url,
            shards=flow.settings.shards,
            home=str(flow.settings.home),
            is_embedded=flow.settings.redis_url is None,
            version=runtime_of(flow.celery).version(),
            tasks=sorted(task.id for task in flow.registry),
            nodes=[f"{node.machine.name}.{node.executor}" for node in plan.nodes],
            warnings=[*plan.warnings, *(f"Task {task_id!r} is not served: {why}" for task_id, why in faults)],
        )
    )
    return flow, plan


def _note(text: str) -> None:
    send(Note(text=text))


if __name__ == "__main__":
    main()
