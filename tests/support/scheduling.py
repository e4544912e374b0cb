"""Schedules on a store with a clock of its own: the engine of the verbs, upkeep's firing, and tasks to schedule."""

from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from taskflow.definition.machine import presets_with
from taskflow.definition.registry import Registry, declared
from taskflow.definition.scheduling.options import ScheduleOptions
from taskflow.definition.scheduling.schedule import Schedule, ScheduledPayload
from taskflow.definition.task_definition import TaskDefinition
from taskflow.engine.declarations import Declarations
from taskflow.engine.known_tasks import KnownTasks
from taskflow.engine.loops import Loops
from taskflow.engine.new_run import Planner
from taskflow.engine.schedules.engine import ScheduleEngine
from taskflow.engine.schedules.firing import Firing
from taskflow.engine.schedules.sync import ScheduleSync
from taskflow.models import Run, RunStatus
from taskflow.objects.large_values import LargeValues
from taskflow.store import operations
from taskflow.store.async_store import AsyncStore
from taskflow.store.operations.nodes import register_node
from taskflow.store.operations.registration import TaskRegistration
from taskflow.store.operations.schedules.calls import due_schedules
from taskflow.store.sync_store import Store
from taskflow.verbs.decorator import task
from taskflow.verbs.schedules import schedules
from tests.support.bench import CLASS, LEASE, Bench


@dataclass
class Scheduling:
    """The parts that fire schedules, on a bench's store and clock."""

    bench: Bench
    engine: ScheduleEngine
    firing: Firing
    registry: Registry

    @property
    def now(self) -> datetime:
        """The store's clock."""
        return datetime.fromtimestamp(self.bench.now[0] / 1_000_000, UTC)

    def set_clock(self, text: str) -> None:
        """Set the store's clock."""
        self.bench.now[0] = round(datetime.fromisoformat(text).timestamp() * 1_000_000)

    def create(self, task_id: str = "tick", **options: Any) -> Schedule:
        """Make a schedule."""
        return self.engine.create(task_id, ScheduleOptions.checked(**options))

    def fire(self) -> None:
        """Fire what is due now, as upkeep does: pass after pass while something is."""
        while self.bench.run(due_schedules()).found:
            self.firing.fire(self.bench.shard)

    def pass_time(self, seconds: float, step: float = 5.0) -> None:
        """Let time go on in steps, with upkeep after each. After a longer step than 10 s, ticks were missed."""
        passed = 0.0
        while passed < seconds:
            self.bench.pass_time(min(step, seconds - passed))
            passed += step
            self.fire()

    def runs(self, schedule_id: str | None = None) -> list[Run]:
        """Return the runs that schedules have made, oldest first."""
        found = [run for run in self.bench.run(operations.runs.list_runs(1000)) if run.schedule_id is not None]
        full = [self.bench.run(operations.runs.read_run(run.id)) for run in found]
        return sorted((run for run in full if schedule_id in (None, run.schedule_id)), key=lambda run: ticks([run])[0])

    def finish(self, run_id: str) -> None:
        """Execute a run to its end."""
        self.bench.finish(self.bench.claim(run_id))

    def sync(self, version: str, definitions: Sequence[TaskDefinition], node: str | None = None) -> ScheduleSync:
        """Register a node of a version whose code has these tasks, and bring their schedules into the store."""
        assert isinstance(self.bench.store, Store)
        made = ScheduleSync(self.bench.store, definitions, version, self.bench.config.shards)
        made.sync(self.bench.shard)
        self.join(made, node or version)
        return made

    def join(self, made: ScheduleSync, node: str) -> None:
        """Give a node its lease, so that its version has a live node."""
        described = {"schedules": made.stamp, "modules": made.modules}
        self.bench.run(register_node(node, lease=LEASE, queues=[], capacity=1, classes=[CLASS], description=described))


def ticks(runs: Sequence[Run]) -> list[str]:
    """Return the timestamps of runs."""
    found: list[str] = []
    for run in runs:
        payload: Any = run.payload
        found.append(str(payload["timestamp"]))
    return found


def doubles(runs: Sequence[Run]) -> dict[tuple[str | None, str], int]:
    """Return the ticks that have more than one run."""
    counted = Counter((run.schedule_id, ticks([run])[0]) for run in runs)
    return {tick: count for tick, count in counted.items() if count > 1}


def make_scheduling(bench: Bench, folder: Path) -> Scheduling:
    """Make the parts, with the tasks ``tick`` and ``other`` as a worker has registered them."""
    assert isinstance(bench.store, Store)
    with declared.isolated():
        tasks = [scheduled_task("tick"), scheduled_task("other")]
        registry = Registry()
        for each in tasks:
            registry.add(each)
    known = KnownTasks(registry, timedelta(days=1))
    for each in tasks:
        known.confirm(each.id)
    large = LargeValues(str(folder), "test", 512_000)
    planner = Planner(registry, presets_with({}), bench.config.shards, 512_000, known, large)
    declarations = Declarations(lambda task_id: f"template of {task_id}", lambda _: False, known)
    loop = Loops(lambda: AsyncStore(bench.config)).current
    made = Scheduling(
        bench,
        ScheduleEngine(planner, bench.store, loop, declarations),
        Firing(planner, bench.store, declarations),
        registry,
    )
    bench.run(
        operations.making.declare(
            {}, {}, by_worker=True, registrations={each.id: _registration(each).to_json() for each in tasks}
        )
    )
    bench.node()
    return made


def scheduled_task(task_id: str, **options: Any) -> TaskDefinition:
    """Declare a task that takes the payload of schedules."""
    decorate: Callable[..., Any] = schedules.task(id=task_id, **options) if options else task(id=task_id)

    def tick(payload: ScheduledPayload) -> str:
        return payload.timestamp.isoformat()

    tick.__qualname__ = f"tick_{task_id}"
    definition: TaskDefinition = decorate(tick).definition
    return definition


@contextmanager
def version_of(module: str, *given: tuple[str, dict[str, Any]]) -> Generator[list[TaskDefinition]]:
    """Declare the tasks of one version of a module."""
    with declared.isolated():
        yield [replace(scheduled_task(task_id, **options), module=module) for task_id, options in given]


def is_live(run: Run) -> bool:
    """Whether a run has not ended."""
    return run.status in (RunStatus.QUEUED, RunStatus.EXECUTING)


def _registration(each: TaskDefinition) -> TaskRegistration:
    return TaskRegistration(
        id=each.id,
        class_name=each.class_name,
        queue=each.queue_name,
        limits=each.queue.limits,
        max_attempts=3,
        ttl=None,
        max_duration=None,
        tags=(),
        schema_digest="",
        version=None,
    )
