"""The list of tasks: those that workers have registered, and those that runs wait for or were of."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from starlette.responses import Response

from taskflow.engine.engine import Engine
from taskflow.errors import HistoryUnavailableError
from taskflow.models import RunStatus
from taskflow.seams.activity import TaskActivity
from taskflow.server.dashboard.pages.queues.reads import read_queues
from taskflow.server.dashboard.shared_reads import shared
from taskflow.server.dashboard.view.durations import DASH, duration
from taskflow.server.dashboard.view.instants import is_slow
from taskflow.server.dashboard.view.links import url
from taskflow.server.dashboard.view.numbers import number, share
from taskflow.server.dashboard.view.periods import Period, period_words
from taskflow.server.dashboard.visit import Visit
from taskflow.store.operations.overviews.nodes import Unserved
from taskflow.store.operations.overviews.tasks import TaskRecord

PERIODS: Final = ("1h", "24h", "7d")
KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "task": ("i-fn", "Task"),
    "coroutine": ("i-fn", "Coroutine"),
    "durable": ("i-step", "Durable"),
    "schedule": ("i-schedules", "Scheduled"),
    "webhook": ("i-webhooks", "Webhook"),
    "unknown": ("s-PENDING_VERSION", "Unknown"),
}
"""The icon and the word of each kind."""
BAD: Final = 0.005
"""The share of failed runs from which on it is red."""
_ABOUT: Final = 120
_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One task of the list.

    Attributes:
        about: The first line of its description, or the reason why its runs wait.
        live: How many of its runs execute; None without a history.
        is_wanted: Whether runs wait for a worker that has it.
    """

    id: str
    kind: str
    about: str
    queue: str
    machine: str
    activity: TaskActivity
    live: int | None = None
    is_wanted: bool = False

    @property
    def is_known(self) -> bool:
        """Whether a worker has registered it."""
        return self.kind != "unknown"

    @property
    def bars(self) -> Sequence[tuple[int, int]]:
        """The runs that did not fail and those that did, by part of the period."""
        return [(bar.completed + bar.canceled, bar.failed) for bar in self.activity.bars] or [(0, 0)] * 24

    @property
    def top(self) -> int:
        """The highest bar."""
        return max(1, *(sum(bar) for bar in self.bars))

    @property
    def share(self) -> str:
        """The failed share in words."""
        return share(self.activity.failed, self.activity.completed + self.activity.failed)

    @property
    def is_bad(self) -> bool:
        """Whether many of its runs failed."""
        return (self.activity.failed_share or 0) >= BAD

    def pace(self, period: Period) -> str:
        """Return how many of its runs ended in an hour of the period."""
        value = self.activity.total / ((period.until - period.since) / timedelta(hours=1))
        return number(round(value)) if value >= 10 or value == int(value) else f"{value:.1f}"

    @property
    def median(self) -> str:
        """The time that half of its runs took at most."""
        return duration(self.activity.took.p50) if self.activity.took.p50 is not None else DASH

    @property
    def p95(self) -> str:
        """The time that 95 % of its runs took at most."""
        return duration(self.activity.took.p95) if self.activity.took.p95 is not None else DASH


@dataclass(frozen=True, slots=True)
class Counts:
    """The counts of the history. ``problem``: why there are none, "" if there are."""

    tasks: Mapping[str, TaskActivity]
    live: Mapping[tuple[str, RunStatus], int]
    problem: str = ""


async def show(visit: Visit) -> Response:
    """Show the tasks that the address asks for."""
    period = Period.of(visit.query.get("period", ""))
    records, unserved, counts, queues = await asyncio.gather(
        visit.engine.nodes.atasks(),
        visit.engine.nodes.aunserved(),
        counts_of(visit.engine, period),
        read_queues(visit.engine),
    )
    oldest_at = queues.oldest.oldest_at if queues.oldest else None
    rows = _rows(records, unserved, counts)
    shown = _sorted(_filtered(rows, visit), visit.query.get("sort", ""))
    return visit.render(
        "tasks.html",
        oldest_at=oldest_at,
        oldest_is_slow=is_slow(oldest_at),
        period=period,
        periods=[(name, period_words(name)) for name in PERIODS],
        rows=shown,
        total=len(rows),
        unknown=sum(not row.is_known for row in rows),
        kinds=KINDS,
        counts=counts,
        figures=_figures(counts),
        heads=_heads(dict(visit.query)),
        query=dict(visit.query),
        machines=sorted({row.machine for row in rows if row.machine}),
        queues=sorted({row.queue for row in rows if row.queue}),
    )


