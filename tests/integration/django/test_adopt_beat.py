"""``manage.py taskflow_adopt_beat`` on the tables of django-celery-beat, and the hand-over from its scheduler."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from taskflow import Run, runs, schedules
from tests.support.django_site import DjangoSite
from tests.support.processes import stop_group
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until

COMMAND = ("manage.py", "taskflow_adopt_beat")
BEAT = ("-m", "celery", "-A", "taskflow.contrib.django.fleet", "beat", "-S", "django", "-l", "INFO")
PERIOD = timedelta(seconds=4)
ROWS = """
import django; django.setup()
from datetime import UTC, datetime, timedelta
from django_celery_beat.models import *
now = datetime.now(UTC)
hourly = IntervalSchedule.objects.create(every=1, period="hours")
fast = IntervalSchedule.objects.create(every=500, period="microseconds")
nightly = CrontabSchedule.objects.create(minute="30", hour="2", day_of_week="mon-fri", timezone="Europe/Berlin")
both = CrontabSchedule.objects.create(minute="0", hour="0", day_of_month="13", day_of_week="fri")
sun = SolarSchedule.objects.create(event="sunrise", latitude=52, longitude=13)
soon = ClockedSchedule.objects.create(clocked_time=now + timedelta(hours=3))
past = ClockedSchedule.objects.create(clocked_time=now - timedelta(days=3))
def row(name, task="site-tick", **fields):
    if task == "site-tick": fields = {"args": '["%s"]' % name} | fields
    PeriodicTask.objects.create(name=name, task=task, **fields)
row("arguments", interval=hourly, kwargs='{"amount": 3}', last_run_at=now - timedelta(minutes=20))
row("bare", "site-identity", interval=hourly)
row("nightly", "site-process-nightly", crontab=nightly, queue="slow", priority=3, expire_seconds=60, headers='{"a": 1}')
row("off", interval=hourly, enabled=False)
row("later", interval=hourly, start_time=now + timedelta(days=2))
row("once", interval=hourly, one_off=True, last_run_at=now - timedelta(minutes=20))
row("clocked", clocked=soon, one_off=True)
row("long-ago", clocked=past, one_off=True)
row("done", clocked=soon, one_off=True, total_run_count=1)
row("sun", solar=sun)
row("both", crontab=both)
row("fast", interval=fast)
row("unknown", "site-tock", interval=hourly)
row("misfit", interval=hourly, kwargs='{"amuont": 3}')
row("broken", interval=hourly, kwargs='{')
row("expired", interval=hourly, expires=now - timedelta(days=1))
row("ends", interval=hourly, expires=now + timedelta(days=1))
row("cleanup", "celery.backend_cleanup", interval=hourly)
"""
REFUSED = {
    "sun": "sun", "both": "both day fields", "fast": "at least a second", "unknown": "site-tick", "misfit": "amuont",
    "broken": "kwargs are no JSON", "ends": "no end", "long-ago": "long ago",
}  # fmt: skip
LEFT = {"done": "has run", "expired": "has expired", "cleanup": "results"}


@pytest.fixture
def beat_site(tmp_path: Path, valkey: RedisServer) -> Iterator[DjangoSite]:
    """A site with the tables of django-celery-beat."""
    made = DjangoSite(tmp_path, valkey, SITE_APPS='["django_celery_beat"]', DJANGO_SETTINGS_MODULE="mysite.settings")
    made.migrate()
    made.flow.set_default()
    yield made
    made.close()


RUN = """
import io, json
from django.core.management import call_command
def run(*options):
    out, code = io.StringIO(), 0
    try:
        call_command("taskflow_adopt_beat", *options, stdout=out, no_color=True)
    except SystemExit as ended:
        code = ended.code
    text = out.getvalue()
    return [code, {line["name"]: line for line in json.loads(text)} if "--json" in options else text]
def enabled():
    return sorted(PeriodicTask.objects.filter(enabled=True).values_list("name", flat=True))
"""


def run_program(site: DjangoSite, code: str) -> Any:
    """Run a program of the site, and return the JSON that it prints."""
    return json.loads(site.call("-c", code).splitlines()[-1])


@pytest.mark.timeout(120)
def test_rows_become_schedules_and_delayed_runs_and_the_rest_is_refused_with_a_reason(beat_site: DjangoSite) -> None:
    """A dry run makes nothing; a second adoption makes nothing twice; rows are disabled on request only."""
    began = datetime.now(UTC)
    told, tried, adopted, before, listed = run_program(
        beat_site,
        f"""{ROWS}{RUN}
