"""``taskflow schedules import``: entries of Celery's beat, in a module's app or in django-celery-beat's tables."""

import importlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, cast

import typer

from taskflow.app import TaskFlow
from taskflow.cli.application import App, reach_without_tasks
from taskflow.cli.output import AsJson, print_json
from taskflow.cli.printing import add_row, make_table, show, show_table
from taskflow.definition.call_arguments import payload_of
from taskflow.definition.importing import import_user_module
from taskflow.definition.registry import declared
from taskflow.definition.scheduling.beat import BeatEntry, entries_of
from taskflow.errors import PayloadError, ScheduleError
from taskflow.seams.engine import Application
from taskflow.verbs.current import engine


def import_(
    module: Annotated[
        str | None,
        typer.Argument(
            metavar="[MODULE]",
            help="A module with a Celery app, a beat_schedule or CELERY_BEAT_SCHEDULE. With --database: of the tasks.",
        ),
    ] = None,
    database: Annotated[
        str | None, typer.Option(help="SQLAlchemy URL of a database with the tables of django-celery-beat.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be made or refused.")] = False,
    app: App = None,
    as_json: AsJson = False,
) -> None:
    """Make schedules of the entries of Celery's beat. Those that cannot be one are shown with the reason.

    May be repeated: each entry has a deduplication key of its own. Exit code 1: an entry was refused.
    """
    if module is None and database is None:
        raise ScheduleError("Name a module or a --database", remedy="taskflow schedules import shop.celery")
    if database is None:
        entries = _module_entries(str(module))
    else:
        if module is not None:
            _import(module)
        entries = _table_entries(database)
    application = reach_without_tasks(app)
    outcomes = [_tried(each, application) if dry_run else _made(each) for each in entries]
    if as_json:
        print_json([_as_dict(each, outcome) for each, outcome in zip(entries, outcomes, strict=True)])
    else:
        _show(entries, outcomes)
    if any(problem for _, problem in outcomes):
        raise typer.Exit(1)


def _tried(entry: BeatEntry, application: Application) -> tuple[str, str]:
    """Return what ``_made`` would, and make nothing. A server checks the task only when the schedule is made."""
    if entry.options is None:
        return "", entry.refused
    try:
        payload = _payload(entry)
        if isinstance(application, TaskFlow):
            application.engine.schedules.check_task(entry.task_id, payload)
    except (ScheduleError, PayloadError) as refused:
        return "", str(refused)
    return "(dry run)", ""


def _made(entry: BeatEntry) -> tuple[str, str]:
    """Return the id of an entry's schedule, and the reason if there is none."""
    if entry.options is None:
        return "", entry.refused
    try:
        options = replace(entry.options, payload=_payload(entry))
        return engine().schedules.create(entry.task_id, options).id, ""
    except (ScheduleError, PayloadError) as refused:
        return "", str(refused)


def _payload(entry: BeatEntry) -> object:
    """Return the payload that an entry's arguments make, None for none: its runs get a ``ScheduledPayload``.

    Raises:
        PayloadError: They do not fit the task.
        ScheduleError: They are positional, and the names of the task's parameters are not known here.
    """
    if not entry.args and not entry.kwargs:
        return None
    if entry.task_id in declared:
        return payload_of(declared.get(entry.task_id), entry.args, entry.kwargs)
    if entry.args:
        what = (
            f"It has positional arguments, and task {entry.task_id!r} is not declared here, so that nothing names them"
        )
        raise ScheduleError(what, remedy="Name a module that imports the task: taskflow schedules import shop.tasks.")
    return dict(entry.kwargs)


def _import(name: str) -> None:
    import_user_module(name, what="module", remedy="Check its name, and the folder from which you call.")


def _module_entries(name: str) -> list[BeatEntry]:
    module_name, _, attribute = name.partition(":")
    _import(module_name)
    module = importlib.import_module(module_name)
    given = getattr(module, attribute, None) if attribute else module
    for each in (given, *(vars(module).values() if not attribute else ())):
        conf = getattr(each, "conf", None)
        if conf is not None and getattr(conf, "beat_schedule", None):
            return entries_of(conf.beat_schedule, str(getattr(conf, "timezone", None) or "UTC"))
    for setting in ("beat_schedule", "CELERY_BEAT_SCHEDULE", "CELERYBEAT_SCHEDULE"):
        found = getattr(given, setting, None)
        if isinstance(found, Mapping):
            timezone = getattr(given, "CELERY_TIMEZONE", None) or getattr(given, "timezone", None)
            return entries_of(cast("Mapping[str, Any]", found), str(timezone or "UTC"))
    what = f"Module {module_name!r} has no Celery app with a beat_schedule, and no beat_schedule"
    raise ScheduleError(what, remedy="Name the app with a colon: shop.celery:app.")


def _table_entries(url: str) -> list[BeatEntry]:
    from taskflow.history.beat_tables import read_beat_tables  # SQLAlchemy takes 30 MB: only this needs it

    return read_beat_tables(url)


def _as_dict(entry: BeatEntry, outcome: tuple[str, str]) -> dict[str, object]:
    schedule_id, problem = outcome
    options = entry.options
    return {
        "name": entry.name,
        "task": entry.task_id,
        "cron": options.cron if options else None,
        "every": options.every.total_seconds() if options and options.every else None,
        "timezone": options.timezone if options else None,
        "id": schedule_id or None,
        "refused": problem or None,
        "notes": list(entry.notes),
    }


def _show(entries: list[BeatEntry], outcomes: list[tuple[str, str]]) -> None:
    if not entries:
        show("No entries.")
        return
    table = make_table("ENTRY", "TASK", "RULE", "SCHEDULE")
    for entry, (schedule_id, problem) in zip(entries, outcomes, strict=True):
        options = entry.options
        rule = "-"
        if options:
            rule = options.cron or f"every {options.every.total_seconds() if options.every else 0:g} s"
        add_row(table, entry.name, entry.task_id, rule, f"refused: {problem}" if problem else schedule_id)
    show_table(table)
    for entry in entries:
        for note in entry.notes:
            show(f"{entry.name}: {note}", style="yellow")
