"""The declaration of a task."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

from taskflow.definition.context import Context
from taskflow.definition.documents.payload import OutputType, PayloadType
from taskflow.definition.hook_sets import HookPlan, HookSet
from taskflow.definition.machine import MachineSpec
from taskflow.definition.parameters.parameters import Parameters
from taskflow.definition.queue import Queue
from taskflow.definition.retry import Retry
from taskflow.errors import DefinitionError

if TYPE_CHECKING:  # most programs declare neither schedules nor webhooks, and do not import them
    from taskflow.definition.scheduling.options import ScheduleOptions
    from taskflow.definition.webhooks.declaration import WebhookDeclaration

Executor = Literal["process", "async"]
_ID: Final = re.compile(r"[A-Za-z0-9_.:/-]{1,128}")


@dataclass(frozen=True, slots=True)
class TaskDefinition:
    """The declaration of a task.

    Attributes:
        id: Unique in the project; also the name of its Celery task.
        function: The user's own function.
        queue: The declared queue; see ``queue_name``.
        machine: The preset that its runs execute on.
        payload: None when the function takes none.
        parameters: Those of a function that has several. Its payload is an object of their names.
        wants: Which of ``ctx``, ``init`` and ``signal`` the function takes, by name.
        source_file: The file of its function; ``source_line`` is the line there.
        durable: Whether its runs keep a journal.
        suspend_after: How long its runs wait in memory; None: the setting.
        schedule: The schedule that it declares.
        webhook: The source of its deliveries, if it is a webhook task.
    """

    id: str
    function: Callable[..., object]
    description: str
    retry: Retry
    queue: Queue
    machine: MachineSpec
    executor: Executor
    payload: PayloadType | None
    output: OutputType
    wants: tuple[str, ...]
    is_async: bool
    tags: tuple[str, ...]
    ttl: timedelta | None
    max_duration: timedelta | None
    module: str
    qualname: str
    source_file: str
    source_line: int
    hooks: HookSet = field(compare=False)
    durable: bool = False
    suspend_after: timedelta | None = None
    schedule: "ScheduleOptions | None" = None
    webhook: "WebhookDeclaration | None" = field(default=None, compare=False)
    parameters: Parameters | None = field(default=None, compare=False)

    @property
    def queue_name(self) -> str:
        """The queue of its runs, unless a trigger names another one."""
        return self.queue.name or f"task/{self.id}"

    @property
    def class_name(self) -> str:
        """The class of workers that take its runs: ``<machine>.<executor>``."""
        return f"{self.machine.name}.{self.executor}"

    @property
    def location(self) -> str:
        """The function's name and place, e.g. ``render_invoice (shop/tasks.py:12)``."""
        return f"{self.qualname} ({self.source_file}:{self.source_line})"

    def invoke(self, payload: object, ctx: Context) -> object:
        """Call the function with its arguments. Returns its value, or its coroutine when it is ``async def``."""
        if self.parameters is not None:
            return self.parameters.call(self.function, payload, ctx)
        given = {name: ctx if name == "ctx" else getattr(ctx, name) for name in self.wants}
        return self.function(**given) if self.payload is None else self.function(payload, **given)

    def bind(self, args: Sequence[object], kwargs: Mapping[str, object]) -> Mapping[str, object]:
        """Return the payload that the arguments of a call make, for a task with several parameters.

        Raises:
            PayloadError: They do not fit.
        """
        if self.parameters is None or self.payload is None:
            raise TypeError(f"Task {self.id!r} takes one payload")  # callers look first
        bound = self.parameters.bind(args, kwargs)
        self.payload.dump(bound)
        return bound

    def plan(self) -> HookPlan:
        """Return the hooks of its attempts, its own and those of all tasks.

        Raises:
            DefinitionError: A middleware of all tasks cannot be around this one.
        """
        return self.hooks.plan(self.id, is_async=self.is_async)

    def prepare(self) -> None:
        """Resolve the annotations now rather than on first use. A worker does so at its start.

        Raises:
            DefinitionError: The payload's or the output's annotation cannot be used, or a middleware of all tasks.
        """
        if self.payload:
            self.payload.prepare()
        self.output.prepare()
        self.plan()


def check_task_id(given: object, function: Callable[..., object]) -> str:
    """Return a task's id, which follows from its function's name when none is given.

    Raises:
        DefinitionError: It is not possible.
    """
    task_id = getattr(function, "__name__", "").strip("_").replace("_", "-") if given is None else given
    if isinstance(task_id, str) and _ID.fullmatch(task_id):
        return task_id
    remedy = "Use 1 to 128 of the characters A-Z a-z 0-9 _ . : / -, e.g. @task(id='render-invoice')."
    raise DefinitionError("That is not a task id", option="id", value=task_id, remedy=remedy)
