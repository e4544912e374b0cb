"""Entries of Celery's beat as schedules."""

from datetime import timedelta

from celery.schedules import crontab, schedule

from taskflow.definition.scheduling.beat import entries_of


class solar:  # noqa: N801 - as Celery's own, which needs another library
    """A schedule by the sun."""


BEAT = {
    "nightly": {"task": "report", "schedule": crontab(hour="3", minute="0"), "options": {"queue": "q"}},
    "workdays": {"task": "report", "schedule": crontab(minute="*/20", hour="8-17", day_of_week="monday-fri")},
    "seconds": {"task": "ping", "schedule": 30.0},
    "period": {"task": "ping", "schedule": schedule(run_every=timedelta(minutes=5))},
    "both": {"task": "report", "schedule": crontab(0, 0, day_of_month="1-7", day_of_week="mon")},
    "sun": {"task": "report", "schedule": solar()},
    "arguments": {"task": "report", "schedule": 60, "args": [1]},
}


def test_a_beat_schedule_becomes_schedules_and_the_rest_is_refused_with_a_reason() -> None:
    """Celery wants both day fields to fit, which no cron expression says."""
    entries = {each.name: each for each in entries_of(BEAT, "Europe/Berlin")}
    rules = {name: (each.options.cron or each.options.every) for name, each in entries.items() if each.options}
    assert rules == {
        "nightly": "0 3 * * *",
        "workdays": "*/20 8-17 * * MON-fri",
        "seconds": timedelta(seconds=30),
        "period": timedelta(minutes=5),
        "arguments": timedelta(minutes=1),
    }
    nightly = entries["nightly"].options
    assert nightly is not None
    assert (nightly.timezone, nightly.deduplication_key) == ("Europe/Berlin", "beat:nightly")
    assert entries["nightly"].notes == ("its option 'queue' is left out",)
    assert "both day fields" in entries["both"].refused
    assert "solar" in entries["sun"].refused
    assert (entries["arguments"].args, entries["arguments"].kwargs) == ((1,), {})
