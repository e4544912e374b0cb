"""``schedules``: declare tasks that run by cron or at a period, and make, change and look at schedules."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Unpack, cast

from taskflow.definition.blocking import refuse_in_event_loop
from taskflow.definition.cron.zones import zone_names
from taskflow.definition.registry import declared
from taskflow.definition.scheduling.options import (
    ChangeKeywords,
    RuleKeywords,
    ScheduleKeywords,
    ScheduleOptions,
    checked_payload,
)
from taskflow.definition.scheduling.schedule import Schedule, SchedulePage
from taskflow.errors import DefinitionError, ScheduleError
from taskflow.suggestions import did_you_mean
from taskflow.verbs.current import engine
from taskflow.verbs.declaring.keywords import TaskKeywords
from taskflow.verbs.decorator import task
from taskflow.verbs.kinds.declared import DeclaredTask
from taskflow.verbs.run_handle import RunHandle

if TYPE_CHECKING:
    from taskflow.verbs.declaring.shapes import TaskDecorator

MOST_LISTED: Final = 1000
_RULE_OPTIONS: Final = frozenset(RuleKeywords.__annotations__)
_CHANGES: Final = _RULE_OPTIONS | {"external_id", "payload"}


class ScheduledTaskKeywords(RuleKeywords, TaskKeywords, total=False):
    """The options of ``schedules.task``: those of a schedule, and those of ``@task``."""

    id: str | None


class Schedules:
    """Schedules by id. Any worker fires them; there is no process that must not die."""

    def task(self, **options: Unpack[ScheduledTaskKeywords]) -> "TaskDecorator":
        """Declare a function as a task that runs on a schedule.

        The function takes a ``ScheduledPayload``, or no payload. The schedule is there once a worker with this code has
        started, changes when the declaration changes, and is gone when a worker without it has started.

        Args:
            cron: A cron expression of five fields, such as "0 3 * * *", or ``@daily``. Either this or ``every``.
            every: A period of at least a second: "90s", "2h", a timedelta.
            timezone: The IANA time zone of ``cron``. Default: UTC.
            overlap: What a tick does while the run of an earlier one is not finished: "allow" makes another run,
                "skip" leaves the tick out, "queue" makes its run when the earlier one has ended, "cancel_previous"
                cancels that.
            catch_up: The ticks that are made up for after an outage: "none", the "last", or "all" (100 at most).
            jitter: The longest time by which a tick is fired later, such as "10m", or a part of the interval: "30%".

        All other options are those of ``@task``. A task without ``cron`` and ``every`` can be given schedules by
        ``schedules.create``.

        Raises:
            DefinitionError: An option of the task is not possible.
            ScheduleError: An option of the schedule is not possible.
        """
        given = cast("dict[str, Any]", options)
        rule = {name: value for name, value in given.items() if name in _RULE_OPTIONS}
        others = {name: value for name, value in given.items() if name not in _RULE_OPTIONS}
        known = inspect.signature(task).parameters
        for name, value in others.items():
            if name not in known:
                remedy = did_you_mean(name, {*known, *_RULE_OPTIONS}, "options")
                raise DefinitionError("Unknown option of @schedules.task", option=name, value=value, remedy=remedy)
        is_scheduled = rule.get("cron") is not None or rule.get("every") is not None
        if rule and not is_scheduled:
            raise ScheduleError(
                "A schedule needs either cron or every", remedy='Write cron="0 3 * * *" or every="90s".'
            )
        checked = ScheduleOptions.checked(**cast("RuleKeywords", rule)) if is_scheduled else None
        decorate = task(**others)

        def declare(function: Callable[..., object]) -> DeclaredTask:
            made = cast("DeclaredTask", cast("Any", decorate)(function))
            made.definition = replace(made.definition, schedule=checked)
            declared.add(made.definition)
            return made

        return cast("TaskDecorator", declare)

    def create(self, task: str | DeclaredTask, **options: Unpack[ScheduleKeywords]) -> Schedule:
        """Make a schedule of a task, or change the one that has the same ``deduplication_key``.

        A changed rule fires nothing by itself: the next tick is the first one after now.

        Args:
            task: A task, or its id. It takes a ``ScheduledPayload``, no payload, or the ``payload``.
            cron, every, timezone, overlap, catch_up, jitter: See ``task``.
            deduplication_key: Two calls with one key make one schedule, within the environment.
            external_id: Text that its runs get in their payload, for example a customer's id.
            payload: The payload of its runs, in place of a ``ScheduledPayload``; of a task with several parameters a
                dict of their names.
            active: False: the schedule fires once it is activated.
            start: The instant behind which the ticks of a new schedule begin. Of the ticks since one in the past,
                ``catch_up`` says which are made up for.

        Raises:
            ScheduleError: An option is not possible, or the task is unknown or takes another payload.
            CronError: The cron expression is wrong.
            StoreUnavailableError: The store did not answer.
        """
        refuse_in_event_loop("schedules.create", "schedules.acreate")
        return engine().schedules.create(_task_id(task), _options(options))

    async def acreate(self, task: str | DeclaredTask, **options: Unpack[ScheduleKeywords]) -> Schedule:
        """Make a schedule of a task. See ``create``."""
        return await engine().schedules.acreate(_task_id(task), _options(options))

    def retrieve(self, schedule_id: str) -> Schedule:
        """Return a schedule.

        Raises:
            ScheduleNotFoundError: No such schedule.
        """
        refuse_in_event_loop("schedules.retrieve", "schedules.aretrieve")
        return engine().schedules.retrieve(schedule_id)

    async def aretrieve(self, schedule_id: str) -> Schedule:
        """Return a schedule. See ``retrieve``."""
        return await engine().schedules.aretrieve(schedule_id)

    def list(self, *, page: int = 1, per_page: int = 50, task: str | DeclaredTask | None = None) -> SchedulePage:
        """Return a page of schedules, in the order of their making.

        Args:
            page: From 1.
            per_page: 1 to 1,000.
            task: Only those of this task.
        """
        refuse_in_event_loop("schedules.list", "schedules.alist")
        _check_page(page, per_page)
        return engine().schedules.list(page, per_page, None if task is None else _task_id(task))

    async def alist(self, *, page: int = 1, per_page: int = 50, task: str | DeclaredTask | None = None) -> SchedulePage:
        """Return a page of schedules. See ``list``."""
        _check_page(page, per_page)
        return await engine().schedules.alist(page, per_page, None if task is None else _task_id(task))

    def update(self, schedule_id: str, **changes: Unpack[ChangeKeywords]) -> Schedule:
        """Change a schedule. After that, no tick of the old rule fires. What is left out stays as it is.

        Raises:
            ScheduleNotFoundError: No such schedule.
            DeclaredScheduleError: A task declares it.
            ScheduleError: An option is not possible.
        """
        refuse_in_event_loop("schedules.update", "schedules.aupdate")
        task_id, others = _changes(changes)
        return engine().schedules.update(schedule_id, others, task_id)

    async def aupdate(self, schedule_id: str, **changes: Unpack[ChangeKeywords]) -> Schedule:
        """Change a schedule. See ``update``."""
        task_id, others = _changes(changes)
        return await engine().schedules.aupdate(schedule_id, others, task_id)

    def activate(self, schedule_id: str) -> Schedule:
        """Let a schedule fire again. Of the ticks since it was deactivated, ``catch_up`` says which are made up for.

        Raises:
            ScheduleNotFoundError: No such schedule.
        """
        refuse_in_event_loop("schedules.activate", "schedules.aactivate")
        return engine().schedules.activate(schedule_id)

    async def aactivate(self, schedule_id: str) -> Schedule:
        """Let a schedule fire again. See ``activate``."""
        return await engine().schedules.aactivate(schedule_id)

    def deactivate(self, schedule_id: str) -> Schedule:
        """Let a schedule fire no more until it is activated. It keeps its last tick.

        A declared one stays inactive, too, whatever workers register meanwhile.

        Raises:
            ScheduleNotFoundError: No such schedule.
        """
        refuse_in_event_loop("schedules.deactivate", "schedules.adeactivate")
        return engine().schedules.deactivate(schedule_id)

    async def adeactivate(self, schedule_id: str) -> Schedule:
        """Let a schedule fire no more. See ``deactivate``."""
        return await engine().schedules.adeactivate(schedule_id)

    def delete(self, schedule_id: str) -> None:
        """Delete a schedule. Runs that it has made stay.

        Raises:
            ScheduleNotFoundError: No such schedule.
            DeclaredScheduleError: A task declares it.
        """
        refuse_in_event_loop("schedules.delete", "schedules.adelete")
        engine().schedules.delete(schedule_id)

    async def adelete(self, schedule_id: str) -> None:
        """Delete a schedule. See ``delete``."""
        await engine().schedules.adelete(schedule_id)

    def run_now(self, schedule_id: str) -> RunHandle[object]:
        """Make a run now, with now as its timestamp. The schedule's ticks stay as they are.

        Raises:
            ScheduleNotFoundError: No such schedule.
        """
        refuse_in_event_loop("schedules.run_now", "schedules.arun_now")
        run_id = engine().schedules.run_now(schedule_id)
        return RunHandle(run_id)

    async def arun_now(self, schedule_id: str) -> RunHandle[object]:
        """Make a run now. See ``run_now``."""
        run_id = await engine().schedules.arun_now(schedule_id)
        return RunHandle(run_id)

    def timezones(self) -> Sequence[str]:
        """Return the names of all time zones, UTC first."""
        return zone_names()


def _task_id(task: object) -> str:
    if isinstance(task, DeclaredTask):
        return task.definition.id
    if isinstance(task, str):
        return task
    remedy = "Give a task, or its id as text."
    raise ScheduleError("That is not a task", option="task", value=task, remedy=remedy)


def _options(given: Mapping[str, Any]) -> ScheduleOptions:
    known = ScheduleKeywords.__annotations__.keys() | _RULE_OPTIONS
    _refuse_unknown("create", given, known)
    return ScheduleOptions.checked(**cast("ScheduleKeywords", given))


def _changes(given: Mapping[str, Any]) -> tuple[str | None, dict[str, object]]:
    _refuse_unknown("update", given, _CHANGES | {"task"})
    others = {name: value for name, value in given.items() if name != "task"}
    if "payload" in others:
        others["payload"] = checked_payload(others["payload"])
    return (_task_id(given["task"]) if given.get("task") is not None else None), others


def _refuse_unknown(verb: str, given: Mapping[str, Any], known: "frozenset[str] | set[str]") -> None:
    for name, value in given.items():
        if name not in known:
            remedy = did_you_mean(name, known, "options")
            raise ScheduleError(f"schedules.{verb} has no such option", option=name, value=value, remedy=remedy)


def _check_page(page: object, per_page: object) -> None:
    for option, value, most in (("page", page, 10**9), ("per_page", per_page, MOST_LISTED)):
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            remedy = f"Give a whole number from 1 to {most:,}."
            raise ScheduleError("That page is not possible", option=option, value=value, remedy=remedy)


schedules: Final = Schedules()
