"""The engine that verbs call, by subject. Payloads, outputs and items are JSON here.

``engine/`` implements it on the run store. A verb that needs more of the engine adds it here.
"""

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Generator, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from taskflow.definition.calls.batch_item import BatchOptions
from taskflow.definition.calls.bulk import BulkAction, BulkKind, OnProgress
from taskflow.definition.calls.log_line import LogLine
from taskflow.definition.calls.run_filter import ALL_RUNS, RunField, RunFilter, RunPage
from taskflow.definition.calls.tokens import Token, TokenPage
from taskflow.definition.calls.trigger_options import TriggerOptions
from taskflow.definition.task_definition import TaskDefinition
from taskflow.models import Batch, QueueState, Run, RunStatus
from taskflow.seams.batches import BatchRuns, RunEnd
from taskflow.seams.streams import StreamAddress, StreamWriter
from taskflow.seams.tokens import MadeToken, TokenOptions, TokenQuery
from taskflow.seams.waits import Waiter

if TYPE_CHECKING:  # a program that only triggers imports neither schedules nor webhooks
    from taskflow.definition.calls.known_task import KnownTask
    from taskflow.definition.scheduling.options import ScheduleOptions
    from taskflow.definition.scheduling.schedule import Schedule, SchedulePage
    from taskflow.definition.webhooks.deliveries import Delivery, DeliveryPage, WebhookEndpoint
    from taskflow.seams.error_groups import ErrorGroup, ErrorState
    from taskflow.seams.webhooks import DeliveryQuery

QueueCommand = Literal["pause", "resume", "override", "reset"]


class Triggered(NamedTuple):
    """The run of a trigger, and whether the run is an older one with the same idempotency or debounce key."""

    run_id: str
    is_cached: bool


class PlannedRun(NamedTuple):
    """A run that is not made yet. ``publish`` makes it; called again, it makes no second one.

    ``document`` returns it as JSON, from which another process makes the same run.
    """

    run_id: str
    publish: Callable[[], Triggered]
    document: Callable[[], bytes]


class RunRequests(Protocol):
    """Runs by id, and many runs at a time."""

    def plan(self, task: TaskDefinition | str, payload: object, options: TriggerOptions) -> PlannedRun: ...

    def trigger(
        self, task: TaskDefinition | str, payload: object, options: TriggerOptions, waiter: Waiter | None = None
    ) -> Triggered: ...

    async def atrigger(
        self, task: TaskDefinition | str, payload: object, options: TriggerOptions, waiter: Waiter | None = None
    ) -> Triggered: ...

    def status(self, run_id: str) -> RunStatus: ...

    async def astatus(self, run_id: str) -> RunStatus: ...

    def retrieve(self, run_id: str) -> Run: ...

    async def aretrieve(self, run_id: str) -> Run: ...

    def output(self, run_id: str, timeout: timedelta | None) -> bytes: ...

    async def aoutput(self, run_id: str, timeout: timedelta | None) -> bytes: ...

    def cancel(self, run_id: str) -> bool: ...

    async def acancel(self, run_id: str) -> bool: ...

    def replay(self, run_id: str) -> str: ...

    async def areplay(self, run_id: str) -> str: ...

    def reschedule(self, run_id: str, due: datetime | timedelta) -> datetime: ...

    async def areschedule(self, run_id: str, due: datetime | timedelta) -> datetime: ...

    def add_tags(self, run_id: str, tags: Sequence[str]) -> int: ...

    async def aadd_tags(self, run_id: str, tags: Sequence[str]) -> int: ...

    def subscribe(self, run_id: str) -> Generator[Run]: ...

    def asubscribe(self, run_id: str) -> AsyncGenerator[Run]: ...

    def list(self, limit: int, wanted: RunFilter = ALL_RUNS, cursor: str | None = None) -> RunPage: ...

    async def alist(self, limit: int, wanted: RunFilter = ALL_RUNS, cursor: str | None = None) -> RunPage: ...

    def find(self, where: RunFilter) -> Sequence[Run]: ...

    def known_children(self, run_id: str) -> dict[str, RunStatus]: ...

    def count(self, by: Sequence[RunField], where: RunFilter) -> dict[tuple[str, ...], int]: ...

    async def acount(self, by: Sequence[RunField], where: RunFilter) -> dict[tuple[str, ...], int]: ...

    def bulk(
        self, kind: BulkKind, selected: Sequence[str] | RunFilter, on_progress: OnProgress | None
    ) -> BulkAction: ...

    async def abulk(
        self, kind: BulkKind, selected: Sequence[str] | RunFilter, on_progress: OnProgress | None
    ) -> BulkAction: ...