from taskflow import schedules
print(json.dumps([
    run("--dry-run"), [*run("--dry-run", "--json"), len(schedules.list())], run("--json"), enabled(),
    [each.id for each in schedules.list()]
]))
""",
    )
    assert told[0] == 1
    assert "nightly (site-process-nightly, 30 2 * * mon-fri Europe/Berlin): (dry run)" in told[1]
    assert "its queue 'slow' is left out" in told[1]
    assert "18 rows, 8 refused." in told[1]
    code, lines, count = tried
    assert (code, count) == (1, 0)
    assert {name: words for name, words in REFUSED.items() if words not in lines[name]["refused"]} == {}
    assert {name: words for name, words in LEFT.items() if words not in lines[name]["made"]} == {}
    assert {name for name, line in lines.items() if line["refused"]} == set(REFUSED)
    assert (adopted[0], len(before), len(listed)) == (1, 17, 5)

    made = {str(each.deduplication_key): each for each in schedules.list()}
    assert set(made) == {"beat:arguments", "beat:bare", "beat:nightly", "beat:off", "beat:later"}
    arguments, nightly, later = made["beat:arguments"], made["beat:nightly"], made["beat:later"]
    assert (arguments.payload, arguments.catch_up) == ({"name": "arguments", "amount": 3}, "last")
    assert arguments.next_run is not None
    assert timedelta(minutes=38) < arguments.next_run - began < timedelta(minutes=41), "an hour after beat's last run"
    assert (nightly.cron, nightly.timezone, nightly.payload) == ("30 2 * * mon-fri", "Europe/Berlin", None)
    assert len(lines["nightly"]["notes"]) == 4
    assert (made["beat:bare"].payload, made["beat:off"].is_active) == (None, False)
    assert later.next_run is not None
    assert abs(later.next_run - began - timedelta(days=2)) < timedelta(minutes=2), "at its start_time"
    single = {str(run.payload): run for run in (runs.retrieve(each.id) for each in runs.list(limit=10))}
    assert set(single) == {"{'name': 'once'}", "{'name': 'clocked'}"}
    for name, due in (("once", timedelta(minutes=40)), ("clocked", timedelta(hours=3))):
        run = single[str({"name": name})]
        assert run.due_at is not None
        assert abs(run.due_at - began - due) < timedelta(minutes=2)

    schedules.deactivate(arguments.id)
    program = "import django; django.setup()\nfrom django_celery_beat.models import *\n"
    (_, again), left = run_program(
        beat_site, f"{program}{RUN}\nprint(json.dumps([run('--json', '--disable-rows'), enabled()]))"
    )
    assert "already" in again["arguments"]["made"]
    assert schedules.retrieve(arguments.id).is_active is False, "what an operator has changed stays"
    assert len(schedules.list()) == 5
    assert len(list(runs.list(limit=10))) == 2
    assert set(left) == set(REFUSED) | set(LEFT)


def ticks_of(schedule_id: str | None) -> list[Run]:
    """Return the runs that ticks of the row have made, oldest first: by beat (None), or by the schedule."""
    found = [run for run in runs.list(limit=500) if run.task_id == "site-tick" and run.schedule_id == schedule_id]
    return sorted(found, key=lambda run: run.created_at)


@pytest.mark.timeout(150)
def test_a_hand_over_from_beat_loses_no_tick_and_fires_none_twice(beat_site: DjangoSite) -> None:
    """Beat fires, is stopped, the command takes its rows over, and the workers fire: one run each period throughout."""
    program = f"""
import django; django.setup()
from django_celery_beat.models import *
period = IntervalSchedule.objects.create(every={PERIOD.seconds}, period="seconds")
PeriodicTask.objects.create(name="row", task="site-tick", interval=period, kwargs='{{"name": "row"}}')
print()
"""
    beat_site.call("-c", program)
    beat_site.start_worker()
    beat = beat_site.start("beat", *BEAT)
    wait_until(lambda: len(ticks_of(None)) >= 2, "two ticks of beat", timeout=60)
    stop_group(beat)  # SIGTERM: beat saves when it has fired each row last
    beat_site.call(*COMMAND, "--disable-rows")
    (schedule,) = schedules.list()
    assert schedule.anchor is not None
    late_beat = beat_site.start("late-beat", *BEAT)  # somebody starts it again: its row is disabled
    wait_until(lambda: len(ticks_of(schedule.id)) >= 4, "four ticks of the schedule", timeout=60)
    stop_group(late_beat)

    before = ticks_of(None)
    origins = [runs.retrieve(run.id).triggered_by or "" for run in ticks_of(schedule.id)]
    after = [datetime.fromisoformat(origin.removeprefix("tick ")) for origin in origins]
    assert timedelta() <= schedule.anchor - before[-1].created_at + timedelta(seconds=1) < timedelta(seconds=2)
    numbers = [round((tick - schedule.anchor) / PERIOD) for tick in after]
    first = max(1, int((schedule.created_at - schedule.anchor) / PERIOD))
    assert numbers == list(range(first, first + len(numbers)))
    effects = beat_site.rows("SELECT run_id FROM ledger_effect WHERE name = 'row:1'")
    wait_until(lambda: len(set(effects)) >= len(before) + 3, "the runs to execute", timeout=10)
    assert len(effects) == len(set(effects))


def test_a_site_without_the_tables_is_told(site: DjangoSite) -> None:
    """Nothing is made of a site that never had them."""
    answer = site.call(*COMMAND, check=False)
    assert answer.startswith("1\n")
    assert "django_celery_beat is not among INSTALLED_APPS" in answer
