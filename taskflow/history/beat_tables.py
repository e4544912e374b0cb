"""Read the tables of django-celery-beat, without Django."""

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Row, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from taskflow.definition.scheduling.beat import BeatEntry, cron_of, entry
from taskflow.definition.scheduling.options import ScheduleOptions
from taskflow.errors import ScheduleError

_UNITS: Final = {"days": 86_400.0, "hours": 3600.0, "minutes": 60.0, "seconds": 1.0, "microseconds": 0.000_001}
_NO_RULE: Final = "It is neither an interval nor a crontab (one of a clock time or of the sun)."
_QUERY: Final = text("""
    SELECT task.name, task.task, task.args, task.kwargs, task.enabled, task.one_off, task.queue,
           interval.every, interval.period,
           cron.minute, cron.hour, cron.day_of_month, cron.month_of_year, cron.day_of_week, cron.timezone
    FROM django_celery_beat_periodictask AS task
    LEFT JOIN django_celery_beat_intervalschedule AS interval ON interval.id = task.interval_id
    LEFT JOIN django_celery_beat_crontabschedule AS cron ON cron.id = task.crontab_id
    ORDER BY task.name
""")


def read_beat_tables(url: str) -> list[BeatEntry]:
    """Return the entries of django-celery-beat's tables.

    Raises:
        ScheduleError: The database does not answer, or has no such tables.
    """
    try:
        engine = create_engine(url)
        _refuse_missing_file(engine.url)
        with closing(engine.connect()) as connection:
            rows: Sequence[Row[Any]] = connection.execute(_QUERY).all()
        engine.dispose()
    except (SQLAlchemyError, ImportError, ValueError) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        what = f"The tables of django-celery-beat could not be read: {type(error).__name__}: {reason}"
        remedy = "Give the SQLAlchemy URL of Django's database, for example sqlite:///db.sqlite3."
        raise ScheduleError(what, remedy=remedy) from None
    return [_entry(row) for row in rows if row.name != "celery.backend_cleanup"]


def _refuse_missing_file(url: URL) -> None:
    """Refuse the path of a file that does not exist, because SQLite would make an empty one."""
    path = url.database or ""
    if url.get_backend_name() == "sqlite" and not path.startswith("file:") and not Path(path).is_file():
        raise ValueError("there is no such file")


def _entry(row: Row[Any]) -> BeatEntry:
    try:
        args, kwargs = _json(row.args, []), _json(row.kwargs, {})
    except ValueError as refused:
        return BeatEntry(row.name, row.task, refused=str(refused))
    return replace(_rule_of(row), args=tuple(args), kwargs=kwargs)


def _rule_of(row: Row[Any]) -> BeatEntry:
    options = ("queue",) if row.queue else ()
    if row.one_off:
        return BeatEntry(row.name, row.task, refused="It runs once. Trigger the task with a delay instead.")
    if row.every is not None:
        period = timedelta(seconds=row.every * _UNITS.get(row.period, 0.0))
        return entry(row.name, row.task, period, "UTC", options=options, active=bool(row.enabled))
    if row.minute is None:
        return BeatEntry(row.name, row.task, refused=_NO_RULE)
    try:
        cron = cron_of([row.minute, row.hour, row.day_of_month, row.month_of_year, row.day_of_week])
        checked = ScheduleOptions.checked(
            cron=cron, timezone=row.timezone or "UTC", deduplication_key=f"beat:{row.name}", active=bool(row.enabled)
        )
    except ScheduleError as refused:
        return BeatEntry(row.name, row.task, refused=str(refused))
    return BeatEntry(row.name, row.task, checked, notes=tuple(f"its option {each!r} is left out" for each in options))


def _json(document: str | None, empty: Any) -> Any:
    """Return the arguments that a column has.

    Raises:
        ValueError: They are no JSON of that kind.
    """
    try:
        read = json.loads(document or json.dumps(empty))
    except ValueError:
        read = None
    if not isinstance(read, type(empty)):
        raise ValueError(f"Its {'args are no JSON array' if isinstance(empty, list) else 'kwargs are no JSON object'}.")
    return read
