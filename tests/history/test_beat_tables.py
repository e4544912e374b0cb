"""The tables of django-celery-beat, read without Django."""

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from taskflow.errors import ScheduleError
from taskflow.history.beat_tables import read_beat_tables


def test_the_tables_of_django_celery_beat_are_read(tmp_path: Path) -> None:
    """With plain SQL: Django need not be installed where the command runs."""
    file = tmp_path / "db.sqlite3"
    with sqlite3.connect(file) as database:
        database.executescript("""
            CREATE TABLE django_celery_beat_intervalschedule (id INTEGER PRIMARY KEY, every INTEGER, period TEXT);
            CREATE TABLE django_celery_beat_crontabschedule (id INTEGER PRIMARY KEY, minute TEXT, hour TEXT,
                day_of_month TEXT, month_of_year TEXT, day_of_week TEXT, timezone TEXT);
            CREATE TABLE django_celery_beat_periodictask (id INTEGER PRIMARY KEY, name TEXT, task TEXT, args TEXT,
                kwargs TEXT, enabled BOOL, one_off BOOL, queue TEXT, interval_id INTEGER, crontab_id INTEGER);
            INSERT INTO django_celery_beat_intervalschedule VALUES (1, 2, 'hours');
            INSERT INTO django_celery_beat_crontabschedule VALUES (1, '0', '4', '*', '*', '1-5', 'America/New_York');
            INSERT INTO django_celery_beat_crontabschedule VALUES (2, '0', '4', '13', '*', '5', 'UTC');
            INSERT INTO django_celery_beat_periodictask VALUES
                (1, 'a', 'report', '[]', '{}', 1, 0, NULL, 1, NULL),
                (2, 'b', 'report', '[]', '{}', 0, 0, NULL, NULL, 1),
                (3, 'c', 'report', '[]', '{}', 1, 0, NULL, NULL, 2),
                (4, 'd', 'report', '[]', '{}', 1, 1, NULL, 1, NULL),
                (5, 'e', 'report', '[1]', '{"a": 2}', 1, 0, NULL, 1, NULL),
                (7, 'g', 'report', '[1', '{}', 1, 0, NULL, 1, NULL),
                (8, 'h', 'report', '[]', '[]', 1, 0, NULL, 1, NULL),
                (6, 'f', 'report', '[]', '{}', 1, 0, NULL, NULL, NULL);
        """)
    database.close()
    entries = {each.name: each for each in read_beat_tables(f"sqlite:///{file}")}
    first, second = entries["a"].options, entries["b"].options
    assert first is not None
    assert second is not None
    assert (first.every, first.active) == (timedelta(hours=2), True)
    assert (second.cron, second.timezone, second.active) == ("0 4 * * 1-5", "America/New_York", False)
    assert [name for name, each in entries.items() if each.refused] == ["c", "d", "f", "g", "h"]
    assert (entries["e"].args, entries["e"].kwargs) == ((1,), {"a": 2})
    assert "args" in entries["g"].refused
    assert "kwargs" in entries["h"].refused


def test_a_database_without_the_tables_is_named(tmp_path: Path) -> None:
    """Another database of the project was named."""
    file = tmp_path / "other.sqlite3"
    file.touch()
    with pytest.raises(ScheduleError, match="django_celery_beat"):
        read_beat_tables(f"sqlite:///{file}")


def test_a_database_file_that_is_not_there_is_refused_and_not_made(tmp_path: Path) -> None:
    """SQLite would make an empty file at the wrong address."""
    file = tmp_path / "wrong.sqlite3"
    with pytest.raises(ScheduleError, match="there is no such file"):
        read_beat_tables(f"sqlite:///{file}")
    assert not file.exists()
