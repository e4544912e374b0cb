"""Celery apps beside ours: producers that know nothing of taskflow, and plain tasks in our workers."""

import contextlib
from functools import partial
from typing import Any, cast

import pytest
from celery import canvas
from celery.exceptions import TaskRevokedError

from taskflow import RunNotFoundError, RunStatus, runs
from taskflow.broker.replies import UNREAD_ANSWERS, Replies
from tests.conftest import MakeServer, StartFleet
from tests.support.fleet import Fleet
from tests.support.plain_producer import produce
from tests.support.servers import RabbitServer, RedisServer, Server
from tests.support.waiting import wait_until

S = 10
chain, chord = (cast("Any", kind) for kind in (canvas.chain, canvas.chord))


@pytest.mark.timeout(90)
@pytest.mark.parametrize("executor", ["process", "async"])
def test_the_result_backend_works_in_an_app_that_knows_nothing_of_us(fleet: Fleet, executor: str) -> None:
    """Its entry point is enough. The URL may name the store and the environment itself."""
    fleet.start_node(executor=executor)
    task = "t-echo" if executor == "process" else "t-async-echo"
    printed = produce(
        fleet,
        "taskflow://",
        f"""
result = app.send_task({task!r}, args=[[1, "ü"]])
print(result.get(timeout=20), result.state, app.AsyncResult("no-such").state)
late = app.send_task("no-such-task", args=[1], task_id="misfit-1")
print(app.send_task({task!r}, args=[1, 2], kwargs={{"x": 1}}).get(timeout=20, propagate=False).__class__.__name__)
print(app.backend.as_uri())
""",
        executor=executor,
    )
    assert printed.splitlines() == ["[1, 'ü'] SUCCESS PENDING", "PayloadError", "taskflow://"]
    named = f"taskflow+{fleet.flow.store_url}?environment={fleet.environment}"
    code = f"print(app.send_task({task!r}, args=['x']).get(timeout=20))"
    assert produce(fleet, named, "import os; os.environ.pop('TASKFLOW_ENVIRONMENT')\n" + code, executor=executor) == "x"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("executor", ["process", "async"])
def test_plain_tasks_in_our_workers_have_their_results(fleet: Fleet, executor: str) -> None:
    """Celery itself returned None at once: the setting that spares runs a second result spared plain tasks theirs."""
    fleet.start_node(executor=executor)
    celery: Any = fleet.flow.celery
    queue = f"{fleet.environment}.small-1x.{executor}"

    def sig(name: str, *args: object) -> Any:
        return canvas.signature(name, args=args, app=celery, queue=queue)

    echo = sig("t-echo" if executor == "process" else "t-async-echo", 3)
    assert sig("plain-double", 4).apply_async().get(timeout=S) == 8
    assert sig("plain-shared", 4).apply_async().get(timeout=S) == [4]
    assert chain(echo, sig("plain-double"), sig("plain-shared")).apply_async().get(timeout=S) == [6]
    assert chord([echo, sig("plain-double", 1)], sig("plain-shared")).apply_async().get(timeout=S) == [[3, 2]]
    silent = sig("plain-silent", 4).apply_async()
    sig("plain-double", 4).apply_async().get(timeout=S)
    assert not silent.ready()


ENDS = """
from celery.exceptions import TaskRevokedError
def end(name, *args, **more):
    result = app.send_task(name, args=args, **more)
    try:
        return result.get(timeout=20)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
"""


@pytest.mark.timeout(120)
@pytest.mark.parametrize("executor", ["process", "async"])
@pytest.mark.parametrize("backend", ["rpc", "redis"])
def test_a_producer_with_a_backend_of_its_own_is_answered_there(
    start_fleet: StartFleet, valkey: RedisServer, broker_server: Server, backend: str, executor: str
) -> None:
    """The message says where an ``rpc://`` producer waits; a setting names another backend. Every end arrives."""
    other = valkey.url.rpartition("/")[0] + "/7"
    url = "rpc://" if backend == "rpc" else other
    broker = None if broker_server is valkey else broker_server.url
    fleet = start_fleet(valkey.url, broker, celery_result_backend=None if backend == "rpc" else url)
    fleet.start_node(executor=executor)
    echo, flaky = ("t-echo", "t-flaky") if executor == "process" else ("t-async-echo", "t-async-flaky")
    code = f"""
print(end({echo!r}, {{"a": [1, "ü"]}}))
print(end({echo!r}, None))
print(end({flaky!r}, 9))
print(end({echo!r}, 1, expires=-5))
print(end({echo!r}, 1, 2, 3, eta=None, producer=None))
print(end("plain-double", 4))
double = signature("plain-double", queue=app.conf.task_default_queue)
print(chain(signature({echo!r}, args=(3,)), double, signature({echo!r})).apply_async().get(timeout=20))
late = [app.send_task({echo!r}, args=[number]) for number in range(30)]
print([each.get(timeout=20) for each in reversed(late)] == list(range(30))[::-1])
"""
    printed = produce(fleet, url, ENDS + code, executor=executor).splitlines()
    assert printed[:2] == ["{'a': [1, 'ü']}", "None"]
    assert printed[2].startswith("ConnectionError: ")
    assert printed[3].startswith("Expired: ")
    assert printed[4].startswith("PayloadError: ")
    assert printed[5:] == ["8", "6", "True"]


