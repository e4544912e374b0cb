"""The client of a server by itself: what it loads, what it repeats, how it waits, and what it says when it can't."""

import asyncio
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest
from typer.testing import CliRunner

from taskflow import (
    ApiAddressError,
    BatchItem,
    KeyRefusedError,
    NotOverHttpError,
    OutsideRunError,
    RunFilter,
    ServerUnavailableError,
    SettingsError,
    StoreUnavailableError,
    TaskFlow,
    queues,
    runs,
    schedules,
    tasks,
)
from taskflow.cli.main import app
from taskflow.http_client.application import ServerClient
from taskflow.http_client.transport import tries
from taskflow.seams.current_application import CURRENT
from tests.http_client.conftest import MODULE, MakeClient, Served
from tests.projects.client_tasks import Order, Receipt, buy, nap
from tests.support.fleet import ROOT
from tests.support.servers import free_port
from tests.support.unreliable_proxy import UnreliableProxy
from tests.support.waiting import beside, wait_until

LOADS = """
import os, sys

ABSENT = ("redis", "valkey", "celery", "kombu", "billiard", "vine", "amqp", "sqlalchemy", "fsspec")
sys.modules |= dict.fromkeys(ABSENT)  # an import of one of them raises

import taskflow
from tests.projects.client_tasks import Order, buy

assert buy.trigger(Order(number=2)).result(20).total == 4
made = taskflow.batch.trigger([(buy, Order(number=1)), ("hc-nothing", None)])
assert [result.ok for result in made.results(20)] == [True, True]
if child := os.fork():
    assert os.waitpid(child, 0)[1] == 0
else:
    buy.trigger(Order(number=3)).result(20)
    os._exit(0)
print(*(name for name in sys.modules if name.partition(".")[0] in ABSENT and sys.modules[name] is not None))
print(*(name for name in ("taskflow.store", "taskflow.engine", "taskflow.app") if name in sys.modules))
print("httpx" in sys.modules)
"""


