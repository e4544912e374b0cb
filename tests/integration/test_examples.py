"""The example sites as their users run them: a real web server, a real store and a real Celery worker."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest

from taskflow import Settings, TaskFlow, runs
from tests.conftest import MakeServer
from tests.support.processes import spawn, stop_group, tail
from tests.support.servers import HOST, RedisServer, find_valkey, free_port
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
SITES = {
    "flask": ["-m", "flask", "--app", "examples.flask_app.app", "run", "--host", HOST, "--port", "{port}"],
    "django": ["examples/django_app/manage.py", "runserver", "--noreload", f"{HOST}:{{port}}"],
}
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


class Page(HTMLParser):
    """The parts of a page that the tests check: the form's fields, elements by id, and every tag."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self.texts: dict[str, str] = {}
        self.tags: set[str] = set()
        self.reloads = False
        self._open: str | None = None
        self.feed(response.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.tags.add(tag)
        self.reloads |= tag == "meta" and attributes.get("http-equiv") == "refresh"
        if tag == "input":
            self.fields[attributes["name"] or ""] = attributes.get("value") or ""
        elif "id" in attributes:
            self._open = attributes["id"]

    def handle_endtag(self, tag: str) -> None:
        self._open = None

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts[self._open] = self.texts.get(self._open, "") + data


class Site:
    """One running example and a browser (a client that keeps cookies) on it."""

    def __init__(self, name: str, directory: Path, store_url: str) -> None:
        self.name, self.port = name, free_port()
        self.log = directory / f"{name}.log"
        argv = [sys.executable, *(part.format(port=self.port) for part in SITES[name])]
        with self.log.open("wb") as output:
            self.process = spawn(argv, env=environment(store_url), cwd=ROOT, output=output)
        self.client = httpx.Client(base_url=f"http://{HOST}:{self.port}", timeout=10)
        wait_until(self._answers, f"the {name} site; its log: {self.log}", timeout=30, interval=0.1)

    def _answers(self) -> bool:
        assert self.process.poll() is None, tail(self.log)
        try:
            return self.client.get("/").status_code == 200
        except httpx.TransportError:
            return False

    def submit(self, message: str) -> httpx.Response:
        """Open the form, fill it in and send it with all of its fields."""
        fields = Page(self.client.get("/")).fields
        assert "message" in fields
        return self.client.post("/", data=fields | {"message": message})

    def run(self, address: str) -> dict[str, Any]:
        """Return the JSON of the run whose page is at an address."""
        response = self.client.get(f"/api{address}")
        assert response.status_code == 200, response.text
        document: dict[str, Any] = response.json()
        return document

    def finished(self, address: str) -> dict[str, Any]:
        """Return the JSON of a run after its end."""
        wait_until(lambda: self.run(address)["is_finished"], f"{address} to end", timeout=20, interval=0.1)
        return self.run(address)

    def close(self) -> None:
        """Stop the server."""
        self.client.close()
        stop_group(self.process)


def environment(store_url: str) -> dict[str, str]:
    """Return the environment variables of all processes of the tests, without the developer's own settings."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LANG": "C.UTF-8",
        "TASKFLOW_REDIS_URL": store_url,
        "TASKFLOW_CONNECT_TIMEOUT": "PT1S",
        "TASKFLOW_TASKS": "workers.tasks",
    }


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The store of this module. It is not emptied between the tests."""
    server = RedisServer(tmp_path_factory.mktemp("store"), find_valkey(), name="Valkey")
    server.start()
    yield server
    server.close()


@pytest.fixture(scope="module")
def worker(store: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A worker started by Celery's own command."""
    log = tmp_path_factory.mktemp("worker") / "worker.log"
    argv = [sys.executable, "-m", "celery", "-A", "workers", "worker", "-Q", "dev.small-1x.process", "-c", "2"]
    with log.open("wb") as output:
        process = spawn([*argv, "-n", "examples@%h", "-l", "INFO"], env=environment(store.url), cwd=ROOT, output=output)
    yield
    code = stop_group(process)
    assert code == 0, tail(log)


@pytest.fixture(scope="module", params=sorted(SITES))
def site(
    request: pytest.FixtureRequest, store: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Each example site in turn."""
    started = Site(request.param, tmp_path_factory.mktemp("site"), store.url)
    yield started
    started.close()


@pytest.fixture(scope="module")
def failed_run(store: RedisServer, worker: None) -> str:
    """The address of a run that failed, triggered by the command line."""
    argv = [sys.executable, "-m", "taskflow.cli.main", "trigger", "flaky", "99", "--max-attempts", "1"]
    done = subprocess.run(argv, env=environment(store.url), cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return f"/runs/{done.stdout.strip()}"


def run_ids(store: RedisServer) -> set[str]:
    """Return the ids of all runs, as the public API lists them."""
    flow = TaskFlow(Settings.read(redis_url=store.url))
    with flow:
        ids = {run.id for run in runs.list(limit=1000)}
    flow.close()
    return ids


@pytest.mark.usefixtures("worker")
def test_a_submitted_form_becomes_a_run_whose_page_shows_the_result(site: Site) -> None:
    """The whole way of a visitor: form, redirect, waiting page, result."""
    sent = site.submit("world")
    assert sent.status_code in (302, 303)
    address = sent.headers["location"]
    assert address.startswith("/runs/")

    done = site.finished(address)
    run_id = address.removeprefix("/runs/")
    assert done == {
        "id": run_id,
        "task": "hello-world",
        "status": "COMPLETED",
        "is_finished": True,
        "output": f"HELLO WORLD (run {run_id})",
        "error": None,
    }
    page = Page(site.client.get(address))
    assert page.texts["status"] == "COMPLETED"
    assert page.texts["output"] == done["output"]
    assert not page.reloads


def test_a_run_nobody_has_started_is_shown_as_pending_and_reloads(
    tmp_path: Path, start_valkey: MakeServer, site: Site
) -> None:
    """Without JavaScript, the page itself must come back until there is a result. No worker has run on this store."""
    waiting = Site(site.name, tmp_path, start_valkey().url)
    try:
        address = waiting.submit("nobody is there").headers["location"]
        page = Page(waiting.client.get(address))
    finally:
        waiting.close()
    assert page.texts["status"] == "PENDING_VERSION"
    assert page.reloads


def test_a_failed_run_shows_its_error_and_no_traceback(site: Site, failed_run: str) -> None:
    """Visitors read the error. File names and lines of code are not meant for them."""
    done = site.finished(failed_run)
    assert done["status"] == "FAILED"
    assert done["error"] == {"type": "ConnectionError", "message": "the flaky service refused attempt 1"}
    response = site.client.get(failed_run)
    page = Page(response)
    assert page.texts["error"] == "ConnectionError: the flaky service refused attempt 1"
    assert "Traceback" not in response.text
    assert not page.reloads


@pytest.mark.usefixtures("worker")
def test_hostile_input_is_shown_as_text(site: Site) -> None:
    """One visitor's input is never code in another visitor's browser."""
    address = site.submit(HOSTILE).headers["location"]
    assert HOSTILE.upper() in site.finished(address)["output"]
    result = Page(site.client.get(address))
    assert HOSTILE.upper() in result.texts["output"]
    refused = Page(site.submit(HOSTILE * 10))
    assert refused.fields["message"] == HOSTILE * 10
    unknown = Page(site.client.get("/runs/%3Cscript%3Ealert(1)%3C%2Fscript%3E".replace("%2F", "")))
    for page in (result, refused, unknown):
        assert page.tags.isdisjoint({"script", "img"})


@pytest.mark.parametrize(
    "message, reason",
    [("", "at least 1 character"), ("   ", "at least 1 character"), ("x" * 201, "at most 200 characters")],
    ids=["empty", "blank", "too long"],
)
def test_wrong_input_is_explained_in_the_form_and_triggers_nothing(
    site: Site, store: RedisServer, message: str, reason: str
) -> None:
    """The payload's own model decides, before any run exists."""
    before = run_ids(store)
    response = site.submit(message)
    assert response.status_code == 422
    assert reason in response.text
    assert Page(response).fields["message"] == message.strip()
    assert run_ids(store) == before


@pytest.mark.parametrize("token", [None, "", "forged", "é"])
def test_a_form_sent_from_another_site_is_refused(site: Site, store: RedisServer, token: str | None) -> None:
    """Otherwise any page that a visitor opens could trigger runs in their name."""
    before = run_ids(store)
    name = next(field for field in Page(site.client.get("/")).fields if "csrf" in field)
    fields = {"message": "forged"} | ({} if token is None else {name: token})
    assert site.client.post("/", data=fields).status_code == 403
    with httpx.Client(base_url=site.client.base_url) as stranger:  # knows a token, but not the visitor's cookie
        known = Page(site.client.get("/")).fields
        assert stranger.post("/", data=known | {"message": "forged"}).status_code == 403
    assert run_ids(store) == before


@pytest.mark.parametrize("run_id", ["run_unknown", "x", "run_99_01abc", "..%00", "%F0%9F%92%A9"])
def test_an_unknown_run_is_not_found(site: Site, run_id: str) -> None:
    """An id in the address is a visitor's mistake, not the site's."""
    page = site.client.get(f"/runs/{run_id}")
    assert page.status_code == 404
    answer = site.client.get(f"/api/runs/{run_id}")
    assert answer.status_code == 404
    assert "no run" in answer.json()["error"]


@pytest.mark.parametrize("name", sorted(SITES))
def test_a_store_that_is_down_gives_503_and_the_site_recovers(
    name: str, tmp_path: Path, start_valkey: MakeServer
) -> None:
    """A visitor reads that it is not their fault; nobody has to restart the site afterwards."""
    store = start_valkey()
    site = Site(name, tmp_path, store.url)
    try:
        address = site.submit("before").headers["location"]
        store.stop()
        for response in (site.submit("lost"), site.client.get(address)):
            assert response.status_code == 503
            assert "not available at the moment" in response.text
            assert "redis://" not in response.text
        answer = site.client.get(f"/api{address}")
        assert answer.status_code == 503
        assert "not available" in json.loads(answer.text)["error"]
        store.start()
        wait_until(lambda: site.client.get(address).status_code == 200, "the site to recover", interval=0.1)
        assert site.submit("after").status_code in (302, 303)
    finally:
        site.close()


@pytest.mark.parametrize("name", sorted(SITES))
def test_a_run_whose_fate_is_unknown_is_named(name: str, tmp_path: Path, start_valkey: MakeServer) -> None:
    """The store hangs after it was asked: the visitor must not send the form twice, and can look the run up."""
    store = start_valkey()
    site = Site(name, tmp_path, store.url)
    try:
        fields = Page(site.client.get("/")).fields
        site.submit("warm up: the connection is there")
        os.kill(store.pid, signal.SIGSTOP)
        response = site.client.post("/", data=fields | {"message": "maybe"})
        os.kill(store.pid, signal.SIGCONT)
        assert response.status_code == 503
        named = re.search(r"may have been taken: look at run (\S+) before", response.text)
        assert named, response.text
        address = f"/runs/{named.group(1)}"
        wait_until(lambda: site.client.get(address).status_code == 200, "the run that was taken", interval=0.1)
    finally:
        site.close()


@pytest.mark.parametrize("name", ["evil.example", "evil.example:80"])
def test_a_foreign_host_name_is_refused(site: Site, name: str) -> None:
    """A site on loopback must not answer a name that somebody else's DNS points at it."""
    assert site.client.get("/", headers={"Host": name}).status_code == 400