class JournalRequests(Protocol):
    """Journals of durable runs. A step is named by its name or its key."""

    def resume(self, run_id: str, step: str | None) -> RunStatus: ...

    async def aresume(self, run_id: str, step: str | None) -> RunStatus: ...

    def replay(self, run_id: str, step: str | None) -> str: ...

    async def areplay(self, run_id: str, step: str | None) -> str: ...


class QueueRequests(Protocol):
    """Queues by name, and the environment."""

    def list(self) -> Sequence[QueueState]: ...

    async def alist(self) -> Sequence[QueueState]: ...

    def retrieve(self, queue: str) -> QueueState: ...

    async def aretrieve(self, queue: str) -> QueueState: ...

    def control(self, queue: str, command: QueueCommand, limit: int | None = None, reason: str = "") -> None: ...

    async def acontrol(self, queue: str, command: QueueCommand, limit: int | None = None, reason: str = "") -> None: ...

    def control_environment(self, command: Literal["pause", "resume"], reason: str = "") -> None: ...

    async def acontrol_environment(self, command: Literal["pause", "resume"], reason: str = "") -> None: ...

    def environment(self) -> QueueState: ...

    async def aenvironment(self) -> QueueState: ...


class TokenRequests(Protocol):
    """Tokens by id."""

    def create(self, options: TokenOptions) -> MadeToken: ...

    async def acreate(self, options: TokenOptions) -> MadeToken: ...

    def complete(self, token_id: str, output: bytes, checked: str = "") -> bool: ...

    async def acomplete(self, token_id: str, output: bytes, checked: str = "") -> bool: ...

    def retrieve(self, token_id: str) -> Token: ...

    async def aretrieve(self, token_id: str) -> Token: ...

    def list(self, query: TokenQuery) -> TokenPage: ...

    async def alist(self, query: TokenQuery) -> TokenPage: ...

    def wait(self, token_id: str, waiter: Waiter) -> datetime | None: ...

    async def await_(self, token_id: str, waiter: Waiter) -> datetime | None: ...


class PlannedBatch(NamedTuple):
    """A batch that is not made yet. ``publish`` makes its runs; called again, it makes none twice.

    ``runs`` has the ids that are planned. A key may name an older run, which the result of ``publish`` has instead.
    ``document``: see ``PlannedRun``.
    """

    runs: BatchRuns
    publish: Callable[[], BatchRuns]
    document: Callable[[], bytes]


class BatchRequests(Protocol):
    """Batches of runs."""

    def plan(
        self, task: TaskDefinition | str | None, items: Iterable[object], options: BatchOptions
    ) -> PlannedBatch: ...

    def trigger(
        self,
        task: TaskDefinition | str | None,
        items: Iterable[object],
        options: BatchOptions,
        waiter: Waiter | None = None,
    ) -> BatchRuns: ...

    async def atrigger(
        self,
        task: TaskDefinition | str | None,
        items: Iterable[object] | AsyncIterable[object],
        options: BatchOptions,
        waiter: Waiter | None = None,
    ) -> BatchRuns: ...

    def retrieve(self, batch_id: str) -> Batch: ...

    async def aretrieve(self, batch_id: str) -> Batch: ...

    def wait(self, run_ids: Sequence[str], timeout: timedelta | None) -> Sequence[RunEnd]: ...

    async def await_(self, run_ids: Sequence[str], timeout: timedelta | None) -> Sequence[RunEnd]: ...


class StreamRequests(Protocol):
    """Streams of runs."""

    def append(self, address: StreamAddress, documents: Sequence[bytes], *, closing: bool = False) -> int: ...

    async def aappend(self, address: StreamAddress, documents: Sequence[bytes], *, closing: bool = False) -> int: ...

    def ask(self, address: StreamAddress, index: int, waiter: Waiter) -> None: ...

    async def aask(self, address: StreamAddress, index: int, waiter: Waiter) -> None: ...

    def writer(self, address: StreamAddress, claim: Callable[[], int] | None = None) -> StreamWriter: ...

    def read(
        self, address: StreamAddress, start: int, *, timeout: timedelta | None = None, follow: bool = True
    ) -> Generator[bytes]: ...

    def aread(
        self, address: StreamAddress, start: int, *, timeout: timedelta | None = None, follow: bool = True
    ) -> AsyncGenerator[bytes]: ...