async def counts_of(engine: Engine, period: Period, tasks: Sequence[str] = ()) -> Counts:
    """Return the counts of some tasks or all, or the reason why there are none: the page still shows the tasks.

    Pages that load within two seconds, as all open ones do at a change, share one read.
    """

    def read() -> Counts:
        if not engine.activity.is_kept():
            return Counts({}, {}, "There is no history, so that nothing counts runs.")
        return Counts(engine.activity.tasks(period.since, period.until, tasks=tasks), engine.activity.live())

    try:
        name = f"counts {period.name} {' '.join(tasks)}"
        return await shared(engine, name, _SECONDS, lambda: asyncio.to_thread(read))
    except HistoryUnavailableError as error:
        return Counts({}, {}, str(error))


def kind_of(record: TaskRecord) -> str:
    """Return the kind of a registered task."""
    details = record.details
    if details is not None and details.kind != "task":
        return details.kind
    if details is not None and details.durable:
        return "durable"
    return "coroutine" if record.class_name.endswith(".asyncio") else "task"


def machine_of(record: TaskRecord) -> str:
    """Return the machine class of a registered task."""
    return record.class_name.rpartition(".")[0]


def executing(counts: Counts, task_id: str) -> int | None:
    """Return how many runs of a task execute; None without a history."""
    return None if counts.problem else counts.live.get((task_id, RunStatus.EXECUTING), 0)


def _rows(records: Sequence[TaskRecord], unserved: Unserved, counts: Counts) -> list[TaskRow]:
    """Return all rows: what runs wait for first, then those of the registered tasks, then those that once were."""
    rows = [
        TaskRow(
            task_id,
            "unknown",
            f"Not registered by any worker: {number:,} {'run waits' if number == 1 else 'runs wait'} for it.",
            "",
            "",
            counts.tasks.get(task_id, TaskActivity()),
            executing(counts, task_id),
            is_wanted=True,
        )
        for task_id, number in unserved.tasks.items()
    ]
    for record in records:
        about = record.details.description.strip().partition("\n")[0] if record.details else ""
        activity = counts.tasks.get(record.id, TaskActivity())
        live = executing(counts, record.id)
        row = TaskRow(record.id, kind_of(record), about[:_ABOUT], record.queue, machine_of(record), activity, live)
        rows.append(row)
    known = {row.id for row in rows}
    gone = "No worker has it any more."
    rows += [
        TaskRow(each, "unknown", gone, "", "", counts.tasks[each], 0) for each in counts.tasks if each not in known
    ]
    return rows


def _filtered(rows: Sequence[TaskRow], visit: Visit) -> list[TaskRow]:
    text, kind = visit.query.get("q", "").strip().lower(), visit.query.get("kind", "")
    queue, machine = visit.query.get("queue", ""), visit.query.get("machine", "")
    return [
        row
        for row in rows
        if (text in row.id.lower() or text in row.about.lower())
        and (not kind or row.kind == kind)
        and (not queue or row.queue == queue)
        and (not machine or row.machine == machine)
    ]


def _sorted(rows: list[TaskRow], sort: str) -> list[TaskRow]:
    """Return rows in the order of the address. Tasks that runs wait for are always first."""
    name = sort.removeprefix("-")
    rows = sorted(rows, key=_ORDERS.get(name, _ORDERS["task"]), reverse=sort.startswith("-"))
    return sorted(rows, key=lambda row: not row.is_wanted)


def _seconds(value: timedelta | None) -> float:
    return value.total_seconds() if value is not None else 0.0


_ORDERS: Final[Mapping[str, Callable[[TaskRow], str | float]]] = {
    "task": lambda row: row.id,
    "runs": lambda row: row.activity.total,
    "failed": lambda row: row.activity.failed_share or 0.0,
    "median": lambda row: _seconds(row.activity.took.p50),
    "p95": lambda row: _seconds(row.activity.took.p95),
    "now": lambda row: row.live or 0,
}


def _heads(query: Mapping[str, str]) -> Mapping[str, tuple[str, str]]:
    """Return the address of each order, and the direction of the one that is shown."""
    now = query.get("sort", "") or "task"
    heads: dict[str, tuple[str, str]] = {}
    for name in _ORDERS:
        first, second = (name, f"-{name}") if name == "task" else (f"-{name}", name)
        others = {key: value for key, value in query.items() if key != "sort"}
        direction = {name: "up", f"-{name}": "down"}.get(now, "")
        heads[name] = (url("tasks", **others, sort=second if now == first else first), direction)
    return heads


def _figures(counts: Counts) -> Mapping[str, int]:
    """Return the figures at the head of the page."""
    live: dict[str, int] = {}
    for (_, status), count in counts.live.items():
        live[status.value] = live.get(status.value, 0) + count
    return {
        "executing": live.get("EXECUTING", 0),
        "queued": live.get("QUEUED", 0),
        "waiting": live.get("WAITING", 0),
        "completed": sum(each.completed for each in counts.tasks.values()),
        "failed": sum(each.failed for each in counts.tasks.values()),
    }
