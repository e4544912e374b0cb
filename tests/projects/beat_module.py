"""A beat schedule of plain Celery, to import."""

from celery.schedules import crontab

beat_schedule = {
    "hourly": {"task": "sched-on-demand", "schedule": crontab(minute="0")},
    "both": {"task": "sched-on-demand", "schedule": crontab(0, 0, day_of_month="1", day_of_week="mon")},
    "arguments": {"task": "sched-charge", "schedule": 3600.0, "args": ["order 1"], "kwargs": {"amount": 3}},
    "unfit": {"task": "sched-charge", "schedule": 3600.0, "kwargs": {"amount": "much"}},
    "unnamed": {"task": "sched-elsewhere", "schedule": 3600.0, "args": [1]},
    "misspelt": {"task": "sched-on-demant", "schedule": 60.0},
}
