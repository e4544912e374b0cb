"""Celery's results and canvas over runs, with the store and with RabbitMQ as broker."""

import subprocess
import sys
from typing import Any, cast

import httpx
import pytest
from celery import canvas, states
from celery.exceptions import ChordError, TaskRevokedError
from celery.exceptions import TimeoutError as CeleryTimeoutError

from taskflow import RunStatus, runs
from tests.conftest import StartFleet
from tests.projects import fleet_tasks as tasks
from tests.support.fleet import ROOT, Fleet
from tests.support.processes import spawn, stop_group
from tests.support.servers import RedisServer, free_port
from tests.support.waiting import wait_until

S = 10
# The stubs lack half of these calls.
chain, chord, group = (cast("Any", kind) for kind in (canvas.chain, canvas.chord, canvas.group))


def app(fleet: Fleet) -> Any:
    """Return the Celery app."""
    return fleet.flow.celery


def sig(fleet: Fleet, name: str, *args: object, **options: Any) -> Any:
    """Return a signature of a task by its id, as any producer makes it."""
    return canvas.signature(name, args=args, app=fleet.flow.celery, **options)


def starts(fleet: Fleet, run_id: str) -> int:
    """Return the number of starts of a run's code."""
    return sum(line[:2] == ["start", run_id] for line in fleet.ledger())


@pytest.mark.timeout(60)
def test_chains_groups_and_chords_of_runs_give_their_results(fleet: Fleet) -> None:
    """Each member is a run with limits and retries. Members may also be plain Celery tasks."""
    fleet.start_node()
    celery = app(fleet)
    echo, flaky, double = (sig(fleet, name) for name in ("t-echo", "t-flaky", "plain-double"))

    one = celery.tasks["t-echo"].delay({"a": [1, "ü"]})
    assert one.get(timeout=S) == {"a": [1, "ü"]}
    assert (one.state, one.name, one.args, one.retries) == (states.SUCCESS, "t-echo", [{"a": [1, "ü"]}], 0)
    assert one.worker.startswith(fleet.nodes[0].name)
    assert one.date_done == runs.retrieve(one.id).finished_at
    assert celery.AsyncResult(tasks.flaky.trigger(2).id).get(timeout=S) == 2

    grouped = group(echo.clone((n,)) for n in range(5)).apply_async()
    grouped.save()
    assert celery.GroupResult.restore(grouped.id).get(timeout=S) == [0, 1, 2, 3, 4]

    chained = chain(echo.clone((2,)), flaky, double, echo).apply_async()
    assert chained.get(timeout=S) == 4
    assert chained.parent.get(timeout=S) == 4
    assert (chained.parent.parent.get(timeout=S), chained.parent.parent.retries) == (2, 1)
    own = chain(echo.clone((1,)), sig(fleet, "t-echo", "own", immutable=True)).apply_async()
    assert own.get(timeout=S) == "own"

    body = chord([*(echo.clone((n,)) for n in range(9)), double.clone((9,))], echo).apply_async()
    assert body.get(timeout=S) == [0, 1, 2, 3, 4, 5, 6, 7, 8, 18]
    nested = chain(echo.clone((1,)), group(echo, chord([echo, echo], echo)), echo).apply_async()
    assert nested.get(timeout=S) == [1, [1, 1]]
    assert [starts(fleet, body.id), starts(fleet, nested.id)] == [1, 1]

    linked = echo.clone(("x",), link=sig(fleet, "t-echo", task_id="linked")).apply_async()
    assert celery.AsyncResult("linked").get(timeout=S) == "x"
    assert starts(fleet, linked.id) == 1


