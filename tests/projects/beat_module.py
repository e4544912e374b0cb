"""A beat schedule of plain Celery, to import."""

from celery.schedules import crontab

beat_schedule = {
    "hourly": {"task": "sched-on-demand", "schedule": crontab(minute="0")},
    "both": {"task": "sched-on-demand", "schedule": crontab(0, 0, day_of_month="1", day_of_week="mon")},
    "misspelt": {"task": "sched-on-demant", "schedule": 60.0},
}
