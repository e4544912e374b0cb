"""``taskflow doctor``: checks settings, servers and workers, and prints a remedy for each mistake."""

import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from importlib.metadata import version
from typing import Final

import typer
from rich.text import Text

from taskflow.app import TaskFlow
from taskflow.broker.broker_check import check_broker, queues_of
from taskflow.broker.urls import without_password
from taskflow.cli.application import App, load
from taskflow.cli.checks.finding import Finding
from taskflow.cli.checks.of_client import client_findings
from taskflow.cli.output import AsJson, print_json
from taskflow.cli.printing import add_row, facts_table, lines_of, show_table
from taskflow.definition.cron.zones import data_version
from taskflow.definition.importing import ModuleImportError
from taskflow.engine.feeds.lag import feed_lag
from taskflow.engine.schedules.health import schedule_health
from taskflow.errors import StoreFullError, TaskflowError
from taskflow.settings import Settings
from taskflow.settings_sources import unknown_variables
from taskflow.store.server_check import check_server
from taskflow.worker.usable_tasks import UsableTasks

_LATE: Final = timedelta(seconds=30)
"""A tick that is later means that nobody fires."""


def doctor(app: App = None, as_json: AsJson = False) -> None:
    """Check settings, store, broker, tasks and workers. Exits 1 when something is wrong."""
    findings = [_python(), *(client_findings() if app is None and _is_client() else _application(app))]
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        table = facts_table()
        for finding in findings:
            mark = Text("ok", "green") if finding.is_good else Text("wrong", "red")
            add_row(table, mark, finding.what, lines_of(finding.found))
        show_table(table)
    if not all(finding.is_good for finding in findings):
        raise typer.Exit(1)


def _python() -> Finding:
    versions = ", ".join(f"{name} {version(name)}" for name in ("celery", "kombu", "pydantic", "redis", "flower"))
    is_good = (3, 11) <= sys.version_info[:2] <= (3, 14)
    return Finding("python", is_good, f"{sys.version.split()[0]}; {versions}")


def _is_client() -> bool:
    try:
        return Settings.read(tasks=()).api_url is not None
    except TaskflowError:
        return False


def _application(app: str | None) -> list[Finding]:
    try:
        flow = load(app)
    except ModuleImportError as error:
        return [Finding("tasks", False, str(error))]
    except TaskflowError as error:
        return [Finding("settings", False, str(error))]
    checks: list[tuple[str, Callable[[TaskFlow], str]]] = [
        ("settings", lambda _: settings()),
        ("environment", lambda flow: flow.settings.environment),
        ("tasks", _tasks),
        ("store", _store),
        ("broker", _broker),
        ("workers", _workers),
        ("schedules", _schedules),
        ("webhooks", _webhooks),
        ("history", history),
        ("objects", _objects),
    ]
    return [_checked(what, look, flow) for what, look in checks]


def _checked(what: str, look: Callable[[TaskFlow], str], flow: TaskFlow) -> Finding:
    try:
        return Finding(what, True, look(flow))
    except Exception as error:  # noqa: BLE001 - any error of a server or driver is a finding, not a crash of the doctor
        return Finding(what, False, str(error))


def settings() -> str:
    """Return that every variable of ours is a setting.

    Raises:
        TaskflowError: Some are misspelt, and have no effect.
    """
    meant = {name: near for name, near in unknown_variables(Settings.model_fields).items() if near}
    if meant:
        named = ", ".join(f"{name} (did you mean {near}?)" for name, near in meant.items())
        raise TaskflowError(f"No setting, so without effect: {named}")
    return "every TASKFLOW_... name that resembles a setting is one"


def _tasks(flow: TaskFlow) -> str:
    ids = sorted(task.id for task in flow.registry)
    if not ids:
        raise TaskflowError("No task is declared. Set TASKFLOW_TASKS to the modules that declare them, for example "
                            "TASKFLOW_TASKS=workers.tasks.")  # fmt: skip
    if faults := UsableTasks(flow.registry).faults():
        named = "; ".join(f"{task_id} ({why})" for task_id, why in faults.items())
        raise TaskflowError(f"{len(ids)} are declared, and no worker can serve {len(faults)} of them: {named}")
    return f"{len(ids)}: {', '.join(ids[:8])}{', ...' if len(ids) > 8 else ''}"


def _store(flow: TaskFlow) -> str:
    info = flow.store.server_info()
    name = f"Valkey {info['valkey_version']}" if "valkey_version" in info else f"Redis {info['redis_version']}"
    return f"{name} at {without_password(flow.store_url)}; {check_server(flow.store)}{_memory(flow)}{_replicas(flow)}"