@pytest.mark.timeout(60)
def test_a_failure_reaches_everything_that_waits_for_it(fleet: Fleet) -> None:
    """Nothing hangs: the rest of a chain, a chord's body and a refused message fail, and errbacks are called."""
    node = fleet.start_node()
    celery = app(fleet)
    echo, fails = sig(fleet, "t-echo"), sig(fleet, "t-flaky", 9)
    errbacks = [sig(fleet, "t-echo", task_id="errback"), sig(fleet, "plain-errback")]

    failed = fails.clone(link_error=errbacks).apply_async()
    with pytest.raises(ConnectionError, match="attempt 3"):
        failed.get(timeout=S)
    assert (failed.state, failed.retries) == (states.FAILURE, 2)
    assert "fleet_tasks.py" in failed.traceback
    assert celery.AsyncResult("errback").get(timeout=S) == failed.id
    wait_until(lambda: ["errback", failed.id, "ConnectionError", "attempt-3"] in fleet.ledger(), "the errback")

    rest = chain(fails, echo, echo).apply_async()
    with pytest.raises(ConnectionError, match="attempt 3"):
        celery.AsyncResult(rest.id).get(timeout=S)  # without its parents
    assert celery.AsyncResult(rest.parent.id).state == states.FAILURE

    after = sig(fleet, "t-echo")
    after.link_error(sig(fleet, "plain-errback"))
    body = chord([echo.clone((1,)), fails], after).apply_async()
    with pytest.raises(ChordError, match="attempt 3"):
        celery.AsyncResult(body.id).get(timeout=S)
    assert starts(fleet, body.id) == 0
    wait_until(lambda: any(line[:2] == ["errback", body.id] for line in fleet.ledger()), "the body's errback")

    two = chain(echo.clone((1,)), sig(fleet, "t-echo", "SECRET-VALUE"), echo).apply_async()
    with pytest.raises(
        Exception, match=r"takes one payload, and the message has 2 arguments.*\.si\(payload\)"
    ) as raised:
        celery.AsyncResult(two.id).get(timeout=S)
    assert type(raised.value).__name__ == "PayloadError"
    assert "SECRET-VALUE" not in node.output()


