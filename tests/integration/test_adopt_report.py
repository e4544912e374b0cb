"""``taskflow adopt MODULE``: what an existing Celery app becomes."""

import ast
import json
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import plain_environment, run_command
from tests.support.fleet import ROOT

pytestmark = pytest.mark.timeout(120)  # a process each
SHOP = "tests.projects.celery_shop"


def adopt(*words: str, folder: Path = ROOT, **env: str) -> "subprocess.CompletedProcess[str]":
    """Call the command."""
    return run_command("adopt", *words, env=plain_environment(**env), cwd=folder, timeout=100)


@pytest.fixture(scope="module")
def lines() -> list[dict[str, Any]]:
    """The report of the shop."""
    done = adopt(f"{SHOP}:app", "--json")
    assert done.returncode == 1, done.stderr
    assert "a module may print" in done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def find(lines: list[dict[str, Any]], kind: str, name: str, what: str = "") -> dict[str, Any]:
    """Return the one line of a part."""
    (line,) = (each for each in lines if (each["kind"], each["name"]) == (kind, name) and what in each["what"])
    return line


def test_each_task_becomes_a_declaration_that_keeps_its_retries(lines: list[dict[str, Any]]) -> None:
    """A task that Celery never tried again is not tried again, and one attempt more than retries is made."""
    charge = find(lines, "task", "shop.charge")
    assert charge["becomes"] == (
        "@task(id='shop.charge', retry=Retry(max_attempts=6, min_delay=2, factor=2, max_delay=600), max_duration=60)\n"
        "def charge(ctx: Context, order_id: str, amount: float = 1.0, *, note: str | None = None): ..."
    )
    assert charge["place"].startswith(f"{ROOT}/tests/projects/celery_shop.py:")
    mail = find(lines, "task", "mail.send")["becomes"]
    assert "Retry(max_attempts=4, min_delay=30, max_delay=30, factor=1, randomize=False)" in mail
    assert "queue=Queue('emails', rate_limit='10/m')" in mail
    assert "def mail(to, ctx: Context)" in mail
    assert "retry=Retry(max_attempts=1)" in find(lines, "task", "shop.sweep")["becomes"]
    heavy = find(lines, "task", "shop.heavy")["becomes"]
    assert "queue='heavy'" in heavy
    for line in lines:
        if line["kind"] in ("task", "schedule") and line["becomes"]:
            ast.parse(line["becomes"])  # code that can be written as it stands


def test_what_does_not_map_says_what_to_do(lines: list[dict[str, Any]]) -> None:
    """Each part by itself, so that the list can be worked through."""
    parts = {(line["kind"], line["name"], line["what"]): line["to_do"] for line in lines if line["to_do"]}
    expected = {
        ("parameter", "shop.heavy", "*parts"): "Write the parameters out",
        ("option", "shop.heavy", "serializer='pickle'"): "Payloads are JSON",
        ("option", "shop.heavy", f"{SHOP}.Audited.apply_async"): "Nothing calls it for a run",
        ("option", "mail.send", "rate_limit='10/m'"): "for the whole fleet",
        ("route", r"shop\.heavy", "to heavy"): "Left out of the route: priority",
        ("route", "tests.projects.celery_shop.Router", "a router function"): "Write queue=",
        ("schedule", "dusk", "a beat entry of shop.sweep"): "celery beat still works",
        ("signal", f"{SHOP}.publishing", "before_task_publish"): "publishes no message",
        ("use", ".chunks", "a call"): "batch_trigger",
        ("setting", "accept_content", "accept_content=['json', 'pickle']"): "never pickle",
        ("setting", "worker_max_tasks_per_child", "worker_max_tasks_per_child=100"): "machine",
    }
    assert {part: expected.get(part, "") in to_do for part, to_do in parts.items()} == dict.fromkeys(expected, True)


def test_schedules_routes_signals_and_canvas_say_what_they_become(lines: list[dict[str, Any]]) -> None:
    """Arguments of a beat entry stay: the schedule's task triggers the other one with them."""
    nightly = find(lines, "schedule", "nightly-sweep")["becomes"]
    assert "@schedules.task(id='beat-nightly-sweep', cron='0 3 * * *', timezone='Europe/Berlin')" in nightly
    assert "def beat_ping() -> None: ping.trigger('a', times=2)" in find(lines, "schedule", "ping")["becomes"]
    assert find(lines, "route", "mail.*")["becomes"] == "queue='emails' at mail.send"
    assert "works as it is" in find(lines, "signal", f"{SHOP}.failed")["becomes"]
    assert "ConnectionError" in find(lines, "option", "shop.charge", "autoretry_for")["becomes"]
    assert "@task(on_failure=...)" in find(lines, "option", "shop.heavy", "on_failure")["becomes"]
    uses = {line["name"] for line in lines if line["kind"] == "use"}
    assert uses >= {"chain", "chord", "group", ".s", ".si", ".delay", "self.retry", "self.request", "self.update_state"}