class ScheduleRequests(Protocol):
    """Schedules by id."""

    def create(self, task_id: str, options: "ScheduleOptions") -> "Schedule": ...

    async def acreate(self, task_id: str, options: "ScheduleOptions") -> "Schedule": ...

    def retrieve(self, schedule_id: str) -> "Schedule": ...

    async def aretrieve(self, schedule_id: str) -> "Schedule": ...

    def list(self, page: int, per_page: int, task_id: str | None = None) -> "SchedulePage": ...

    async def alist(self, page: int, per_page: int, task_id: str | None = None) -> "SchedulePage": ...

    def update(self, schedule_id: str, changes: Mapping[str, object], task_id: str | None = None) -> "Schedule": ...

    async def aupdate(
        self, schedule_id: str, changes: Mapping[str, object], task_id: str | None = None
    ) -> "Schedule": ...

    def activate(self, schedule_id: str) -> "Schedule": ...

    async def aactivate(self, schedule_id: str) -> "Schedule": ...

    def deactivate(self, schedule_id: str) -> "Schedule": ...

    async def adeactivate(self, schedule_id: str) -> "Schedule": ...

    def delete(self, schedule_id: str) -> None: ...

    async def adelete(self, schedule_id: str) -> None: ...

    def run_now(self, schedule_id: str) -> str: ...

    async def arun_now(self, schedule_id: str) -> str: ...


class WebhookRequests(Protocol):
    """Endpoints of webhook tasks, and deliveries by id."""

    def endpoints(self) -> "Sequence[WebhookEndpoint]": ...

    def retrieve(self, delivery_id: str) -> "Delivery": ...

    async def aretrieve(self, delivery_id: str) -> "Delivery": ...

    def list(self, query: "DeliveryQuery") -> "DeliveryPage": ...

    async def alist(self, query: "DeliveryQuery") -> "DeliveryPage": ...

    def replay(self, delivery_id: str) -> str: ...

    async def areplay(self, delivery_id: str) -> str: ...


class ErrorRequests(Protocol):
    """Groups of errors by id."""

    def list(self, since: datetime, until: datetime) -> Sequence["ErrorGroup"]: ...

    async def alist(self, since: datetime, until: datetime) -> Sequence["ErrorGroup"]: ...

    def retrieve(self, group_id: str, since: datetime, until: datetime) -> "ErrorGroup": ...

    async def aretrieve(self, group_id: str, since: datetime, until: datetime) -> "ErrorGroup": ...

    def change(self, group_id: str, state: "ErrorState", resolved_in: str | None = None, reason: str = "") -> None: ...

    async def achange(
        self, group_id: str, state: "ErrorState", resolved_in: str | None = None, reason: str = ""
    ) -> None: ...


class TaskRequests(Protocol):
    """The tasks of the environment. No verb of users needs them, so there are no blocking twins."""

    async def alist(self) -> "Sequence[KnownTask]": ...

    async def aretrieve(self, task_id: str) -> "KnownTask | None": ...


class LogRequests(Protocol):
    """Log lines of runs."""

    def lines(self, run_id: str, *, follow: bool = False) -> Generator[LogLine]: ...

    def alines(self, run_id: str, *, follow: bool = False) -> AsyncGenerator[LogLine]: ...


class Engine(Protocol):
    """Every verb is a method of one of its parts, with an async twin."""

    @property
    def runs(self) -> RunRequests: ...

    @property
    def journals(self) -> JournalRequests: ...

    @property
    def queues(self) -> QueueRequests: ...

    @property
    def tokens(self) -> TokenRequests: ...

    @property
    def batches(self) -> BatchRequests: ...

    @property
    def streams(self) -> StreamRequests: ...

    @property
    def schedules(self) -> ScheduleRequests: ...

    @property
    def webhooks(self) -> WebhookRequests: ...

    @property
    def errors(self) -> ErrorRequests: ...

    @property
    def logs(self) -> LogRequests: ...

    @property
    def tasks(self) -> TaskRequests: ...

    def find_task(self, task_id: str) -> TaskDefinition:
        """Return the definition of a task; a stand-in for a task that is not declared in this process."""
        ...

    def load_value(self, stored: bytes) -> bytes:
        """Return the JSON of a stored value, large or not."""
        ...

    async def aload_value(self, stored: bytes) -> bytes:
        """Return the JSON of a stored value, large or not."""
        ...


class Application(Protocol):
    """An engine with its settings: a ``TaskFlow``, or the client of a server."""

    @property
    def engine(self) -> Engine: ...

    def close(self) -> None:
        """Close every connection. The application can't be used afterwards."""
        ...