def test_a_result_without_a_worker_is_what_the_store_says(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """The states are pending, revoked and unknown. Waiting for the result ends at its timeout."""
    celery = app(start_fleet(valkey.url))
    queued = celery.AsyncResult(tasks.echo.trigger(1).id)
    assert (queued.state, queued.ready(), queued.result) == (states.PENDING, False, None)
    with pytest.raises(CeleryTimeoutError):
        queued.get(timeout=0.2)
    queued.revoke()
    assert runs.retrieve(queued.id).status is RunStatus.CANCELED
    assert (queued.state, queued.ready()) == (states.REVOKED, True)
    with pytest.raises(TaskRevokedError):
        queued.get(timeout=S)
    unknown = celery.AsyncResult("no-such-id")
    assert (unknown.state, unknown.exists()) == (states.PENDING, False)
    with pytest.raises(CeleryTimeoutError):
        unknown.get(timeout=0.2)
    assert celery.GroupResult.restore("no-such-group") is None


@pytest.mark.timeout(60)
def test_a_canceled_run_ends_its_chain_and_a_revoked_one_is_canceled(
    start_fleet: StartFleet, valkey: RedisServer
) -> None:
    """Upkeep performs the canvas of a run that a client cancels. Celery's revoke cancels a run or its message."""
    fleet = start_fleet(valkey.url)
    fleet.start_node()
    celery = app(fleet)
    long = tasks.one.trigger(tasks.Nap(seconds=60))
    wait_until(lambda: celery.AsyncResult(long.id).state == states.STARTED, "the run to start")
    behind = chain(sig(fleet, "t-one", {}), sig(fleet, "t-echo")).apply_async()
    wait_until(lambda: celery.AsyncResult(behind.parent.id).exists(), "the message to be adopted behind the limit")
    assert runs.cancel(behind.parent.id)
    with pytest.raises(TaskRevokedError):
        celery.AsyncResult(behind.id).get(timeout=3)
    celery.control.revoke(["early"], reply=True)
    late = chain(sig(fleet, "t-echo", 1, task_id="early"), sig(fleet, "t-echo")).apply_async()
    with pytest.raises(TaskRevokedError):
        celery.AsyncResult(late.id).get(timeout=S)
    assert celery.AsyncResult("early").state == states.REVOKED
    celery.control.revoke(long.id, terminate=True)
    with pytest.raises(TaskRevokedError):
        celery.AsyncResult(long.id).get(timeout=S)
    assert len(runs.retrieve(long.id).attempts) == 1
    assert celery.tasks["t-echo"].delay(1).get(timeout=S) == 1


@pytest.mark.timeout(60)
def test_canvas_on_an_async_node(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """The asyncio pool performs it outside of its event loop. On shards, Celery's ids do not name their shard."""
    fleet = start_fleet(valkey.url, shards=4)
    node = fleet.start_node(executor="async", concurrency=50)
    flaky = sig(fleet, "t-async-flaky")
    header = [chain(flaky.clone((1,)), flaky) for _ in range(10)]
    ends = chord(header, chain(sig(fleet, "t-async-flaky", 2, immutable=True), flaky)).apply_async()
    assert ends.get(timeout=S) == 2
    with pytest.raises(ConnectionError):
        chain(flaky.clone((9,)), flaky).apply_async().get(timeout=S)
    assert "Traceback" not in node.output()


@pytest.mark.timeout(60)
def test_a_chord_survives_its_node_dying_between_the_last_member_and_the_body(
    start_fleet: StartFleet, valkey: RedisServer
) -> None:
    """The node is killed while it publishes the body. The upkeep of another node publishes it."""
    fleet = start_fleet(valkey.url)
    marker = fleet.folder / "died"
    dying = fleet.start_node(TEST_DIE_AT_PUBLISH=str(marker))
    body = chord([sig(fleet, "t-echo", n) for n in range(3)], sig(fleet, "t-echo")).apply_async()
    wait_until(marker.exists, "the node to die")
    dying.process.wait(5)
    assert body.state == states.PENDING
    fleet.start_node()
    assert body.get(timeout=2 * S) == [0, 1, 2]
    assert starts(fleet, body.id) == 1


@pytest.mark.timeout(60)
def test_celery_result_and_flower_show_a_runs_result(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """Both are unmodified, and there are no events."""
    fleet = start_fleet(valkey.url)
    celery = [sys.executable, "-m", "celery", "-A", "taskflow.fleet"]
    port = free_port()
    log = fleet.folder / "flower.log"
    command = [*celery, "flower", "--address=127.0.0.1", f"--port={port}", "--basic_auth=user:word"]
    with log.open("wb") as output:
        flower = spawn(command, env=fleet.env(), cwd=ROOT, output=output)
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", auth=("user", "word"), timeout=10)
    try:
        fleet.start_node()
        done, failed = tasks.echo.trigger([1, 2]), tasks.flaky.trigger(9, max_attempts=1)
        assert done.result(timeout=S) == [1, 2]
        shown = subprocess.run(
            [*celery, "result", done.id], env=dict(fleet.env()), cwd=ROOT, capture_output=True, text=True, timeout=30
        )
        assert shown.stdout.strip() == "[1, 2]", shown.stderr
        wait_until(lambda: _answers(client), f"Flower to answer; its log: {log}", timeout=30)
        reply = client.get(f"/api/task/result/{done.id}", params={"timeout": "5"})
        assert reply.json() == {"task-id": done.id, "state": "SUCCESS", "result": [1, 2]}
        reply = client.get(f"/api/task/result/{failed.id}", params={"timeout": "5"}).json()
        assert (reply["state"], reply["result"]) == ("FAILURE", "ConnectionError('attempt 1')")
        assert "fleet_tasks.py" in reply["traceback"]
    finally:
        client.close()
        stop_group(flower)


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/healthcheck").status_code == 200
    except httpx.TransportError:
        return False