def test_answers_that_nobody_reads_do_not_fill_a_redis(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """Every message names a queue for replies, also those of producers that have no backend at all."""
    fleet = start_fleet(valkey.url)
    node = fleet.start_node()
    code = """
silent = app.send_task("t-echo", args=[1], ignore_result=True)
print(app.thread_oid, silent.id, *(app.send_task("t-echo", args=[1]).id for _ in range(3)))
"""
    queue, *ids = produce(fleet, "disabled://", code).split()
    wait_until(lambda: all(runs.retrieve(run_id).status.is_finished for run_id in ids), "the runs")
    with contextlib.closing(valkey.client()) as client:
        wait_until(lambda: client.execute_command("LLEN", queue) == 3, "the answers")
        client.execute_command("LPUSH", queue, 1, 2)
        assert 0 < client.execute_command("PTTL", queue) <= 3_600_000
        fleet.flow.celery.send_task("t-echo", args=["x" * 2_900_000], reply_to=queue, task_id="too-large")
        fleet.flow.celery.send_task("t-echo", args=["x" * 2_900_000], reply_to="free", task_id="large")
        wait_until(lambda: "answer.dropped: 'too-large'" in node.output(), "the line")
        wait_until(lambda: client.execute_command("LLEN", "free") == 1, "the first answer")
        client.execute_command("LPUSH", queue, *range(UNREAD_ANSWERS))
        full = client.execute_command("LLEN", queue)
        fleet.flow.celery.send_task("t-echo", args=[1], reply_to=queue, task_id="too-many")
        wait_until(lambda: _is_completed("too-many"), "the run")
        assert client.execute_command("LLEN", queue) == full


@pytest.mark.timeout(60)
@pytest.mark.parametrize("executor", ["process", "async"])
def test_a_stamp_that_is_revoked_cancels_the_messages_that_come_with_it(fleet: Fleet, executor: str) -> None:
    """Celery refuses such messages when they arrive; here each becomes a run that is CANCELED, and can be seen."""
    fleet.start_node(executor=executor)
    celery: Any = fleet.flow.celery
    task = "t-echo" if executor == "process" else "t-async-echo"
    wait_until(lambda: celery.control.ping(timeout=1, limit=1), "the node to answer")
    celery.control.revoke_by_stamped_headers({"order": ["7", "8"], "customer": "ann"}, reply=True, timeout=5, limit=1)

    def send(**stamps: object) -> Any:
        signature: Any = canvas.signature(task, args=("x",), app=celery)
        if stamps:
            signature.stamp(**stamps)
        return signature.apply_async()

    revoked = [send(order="7"), send(order=["1", "8"]), send(customer="ann", order="1"), send(order=7)]
    others = [send(order="1"), send(customer=["bob"]), send(basket="7"), send()]
    assert [each.get(timeout=S) for each in others] == ["x"] * 4
    for each in revoked:
        with pytest.raises(TaskRevokedError):
            each.get(timeout=S)
        run = runs.retrieve(each.id)
        assert (run.status, run.payload, run.attempts) == (RunStatus.CANCELED, "x", ())


@pytest.mark.timeout(60)
@pytest.mark.parametrize("executor", ["process", "async"])
def test_an_answer_waits_for_a_backend_that_is_away(
    start_fleet: StartFleet, valkey: RedisServer, start_redis7: MakeServer, executor: str
) -> None:
    """The run has ended all the same, the node goes on, and the producer gets its answer later."""
    backend = start_redis7()
    fleet = start_fleet(valkey.url, celery_result_backend=backend.url)
    fleet.start_node(executor=executor, concurrency=1)
    backend.stop()
    task = "t-echo" if executor == "process" else "t-async-echo"
    ids = [fleet.flow.celery.send_task(task, args=[number]).id for number in range(2)]
    wait_until(lambda: all(_is_completed(run_id) for run_id in ids), "the runs", timeout=20)
    backend.start()
    with contextlib.closing(backend.client()) as client:
        for run_id in ids:
            key = f"celery-task-meta-{run_id}"
            wait_until(partial(client.execute_command, "EXISTS", key), "the answer", timeout=25)
            assert '"status": "SUCCESS"' in str(client.execute_command("GET", key))


def _is_completed(run_id: str) -> bool:
    with contextlib.suppress(RunNotFoundError):  # not adopted yet
        return runs.retrieve(run_id).status is RunStatus.COMPLETED
    return False


def test_an_answer_that_is_not_possible_costs_the_chain_nothing(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """The setting is wrong. Each run says so in the log, and what follows it executes."""
    fleet = start_fleet(valkey.url, celery_result_backend=f"{valkey.url}/no-number")
    node = fleet.start_node()
    echo = canvas.signature("t-echo", app=cast("Any", fleet.flow.celery))
    following = [dict(echo.clone((), task_id="chained"))]
    fleet.flow.celery.send_task("t-echo", args=[5], chain=following, ignore_result=False, task_id="first")
    wait_until(lambda: _is_completed("chained"), "the chain's next run", timeout=20)
    assert runs.retrieve("chained").payload == 5
    wait_until(lambda: "answer.failed: 'first': check TASKFLOW_CELERY_RESULT_BACKEND" in node.output(), "the line")


def test_a_message_is_answered_only_where_its_queue_for_replies_exists(
    start_fleet: StartFleet, valkey: RedisServer, rabbitmq: RabbitServer
) -> None:
    """A producer without a backend names a queue as well, and an answer costs time."""
    fleet = start_fleet(valkey.url, rabbitmq.url)
    rabbitmq.api("PUT", f"queues/{rabbitmq.vhost}/replies-here", {"durable": False, "auto_delete": False})
    replies = Replies(fleet.flow.celery, None)
    assert [replies.wanted({}, "replies-nowhere", "1") for _ in range(2)] == [None, None]
    assert replies.wanted({}, "replies-here", "1") == {"to": "replies-here", "id": "1"}
    assert replies.wanted({"ignore_result": True}, "replies-here", "1") is None
