"""``taskflow worker``: plans and supervises the Celery nodes of this host."""

from contextlib import suppress
from typing import Annotated

import typer
from rich.text import Text

from taskflow.broker.broker_check import AWAY, check_broker, queues_of
from taskflow.cli.application import App, app_module, load
from taskflow.cli.printing import show as print_text
from taskflow.cli.printing import show_error
from taskflow.cli.worker_summary import show_summary
from taskflow.worker.celery_options import (
    WorkerOptionError,
    about_autoscale,
    about_pool,
    check_limits,
    check_settings,
)
from taskflow.worker.launch.first_contact import wait_for_store
from taskflow.worker.launch.plan import Demand, WorkerOptions, plan_nodes, shown
from taskflow.worker.launch.supervisor import LAST_STEPS, supervise
from taskflow.worker.node.host import this_host
from taskflow.worker.usable_tasks import UsableTasks


def worker(
    app: App = None,
    machine: Annotated[
        list[str] | None, typer.Option(help="Machine class to serve; may repeat. `all`: those that tasks use.")
    ] = None,
    queue: Annotated[
        list[str] | None, typer.Option(help="Give this limited queue a node of its own; may repeat.")
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option(min=1, help="Runs at a time in each shared node. Default: what fits this host.")
    ] = None,
    loglevel: Annotated[str, typer.Option(help="Log level of the nodes.")] = "INFO",
    show: Annotated[bool, typer.Option("--show", help="Print the celery commands and exit.")] = False,
    pool: Annotated[str | None, typer.Option("-P", "--pool", hidden=True)] = None,
    time_limit: Annotated[float | None, typer.Option(hidden=True)] = None,
    soft_time_limit: Annotated[float | None, typer.Option(hidden=True)] = None,
    autoscale: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run workers: one Celery node for each machine class and executor. Ctrl-C drains, a second one stops at once."""
    try:
        _check_celery_options(pool, autoscale, {"time_limit": time_limit, "soft_time_limit": soft_time_limit})
        flow = load(app)
        check_settings(flow.celery)
    except WorkerOptionError as error:
        show_error(str(error))
        raise typer.Exit(WorkerOptionError.exit_code) from None
    options = WorkerOptions(
        app=app_module(app),
        environment=flow.settings.environment,
        machines=machine or (),
        queues=queue or (),
        concurrency=concurrency,
        async_concurrency=flow.settings.async_concurrency,
        loglevel=loglevel,
    )
    demands = [Demand.of(task) for task in flow.registry]
    plan = plan_nodes(demands, this_host(), options, flow.presets)
    if show:
        for node in plan.nodes:
            print_text(shown(node))
        return
    for warning in plan.warnings:
        print_text(Text("Warning:", "yellow"), warning)
    for task_id, why in UsableTasks(flow.registry).faults().items():
        print_text(Text("Warning:", "yellow"), f"Task {task_id!r} is not served: {why}")
    wait_for_store(flow.store)
    with suppress(*AWAY):  # the nodes wait for a broker that does not answer
        queues = queues_of(flow.settings.environment, flow.registry)
        check_broker(flow.celery, queues, timeout=flow.settings.connect_timeout.total_seconds())
    show_summary(flow, plan)
    code = supervise(plan.nodes, stop_after=flow.settings.shutdown_grace.total_seconds() + LAST_STEPS)
    if code:
        raise typer.Exit(code)


def _check_celery_options(pool: str | None, autoscale: str | None, limits: dict[str, float | None]) -> None:
    """Refuse options of ``celery worker`` that people know, with what to use instead."""
    if pool is not None:
        raise WorkerOptionError(about_pool(pool))
    if autoscale is not None:
        raise WorkerOptionError(about_autoscale(autoscale))
    check_limits(limits)
