"""The backend of Django's own tasks: of the package django-tasks on Django 5.2, of django.tasks on Django 6."""

from typing import Any

import pytest

from tests.support.django_site import DjangoSite, report

PROGRAM = """
import asyncio, json, sys, time
import django
django.setup()
from django.db import transaction
from ledger import background
from ledger.models import Effect

def shown(result):
    end = time.monotonic() + 30
    while not result.is_finished and time.monotonic() < end:
        time.sleep(0.02)
        try:
            result.refresh()
        except Exception as error:
            return type(error).__name__
    return {
        "status": str(result.status),
        "value": result.return_value if str(result.status) == "SUCCESSFUL" else None,
        "errors": [error.exception_class_path for error in result.errors],
        "texts": [error.traceback for error in result.errors],
        "attempts": result.attempts,
        "id": result.id,
        "order": result.enqueued_at <= result.started_at <= result.finished_at if result.started_at else None,
    }
"""


def answers(site: DjangoSite, code: str) -> Any:
    """Run code that assigns ``answer``, in a process of the site, and return what it assigned."""
    program = f"{PROGRAM}\n{code}\nprint(json.dumps(answer))"
    return report(site.call("-c", program, timeout=60, env={"DJANGO_SETTINGS_MODULE": "mysite.settings"}))


@pytest.mark.timeout(120)
def test_results_have_what_tasks_did(any_site: DjangoSite) -> None:
    """Values, errors with classes that can be imported, attempts, contexts and times, of def and async def tasks."""
    any_site.start_node("process")
    any_site.start_node("async")
    got = answers(
        any_site,
        """
made = {
    "add": background.add.enqueue(1, other=2),
    "async": background.add_later.enqueue(3, 4),
    "aenqueue": asyncio.run(background.add.aenqueue(5, 6)),
    "refuse": background.refuse.enqueue("no"),
    "leave": background.leave.enqueue(),
    "unspeakable": background.unspeakable.enqueue(),
    "tell": background.tell.enqueue("ada"),
    "third": background.third_time.enqueue(),
    "elsewhere": background.elsewhere.using(backend="default").enqueue(7),
    "prior": background.add.using(priority=100, queue_name="emails").enqueue(8, 9),
}
answer = {name: shown(result) for name, result in made.items()}
answer["again"] = background.add.get_result(made["add"].id).return_value
""",
    )
    values = {name: result["value"] for name, result in got.items() if name != "again"}
    assert values == {
        "add": 3,
        "async": 7,
        "aenqueue": 11,
        "refuse": None,
        "leave": None,
        "unspeakable": None,
        "tell": [1, got["tell"]["id"], "tell"],
        "third": 3,
        "elsewhere": 7,
        "prior": 17,
    }
    assert got["refuse"]["errors"] == ["ledger.background.RefusedError"]
    assert "RefusedError: no" in got["refuse"]["texts"][0]
    assert got["leave"]["errors"] == ["builtins.SystemExit"]
    assert got["unspeakable"]["errors"] == ["builtins.TypeError"]
    assert (got["third"]["attempts"], len(got["third"]["errors"])) == (3, 2)
    assert got["again"] == 3
    assert all(result["order"] for name, result in got.items() if name != "again")


@pytest.mark.timeout(120)
def test_a_delayed_task_is_ready_until_its_time(any_site: DjangoSite) -> None:
    """``run_after`` is honoured by the store, so that no worker holds the task."""
    any_site.start_node()
    got = answers(
        any_site,
        """
from datetime import timedelta
from django.utils import timezone
made = background.add.using(run_after=timezone.now() + timedelta(hours=1)).enqueue(1, 2)
made.refresh()
answer = {"status": str(made.status), "run": made.id}
""",
    )
    assert got["status"] == "READY"
    run = any_site.flow.engine.runs.retrieve(got["run"])
    assert (run.status, run.task_id) == ("DELAYED", "ledger.background.add")


def test_enqueue_waits_for_the_commit_unless_it_is_told_not_to(any_site: DjangoSite) -> None:
    """The id is there at once; a transaction that is rolled back leaves no result."""
    got = answers(
        any_site,
        """
from taskflow.contrib.django.tasks_backend.compat import task_enqueued
made, sent = {}, []
task_enqueued.connect(lambda task_result, **_: sent.append(task_result.id), weak=False)
try:
    with transaction.atomic():
        made["back"] = background.add.enqueue(1, 2)
        made["now"] = background.add.using(backend="at-once").enqueue(1, 2)
        raise KeyError
except KeyError:
    pass
with transaction.atomic():
    made["committed"] = background.add.enqueue(1, 2)
    before = list(sent)
answer = {
    "before": [result for result in before if result != made["now"].id],
    "sent": sent == [made["now"].id, made["committed"].id],
}
for name, result in made.items():
    try:
        result.refresh()
        answer[name] = str(result.status)
    except Exception as error:
        answer[name] = type(error).__name__
""",
    )
    statuses = {"back": "TaskResultDoesNotExist", "now": "READY", "committed": "READY"}
    assert got == {**statuses, "before": [], "sent": True}


def test_what_is_no_result_of_a_task_does_not_exist(any_site: DjangoSite) -> None:
    """Neither an unknown id, nor a run of another kind, nor another task's result."""
    got = answers(
        any_site,
        """
from ledger.tasks import OrderPayload, process
ids = ["run_1", "", "x" * 300, process.trigger(OrderPayload(name="a")).id]
answer = []
for each in ids:
    try:
        background.add.get_result(each)
    except Exception as error:
        answer.append(type(error).__name__)
try:
    background.refuse.get_result(background.add.enqueue(1, 2).id)
except Exception as error:
    answer.append(type(error).__name__)
""",
    )
    assert got == ["TaskResultDoesNotExist"] * 4 + ["TaskResultMismatch"]


def test_wrong_options_and_arguments_are_refused(any_site: DjangoSite) -> None:
    """Before a run exists."""
    got = answers(
        any_site,
        """
answer = []
for call in (
    lambda: background.add.using(queue_name="no queue!"),
    lambda: background.add.using(priority=101),
    lambda: background.add.enqueue(object(), 1),
):
    try:
        call()
    except Exception as error:
        answer.append(type(error).__name__)
""",
    )
    assert [name.removesuffix("Error") for name in got] == ["InvalidTask", "InvalidTask", "Type"]