def _memory(flow: TaskFlow) -> str:
    memory = flow.store.server_info("memory")
    most, used = int(memory.get("maxmemory", "0")), int(memory.get("used_memory", "0"))
    if most and used >= most:
        raise StoreFullError()
    return f"; {used / most:.0%} of maxmemory" if most else ""


def _replicas(flow: TaskFlow) -> str:
    wanted = flow.settings.store_replicas
    if not wanted:
        return ""
    connected = sum("state=online" in value for value in flow.store.server_info("replication").values())
    if connected < wanted:
        raise TaskflowError(
            f"Replicas online: {connected}, and TASKFLOW_STORE_REPLICAS asks for {wanted}: every trigger makes its run "
            "and raises ReplicasMissingError. Look at `INFO replication` of the store, or ask for fewer."
        )
    return f"; replicas online: {connected}"


def _objects(flow: TaskFlow) -> str:
    days = list(flow.large_values.names())
    return f"{flow.large_values.scheme}, {f'since {days[0]}' if days else 'empty'}"


def _broker(flow: TaskFlow) -> str:
    queues = queues_of(flow.settings.environment, flow.registry)
    check_broker(flow.celery, queues, timeout=flow.settings.connect_timeout.total_seconds())
    address = without_password(flow.broker_url)
    return f"{address}{' (the store itself: one round trip a trigger)' if flow.is_one_server else ''}"


def _workers(flow: TaskFlow) -> str:
    workers = flow.engine.nodes.registrations().workers
    if not workers:
        raise TaskflowError("No worker is up. Start one: taskflow worker --machine all")
    if faults := {task_id: why for worker in workers for task_id, why in worker.faults.items()}:
        named = "; ".join(f"{task_id} ({why})" for task_id, why in faults.items())
        raise TaskflowError(f"Tasks that workers declare and cannot serve: {named}")
    usable = UsableTasks(flow.registry).definitions()
    if unregistered := flow.engine.nodes.unregistered(task.id for task in usable):
        raise TaskflowError(
            f"No worker has registered {', '.join(unregistered)}: their runs stay PENDING_VERSION. Start a worker with "
            "this code, or start the workers again: the store may have lost what they had registered."
        )
    return ", ".join(f"{worker.id} ({worker.version or 'no version'})" for worker in workers)


def _schedules(flow: TaskFlow) -> str:
    health = schedule_health(flow.store)
    if health.lag > _LATE:
        raise TaskflowError(
            f"A tick is {health.lag.total_seconds():.0f} s late. Any worker fires schedules: start one, or look for "
            "upkeep.failed and schedule.failed in the workers' logs."
        )
    if health.failing:
        named = "; ".join(f"{each.id} of {each.task_id}: {each.error}" for each in health.failing[:5])
        raise TaskflowError(f"{len(health.failing)} of {health.count} schedules cannot be fired: {named}")
    zones = {worker.zones for worker in flow.engine.nodes.registrations().workers if worker.zones} | {data_version()}
    if len(zones) > 1:
        raise TaskflowError(
            f"Workers and this process have different time zone data: {', '.join(sorted(zones))}. The stored next "
            "ticks count, so that nothing fires twice; install one version of the package tzdata everywhere."
        )
    return f"{health.count}, none late; time zone data {data_version()}"


def _webhooks(flow: TaskFlow) -> str:
    """Return the number of webhook tasks. Their secrets are needed where the server runs, which may be elsewhere."""
    endpoints = flow.engine.webhooks.endpoints()
    without = ", ".join(each.task for each in endpoints if not each.secrets)
    unknown = flow.settings.webhook_secrets.keys() - {each.task for each in endpoints}
    if unknown:
        raise TaskflowError(f"TASKFLOW_WEBHOOK_SECRETS names no webhook task by {', '.join(sorted(unknown))}")
    aside = f"; without a usable secret in this process, so that a server here refuses everything: {without}"
    return f"{len(endpoints)} tasks{aside if without else ''}"


def history(flow: TaskFlow) -> str:
    """Return the address of the history and the number of entries that it does not have yet.

    Raises:
        TaskflowError: The oldest of these entries is more than a minute old.
    """
    if flow.settings.database_url == "none":
        return "none, as TASKFLOW_DATABASE_URL says: runs are known until they leave the store"
    address = flow.lookup.address()
    lag = feed_lag(flow.store)
    if lag is None:
        return f"{address}; made when a worker starts"
    if lag.age > timedelta(minutes=1):
        raise TaskflowError(
            f"{address} is {lag.entries} entries behind, the oldest of {lag.age.total_seconds():.0f} s ago. Look for "
            "history.waiting in the workers' logs: is the database up?"
        )
    aside = f"; {lag.set_aside} runs could not be written: see history.set_aside in the workers' logs"
    return f"{address}; {lag.entries} entries behind{aside if lag.set_aside else ''}"