def test_a_client_loads_neither_redis_nor_celery(served: Served) -> None:
    """Also not for a trigger, a result and a batch, nor in a child that it forks: it works where they are absent."""
    ran = subprocess.run(
        [sys.executable, "-c", LOADS], env=served.env(), cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines() == ["", "", "True"]


def test_a_trigger_whose_answer_is_lost_makes_one_run(served: Served, make_client: MakeClient) -> None:
    """All tries of a call carry one key."""
    tag = f"lost-{uuid4()}"
    with UnreliableProxy(served.server.port) as proxy:
        make_client(api_url=proxy.url)
        proxy.losses = 2
        handle = buy.trigger(Order(number=1), tags=tag)
        assert proxy.losses == 0
        assert handle.result(20) == Receipt(total=2)
        assert [run.id for run in runs.list(where=RunFilter(tag=tag))] == [handle.id]
        proxy.losses = 1
        again = handle.replay()
        proxy.losses = 1
        made = buy.batch_trigger([BatchItem(Order(number=number), tags=tag) for number in range(3)])
        assert {run.id for run in runs.list(where=RunFilter(tag=tag))} == {handle.id, again.id, *made.run_ids}
        proxy.losses = 1
        replayed = runs.bulk_replay([again.id]).run_ids
        assert {run.id for run in runs.list(where=RunFilter(tag=tag))} >= {*replayed}
        assert len(runs.list(where=RunFilter(tag=tag))) == 6


def test_what_cannot_be_recognised_again_is_not_repeated(served: Served, make_client: MakeClient) -> None:
    """The error says that it may have been done, as it was."""
    with UnreliableProxy(served.server.port) as proxy:
        make_client(api_url=proxy.url)
        before = len(schedules.list(task="hc-tick"))
        proxy.losses = 1
        with pytest.raises(ServerUnavailableError) as raised:
            schedules.create("hc-tick", every="1h", active=False)
        assert raised.value.may_exist
        made = list(schedules.list(task="hc-tick"))
        assert len(made) == before + 1
        proxy.losses = 1
        run_id = schedules.run_now(made[-1].id).id
        assert [run.id for run in runs.list(where=RunFilter(schedule=made[-1].id))] == [run_id]
        schedules.delete(made[-1].id)


def test_a_server_that_is_away_is_named_and_nothing_hangs(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever handles a store that is away handles this too."""
    monkeypatch.setattr(tries, "FIRST_PAUSE_SECONDS", 0.01)
    url = f"http://127.0.0.1:{free_port()}"
    make_client(api_url=url)
    with pytest.raises(StoreUnavailableError, match=f"The server at {url} does not answer: Connect") as raised:
        buy.trigger(Order(number=1))
    assert isinstance(raised.value, ServerUnavailableError)
    assert (raised.value.url, raised.value.may_exist) == (url, False)


async def test_a_wrong_key_and_a_wrong_address_are_named(served: Served, make_client: MakeClient) -> None:
    wrong = f"tr_dev_sk_{'A' * 24}"
    make_client(api_key=wrong)
    with pytest.raises(KeyRefusedError, match="TASKFLOW_API_KEY") as refused:
        await buy.atrigger(Order(number=1))
    assert (refused.value.status, refused.value.code) == (401, "invalid_key")
    assert wrong not in str(refused.value)
    make_client(api_url=f"{served.server.url}/elsewhere")
    with pytest.raises(ApiAddressError, match="404 to POST /api/v1/tasks/hc-buy/trigger"):
        await buy.atrigger(Order(number=1))


async def test_a_key_that_may_only_read_waits_and_changes_nothing(served: Served, make_client: MakeClient) -> None:
    make_client()
    handle = await buy.atrigger(Order(number=3))
    make_client(api_key=served.read_only_key)
    assert await handle.aresult(20) == Receipt(total=6)
    with pytest.raises(KeyRefusedError, match="read_only_key"):
        await handle.acancel()


def test_too_many_requests_wait_as_the_server_asks(served: Served, make_client: MakeClient) -> None:
    make_client(api_key=served.flow.engine.api_keys.create("slow", rate_limit="2/s")[1])
    assert [queues.environment().is_paused for _ in range(5)] == [False] * 5


async def test_hundreds_wait_over_one_connection(served: Served, make_client: MakeClient) -> None:
    make_client()
    handles = [await nap.atrigger(1.0) for _ in range(20)]
    waits = [asyncio.create_task(handle.aresult(30)) for handle in handles for _ in range(10)]
    process, port = psutil.Process(), served.server.port

    counts: list[int] = []

    def sample() -> None:
        counts.append(sum(getattr(each.raddr, "port", 0) == port for each in process.net_connections("tcp")))

    with beside(sample, 0.2):
        assert await asyncio.gather(*waits) == [handle.id for handle in handles for _ in range(10)]
    assert 0 < max(counts) <= 66  # at most 32 for requests of this loop, 32 of threads, and one that waits


def test_a_wait_outlasts_a_restart_of_the_server(served: Served, make_client: MakeClient) -> None:
    make_client()
    handle = nap.trigger(60.0, delay="1h")
    results: list[object] = []
    seen: list[str] = []
    others = _listeners()
    waiting = threading.Thread(target=lambda: results.append(runs.handle(handle.id).retrieve()))
    following = threading.Thread(target=lambda: seen.extend(run.status for run in handle.subscribe()))
    ended = threading.Thread(target=lambda: results.append(_end_of(handle.id)))
    for thread in (waiting, following, ended):
        thread.start()
    wait_until(lambda: seen and results, "the subscription and the first look")
    wait_until(lambda: _listeners() - others, "the wait's look, which the server must answer")
    served.server.kill()
    served.flow.engine.runs.cancel(handle.id)
    served.server.start()
    for thread in (waiting, following, ended):
        thread.join(20)
        assert not thread.is_alive()
    assert seen == ["DELAYED", "CANCELED"]
    assert "CANCELED" in results


def _listeners() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "taskflow-ends"}


def _end_of(run_id: str) -> str:
    try:
        return str(runs.handle(run_id).result(30))
    except Exception as error:  # noqa: BLE001 - shown by the test
        return str(getattr(error, "status", error))


def test_what_needs_the_store_itself_says_so(served: Served, make_client: MakeClient) -> None:
    client = make_client()
    with pytest.raises(OutsideRunError):
        buy.trigger_and_wait(Order(number=1))
    for call in (TaskFlow.current, lambda: TaskFlow(served.settings())):
        with pytest.raises(NotOverHttpError, match=client.url):
            call()


@pytest.mark.parametrize(
    "wrong, reason",
    [
        ({"api_url": "tasks.example.com"}, "no http:// or https:// address"),
        ({"api_url": "http://host:port"}, "its port is no number"),
        ({"api_url": "https://me:secret@host"}, "more than an address"),
        ({"api_key": ""}, "needs api_key"),
        ({"api_key": "a b"}, "characters that no key has"),
    ],
)
def test_a_wrong_setting_is_refused_without_its_secret(served: Served, wrong: dict[str, object], reason: str) -> None:
    with pytest.raises(SettingsError, match=reason) as refused:
        served.settings(**wrong)
    assert "secret" not in str(refused.value)
    assert served.key not in str(refused.value)


def test_a_client_without_httpx_names_the_extra(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    missing: dict[str, None] = {}
    monkeypatch.setattr("importlib.util.find_spec", missing.get)
    with pytest.raises(SettingsError, match=r"pip install 'celery-taskflow\[client\]'"):
        served.settings()


def test_a_client_needs_no_store_for_another_environment_than_dev(served: Served) -> None:
    client = ServerClient(served.settings(environment="prod"))
    assert served.key not in repr(client.settings)
    client.close()


class Command:
    """Invokes the command, and closes the client that it has made, as the end of its process does."""

    def invoke(self, *arguments: str) -> Any:
        """Invoke it and return click's result."""
        try:
            return CliRunner().invoke(app, arguments)
        finally:
            if CURRENT.application is not None:
                CURRENT.application.close()
            CURRENT.application = None


@pytest.fixture
def command(served: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """The command in a folder without a project, with the variables of a client."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TASKFLOW_API_URL", served.server.url)
    monkeypatch.setenv("TASKFLOW_API_KEY", served.key)
    return Command()


def _json(command: Command, *arguments: str) -> Any:
    done = command.invoke(*arguments, "--json")
    assert done.exit_code == 0, (done.output, done.exception)
    return json.loads(done.stdout)


def test_the_command_goes_over_http(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Triggers, runs, batches, queues, tokens and schedules; with TASKFLOW_TASKS payloads are checked here."""
    done = _json(command, "trigger", "hc-buy", '{"number": 4}', "--wait")
    assert done["output"] == {"total": 8}
    shown = _json(command, "runs", "get", done["id"])
    assert shown["status"] == "COMPLETED"
    listed = _json(command, "runs", "list", "--task", "hc-buy", "--since", "1h")
    assert done["id"] in [run["id"] for run in listed]
    assert _json(command, "runs", "count", "--task", "hc-buy")
    assert _json(command, "queues", "get", "hc-sleepers")
    token = _json(command, "tokens", "create")
    assert _json(command, "tokens", "complete", token["id"], "1") == {"id": token["id"], "completed": True}
    assert isinstance(_json(command, "schedules", "list"), (list, dict))
    monkeypatch.setenv("TASKFLOW_TASKS", MODULE)
    refused = command.invoke("trigger", "hc-buy", "{}")
    assert "payload does not fit" in str(refused.exception)


def test_the_doctor_says_whether_the_server_answers_and_the_key_is_valid(
    served: Served, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = _json(command, "doctor")
    texts = {each["what"]: (each["is_good"], each["found"]) for each in found}
    assert texts["server"][0]
    assert texts["key"] == (True, f"is of the environment {served.fleet.environment!r}")
    monkeypatch.setenv("TASKFLOW_API_KEY", f"tr_dev_sk_{'A' * 24}")
    wrong = command.invoke("doctor", "--json")
    assert wrong.exit_code == 1
    assert "refused the key (401 invalid_key)" in wrong.stdout


@pytest.mark.parametrize("name", ["worker", "server", "workers list", "keys list"])
def test_a_command_that_needs_the_store_says_so(command: Command, name: str) -> None:
    refused = command.invoke(*name.split())
    assert isinstance(refused.exception, NotOverHttpError)
    assert "needs the run store itself" in str(refused.exception)


def test_a_task_that_is_not_declared_here_takes_any_json(make_client: MakeClient) -> None:
    make_client()
    handle = tasks.trigger("hc-elsewhere", {"any": [1, None]}, delay="1h")
    assert handle.retrieve().payload == {"any": [1, None]}
    handle.cancel()
