"""Options and settings of Celery's with which no node can start, each with what does the same here."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from celery.concurrency.prefork import TaskPool
from click import ClickException

from taskflow.errors import TaskflowError
from taskflow.worker.children.run_task import RunTask
from taskflow.worker.coroutines.pool import AsyncPool

_POOLS: Final = (
    "prefork",
    "processes",
    "custom",
    "celery.concurrency.prefork:TaskPool",
    "taskflow.worker.coroutines.pool:AsyncPool",
)
_LIMITS: Final = {"time_limit": "--time-limit", "soft_time_limit": "--soft-time-limit"}


class WorkerOptionError(TaskflowError, ClickException):
    """A node was started with an option or setting of Celery's that it can't obey. Celery's command exits with 2."""

    exit_code = 2

    def __init__(self, text: str) -> None:
        super().__init__(text)


def check_worker(worker: Any) -> None:
    """Check the options of a Celery worker that is about to become a node.

    Raises:
        WorkerOptionError: One of them is not possible.
    """
    if not issubclass(worker.pool_cls, TaskPool | AsyncPool):
        raise WorkerOptionError(about_pool(_pool_name(worker.pool_cls)))
    if worker.autoscale:
        raise WorkerOptionError(about_autoscale(worker.autoscale))
    if worker.pool_start_method != "fork":
        raise WorkerOptionError(
            f"--pool-start-method {worker.pool_start_method} is not possible: the children of a node are forked, so "
            "that they have its tasks and its lease. Leave the option out."
        )
    if worker.app.conf.task_always_eager:
        raise WorkerOptionError("task_always_eager is set, with which no worker gets a message. Set it in tests only.")
    check_limits({name: getattr(worker, name) for name in _LIMITS})
    _check_tasks(worker.app.tasks.values())


def check_settings(app: Any) -> None:
    """Check the settings of a Celery app before any node is started with them.

    Raises:
        WorkerOptionError: One of them is not possible.
    """
    if app.conf.worker_pool not in _POOLS:
        raise WorkerOptionError(about_pool(str(app.conf.worker_pool)))
    check_limits({name: app.conf[f"task_{name}"] for name in _LIMITS})
    _check_tasks(app.tasks.values())


def check_limits(limits: Mapping[str, float | None]) -> None:
    """Check Celery's time limits of a whole worker.

    Raises:
        WorkerOptionError: One is set.
    """
    for name, option in _LIMITS.items():
        if seconds := limits.get(name):
            raise WorkerOptionError(about_limit(f"{option} {seconds:g} (task_{name})", seconds))


def about_pool(name: str) -> str:
    """Say what to use instead of a pool of Celery's."""
    return (
        f"Pool {name!r} (-P, worker_pool) is not possible: a node has one of two pools, child processes (prefork) for "
        "`def` tasks and an event loop for `async def` tasks. Start nodes with `taskflow worker`, which chooses; for "
        "many runs at a time that wait for I/O, declare their tasks with `async def`."
    )


def about_autoscale(bounds: Sequence[int] | str) -> str:
    """Say what to use instead of Celery's autoscaling."""
    shown = bounds if isinstance(bounds, str) else ",".join(map(str, bounds))
    return (
        f"--autoscale {shown} is not possible: limits and dispatch count on the fixed concurrency of a node. Use "
        f"--concurrency {shown.partition(',')[0]}; a node starts further children by itself while runs wait."
    )


def about_limit(given: str, seconds: float | None) -> str:
    """Say what to use instead of a time limit of Celery's, which kills a process whose run then starts again."""
    return (
        f"{given} is not possible for runs: it would kill the process, and the run would start again. Declare the task "
        f"with @task(max_duration={seconds or 60:g}), or trigger with max_duration: the run is then TIMED_OUT. A plain "
        "Celery task has its own: @app.task(time_limit=...)."
    )


def _check_tasks(tasks: Iterable[Any]) -> None:
    """Refuse limits that ``task_annotations`` or code has set on tasks whose runs they would restart."""
    for task in tasks:
        if isinstance(task, RunTask):
            for name in _LIMITS:
                if seconds := getattr(task, name):
                    raise WorkerOptionError(about_limit(f"{name}={seconds:g} of task {task.name}", seconds))


def _pool_name(pool: type) -> str:
    module = pool.__module__
    return (
        {"thread": "threads"}.get(name := module.rpartition(".")[2], name)
        if module.startswith("celery.")
        else repr(pool)
    )
