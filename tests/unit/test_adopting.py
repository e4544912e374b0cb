"""Parts of the report of ``taskflow adopt`` that a small Celery app shows."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery, Task

from taskflow.cli.adopting.app_lines import lines_of_app
from taskflow.cli.adopting.probe import given_settings
from taskflow.cli.adopting.source import uses_of
from taskflow.cli.adopting.task_lines import lines_of_task
from taskflow.cli.adopting.tasks import task_facts

APP = Celery("adopting", set_as_current=False)
APP.conf.update(task_acks_late=True, task_serializer="pickle", task_track_started=True, task_time_limit=60)


class Base(Task):  # type: ignore[type-arg]
    """A base class with a connection, and with retries for all of its tasks."""

    abstract = True
    autoretry_for = (ConnectionError,)
    retry_kwargs = {"max_retries": 7}  # noqa: RUF012 - as projects write it
    retry_backoff = True
    _db = None

    @property
    def db(self) -> object:
        """A connection."""
        return self._db


@APP.task(base=Base, bind=True, name="ad-charge", serializer="json")
def charge(self: Any, order_id: int) -> int:
    return order_id


@APP.task(name="ad-report", autoretry_for=(Exception,), retry_kwargs={"max_retries": 2, "countdown": 5})
def report() -> None: ...


@APP.task(name="ad-manual", retry_kwargs={"max_retries": 9})
def manual() -> None: ...


def lines(name: str) -> dict[str, str]:
    """Return what each part of a task becomes, or what is to do about it."""
    facts = task_facts(APP.tasks[name]) | {"calls_retry": False}
    return {line.what: line.becomes or line.to_do for line in lines_of_task(facts, ())}


def test_retry_kwargs_say_how_often_and_when_a_task_is_tried_again() -> None:
    """They go before max_retries, also those of a base class; without autoretry_for they say nothing."""
    assert "Retry(max_attempts=8, min_delay=1, factor=2, max_delay=600)" in lines("ad-charge")["a Celery task"]
    assert "Retry(max_attempts=3, min_delay=5, max_delay=5, factor=1" in lines("ad-report")["a Celery task"]
    assert "Retry(max_attempts=1)" in lines("ad-manual")["a Celery task"]


def test_what_a_base_class_holds_needs_a_decision() -> None:
    """The task calls it as self.db, and there is no self."""
    (what,) = [each for each in lines("ad-charge") if "db" in each]
    assert what.endswith("Base: _db, db")
    assert "Local" in lines("ad-charge")[what]


def test_options_that_the_app_sets_for_all_tasks_are_shown_once() -> None:
    """At their setting; a task that differs has a line, and so has what its declaration is made of."""
    assert not [what for what in lines("ad-report") if what.startswith(("acks_late", "serializer", "track_started"))]
    assert "max_duration=60" in lines("ad-report")["a Celery task"]


def test_ignore_and_reject_and_a_beat_entry_of_no_task_are_named(tmp_path: Path) -> None:
    """Each would go wrong in silence: a failed attempt, and a tick that nobody executes."""
    module = tmp_path / "tasks.py"
    module.write_text("def a():\n    raise Ignore()\ndef b():\n    raise exceptions.Reject('x', requeue=True)\nraise\n")
    assert [(use["use"], use["line"]) for use in uses_of(str(module))] == [("Ignore", 2), ("Reject", 4)]
    entry: dict[str, Any] = {
        "name": "old", "task": "ad-gone", "cron": None, "every": 5.0, "timezone": "UTC", "args": [], "kwargs": {},
        "refused": "", "options": [],
    }  # fmt: skip
    facts: dict[str, Any] = {
        "app": "x", "others": [], "broker": "amqp", "result_backend": "", "tasks": [], "routes": [], "queues": [],
        "beat": [entry], "signals": [], "uses": uses_of(str(module)),
        "settings": {"beat_scheduler": "django_celery_beat.schedulers:DatabaseScheduler"},
    }  # fmt: skip
    to_do = {line.name: line.to_do for line in lines_of_app(facts)}
    assert "taskflow_adopt_beat" in to_do["beat_scheduler"]
    assert "Redis or Valkey beside it" in next(line.becomes for line in lines_of_app(facts) if line.kind == "app")
    assert "AbortRun" in to_do["Reject"]
    assert "return" in to_do["Ignore"]
    assert to_do["old"] == "The app has no task of that name."


def test_settings_of_a_namespace_are_found() -> None:
    """Django sites have them as CELERY_...; none of them had a line."""
    app = Celery("namespaced", set_as_current=False)
    app.config_from_object(SimpleNamespace(CELERY_TASK_TIME_LIMIT=60, OTHER=1), namespace="CELERY")
    assert "task_time_limit" in given_settings(app.conf)
    assert "task_acks_late" not in given_settings(app.conf)


@pytest.mark.parametrize("code", ["raise", "raise ValueError", "x = chain", "def broken("])
def test_other_code_is_no_use_of_celery(tmp_path: Path, code: str) -> None:
    """A report with lines about code of others would not be read."""
    module = tmp_path / "other.py"
    module.write_text(code)
    assert uses_of(str(module)) == []
