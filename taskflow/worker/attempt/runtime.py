"""The collaborators of a node's code in one object, which ``app.py`` hangs on the Celery app."""

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from taskflow.broker.canvas import Canvas
from taskflow.definition.calls.trigger_options import TriggerOptions
from taskflow.definition.context import DeploymentInfo, EnvironmentInfo, MachineInfo, TaskInfo
from taskflow.definition.machine import MachineSpec
from taskflow.definition.registry import Registry
from taskflow.execution.reporting.reports import Reports
from taskflow.models import RunError, RunStatus
from taskflow.objects.large_values import LargeValues
from taskflow.settings import Settings
from taskflow.store.async_store import AsyncStore
from taskflow.store.operations.version_names import code_name
from taskflow.store.sync_store import Store
from taskflow.worker.attempt.parking import ParkingLine
from taskflow.worker.attempt.relay import Relay
from taskflow.worker.attempt.reporting import OrphanSender, make_reports
from taskflow.worker.repeating_thread import RepeatingThread
from taskflow.worker.usable_tasks import UsableTasks

ATTRIBUTE = "taskflow_runtime"
Surroundings = tuple[TaskInfo, MachineInfo, EnvironmentInfo, DeploymentInfo]
"""The part of a context that is the same for all runs of a task on a machine."""


@dataclass(frozen=True, slots=True)
class Adoption:
    """The run to make of a message that a plain Celery producer sent, under Celery's id.

    Attributes:
        options: Its options, with ``delay`` as an instant.
        canvas: The message's callbacks, errbacks, chain and chord as JSON.
        trace: The message's trace headers as JSON.
        end: How the run ends without being executed. Its payload is then kept as it is, unchecked.
    """

    task_id: str
    run_id: str
    payload: object
    options: TriggerOptions
    canvas: str | None = None
    end: tuple[RunStatus, RunError] | None = None
    trace: str = ""


class Adopt(Protocol):
    """Makes the run of an adoption. Raises PayloadError."""

    def __call__(self, adoption: Adoption) -> None: ...


@dataclass(slots=True)
class NodeIdentity:
    """The identity under which a node claims. After a lost lease it is another one, and children are forked anew.

    Attributes:
        leased_id: The id that was registered last: behind ``id`` while the node registers anew.
    """

    name: str = "unnamed"
    id: str = field(default="")
    leased_id: str = ""
    pid: int = 0
    version: str = ""

    @property
    def is_child(self) -> bool:
        """Whether this process was forked by the node."""
        return bool(self.pid) and os.getpid() != self.pid

    def renew(self) -> str:
        """Take a new id: the node's name, its pid and eight random digits."""
        self.pid = os.getpid()
        self.id = f"{self.name}.{self.pid}.{secrets.token_hex(4)}"
        return self.id


@dataclass(slots=True)
class Runtime:
    """The node's side of the application."""

    settings: Settings
    store: Store
    large_values: LargeValues
    make_async_store: Callable[[], AsyncStore]
    registry: Registry
    presets: Mapping[str, MachineSpec]
    adopt: Adopt
    canvas: Canvas
    services: Callable[[str], Sequence[RepeatingThread]]
    declare: Callable[[], None]
    version: Callable[[], str | None]
    description: Callable[[], Mapping[str, object]]
    node: NodeIdentity = field(default_factory=NodeIdentity)
    parking: ParkingLine | None = None
    relay: Relay = field(default_factory=Relay)
    surroundings: dict[tuple[str, str, str], Surroundings] = field(
        default_factory=dict[tuple[str, str, str], Surroundings]
    )
    tasks: UsableTasks = field(init=False)
    reports: Reports = field(init=False)
    orphans: OrphanSender = field(init=False)

    def __post_init__(self) -> None:
        self.tasks = UsableTasks(self.registry)
        self.reports = make_reports(self.settings, self.store)
        self.orphans = OrphanSender(self.settings, self.store)

    def task_ids(self) -> list[str]:
        """Return the ids of the tasks that the node's code declares and can serve."""
        return [task.id for task in self.tasks.definitions()]

    def code(self) -> str:
        """Name the node's version and tasks, "" when the version is unknown."""
        return code_name(self.node.version, self.task_ids()) if self.node.version else ""


def runtime_of(app: Any) -> Runtime:
    """Return the runtime of a Celery app that ``TaskFlow`` made."""
    return cast("Runtime", getattr(app, ATTRIBUTE))