def test_the_report_connects_to_no_broker() -> None:
    """It is called on a developer's machine, perhaps with the settings of production."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        done = adopt(SHOP, SHOP_BROKER=f"redis://127.0.0.1:{server.getsockname()[1]}/0")
        assert "shop.charge: a Celery task" in done.stdout
        assert "of them with something to decide." in done.stdout
        with pytest.raises(TimeoutError):
            server.accept()


def test_a_project_that_maps_as_it_is_exits_with_0(tmp_path: Path) -> None:
    """A build can ask whether something is left."""
    (tmp_path / "small.py").write_text(
        "from celery import Celery\napp = Celery('small', broker='redis://localhost:1')\n"
        "@app.task\ndef add(a: int, b: int) -> int: return a + b\n"
    )
    done = adopt("small", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "def add(a: int, b: int): ..." in done.stdout


@pytest.mark.parametrize(
    "code, words",
    [
        ("", "has no Celery app. Name the one that makes it: shop.celery:app."),
        ("import nothing_of_that_name", "can't be imported: broken.py:1: ModuleNotFoundError"),
        ("import os; os._exit(3)", "ended its process"),
        (None, "can't be found"),
    ],
)
def test_a_module_that_cannot_be_read_is_one_line(code: str | None, words: str, tmp_path: Path) -> None:
    """Its mistake, not a traceback of the command."""
    if code is not None:
        (tmp_path / "broken.py").write_text(code)
    done = adopt("broken", folder=tmp_path)
    assert done.returncode == 1
    assert words in done.stderr
    assert "taskflow/cli" not in done.stderr


def test_a_wrong_call_exits_with_2() -> None:
    """As every command does."""
    assert adopt().returncode == 2
    assert adopt(SHOP, "--jsno").returncode == 2


ODD = """
from celery import Celery, Task
app = Celery("odd", broker="redis://localhost:1")
alias, other = app, Celery("other", broker="redis://localhost:1")

@app.task(name="odd.own", queue="special")
def own_queue(a: int): ...

@app.task(name="odd.exact", throws=(KeyError,), autoretry_for=(Exception,))
def exact(a: int): ...

@app.task(name="odd.bound", bind=True, autoretry_for=(ValueError,))
def bound(self, a: int, *, b: int = 1):
    raise self.retry(countdown=3)

@app.task(name="odd.hidden", bind=True)
def hidden(self, *, a: int):
    raise self.retry()

class Report(Task):
    name = "odd.report"
    def run(self, a: int): ...

app.register_task(Report())
app.conf.task_routes = ({"odd.*": "glob", "odd.exact": "exact", "odd.ow?": "name"}, {"odd.exact": "later"})
app.conf.beat_schedule = {"each": {"task": "odd.own", "schedule": 30.0, "args": (1,)}}

def create_app():
    return app
"""


def test_the_report_of_an_unusual_app_says_what_celery_does(tmp_path: Path) -> None:
    """A task's own queue and exact names go first, functions have names of their own, and each app is named."""
    (tmp_path / "odd.py").write_text(ODD)
    done = adopt("odd", "--json", folder=tmp_path)
    lines: list[dict[str, Any]] = json.loads(done.stdout)
    assert "queue='special'" in find(lines, "task", "odd.own")["becomes"]
    assert "queue='exact'" in find(lines, "task", "odd.exact")["becomes"]
    report = find(lines, "task", "odd.report")["becomes"]
    assert "queue='glob'" in report
    assert "def Report(" in report
    routes = {line["what"] + line["name"]: line["becomes"] for line in lines if line["kind"] == "route"}
    assert routes["to exactodd.exact"] == "queue='exact' at odd.exact"
    assert routes["to laterodd.exact"] == routes["to nameodd.ow?"] == "it is no task's"
    assert "own_queue.trigger(1)" in find(lines, "schedule", "each")["becomes"]
    assert find(lines, "app", "other")["to_do"]
    assert [line["name"] for line in lines if line["kind"] == "app" and line["to_do"]] == ["other"]


def test_the_report_keeps_which_errors_are_tried_again(tmp_path: Path) -> None:
    """``throws`` chooses a log level, and ``self.retry`` is tried again beside the errors of autoretry_for."""
    (tmp_path / "odd.py").write_text(ODD)
    lines: list[dict[str, Any]] = json.loads(adopt("odd", "--json", folder=tmp_path).stdout)
    assert find(lines, "option", "odd.exact", "throws")["becomes"].startswith("left out")
    assert "(ValueError, RetryAfter,)" in find(lines, "option", "odd.bound", "autoretry_for")["becomes"]
    assert "(RetryAfter,)" in find(lines, "option", "odd.hidden", "self.retry")["becomes"]
    hidden = [line["name"] for line in lines if line["kind"] == "parameter" and line["to_do"]]
    assert hidden == ["odd.hidden"]  # the other one has a parameter by position


def test_a_name_that_is_no_app_is_refused_with_its_type(tmp_path: Path) -> None:
    """A factory is not called, because nothing says with what."""
    (tmp_path / "odd.py").write_text(ODD)
    done = adopt("odd:create_app", folder=tmp_path)
    assert done.returncode == 1
    assert "is of type function, and no Celery app" in " ".join(done.stderr.split())
