"""Messages of plain Celery producers with any id and any content, with the store and with RabbitMQ as broker."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, cast

import pytest
from celery import states
from kombu import Exchange, Producer
from redis import Redis

from taskflow import RunStatus, runs
from taskflow.errors import PayloadError
from taskflow.store import operations
from tests.projects import fleet_tasks as tasks
from tests.support.commands import run_command
from tests.support.fleet import Fleet
from tests.support.waiting import wait_until

S = 10
JSON = "application/json"
IDS = (
    "import orders", 'say "hi"', "back\\slash", "two\nlines", "\ttab", "100 %s %", "{tag}:a|b/c", "../up", "nul\0nul",
    "ünï☃", "[/b]", "token_1", "x" * 900,
)  # fmt: skip


def publish(fleet: Fleet, body: object, queue: str, **options: Any) -> None:
    """Send what no Celery producer makes."""
    with fleet.flow.celery.connection_for_write() as connection:
        # On Redis straight to the list: an exchange without bindings, as before the first node, drops messages.
        exchange = Exchange("") if is_redis(fleet) else Exchange("taskflow", type="topic")
        options = {"serializer": "json"} | options
        Producer(connection, exchange=exchange, auto_declare=False).publish(body, routing_key=queue, **options)


def raw(content_type: str, encoding: str) -> dict[str, Any]:
    """Return the options that send a body as it is."""
    return {"content_type": content_type, "content_encoding": encoding, "serializer": None}


def is_redis(fleet: Fleet) -> bool:
    """Whether the broker is a Redis."""
    return fleet.flow.celery.conf.broker_write_url.startswith("redis")


def has_line(run_id: str) -> bool:
    """Whether the store has the line that the run's code wrote."""
    return "said" in str(list(runs.logs(run_id)))


def queue_of(fleet: Fleet, executor: str) -> str:
    """Return the Celery queue of a class."""
    return f"{fleet.environment}.small-1x.{executor}"


def command(fleet: Fleet, *words: str) -> Any:
    """Return what the command prints as JSON."""
    done = run_command(*words, env=fleet.env())
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.timeout(60)
def test_any_text_may_be_the_id_of_a_message(fleet: Fleet) -> None:
    """The run has it, logs, waits and ends with it, and the runs beside it notice nothing."""
    nodes = [fleet.start_node(executor=executor) for executor in ("process", "async")]
    celery: Any = fleet.flow.celery
    ids = [
        (celery.send_task(name, args=[number], task_id=f"{text}{name}"), number)
        for name in ("t-says", "t-async-says")
        for number, text in enumerate(IDS)
        if is_redis(fleet) or len(text) < 200  # AMQP bounds the property in which Celery repeats the id
    ]
    for sent, number in ids:
        assert sent.get(timeout=S) == number
    for sent, number in ids:
        run = runs.retrieve(sent.id)
        assert (run.id, run.payload, len(run.attempts)) == (sent.id, number, 1)
    assert tasks.says.trigger(7).result(timeout=S) == 7
    assert tasks.async_says.trigger(7).result(timeout=S) == 7
    for sent, _ in ids:
        wait_until(partial(has_line, sent.id), f"the line of {sent.id!r}")
    assert command(fleet, "runs", "get", ids[1][0].id, "--json")["id"] == ids[1][0].id
    assert [node.process.poll() for node in nodes] == [None, None]
    assert "Traceback" not in nodes[0].output() + nodes[1].output()


def bad_messages(fleet: Fleet, name: str) -> list[str]:
    """Send one of each kind that can't be read. Returns the ids by which they are found."""
    queue = queue_of(fleet, "async" if "async" in name else "process")
    whole: Any = [[1], {}, {}]

    def headers(run_id: object, **more: object) -> dict[str, object]:
        return {"task": name, "id": run_id, "lang": "py"} | more

    cases: dict[str, tuple[object, dict[str, object], dict[str, Any]]] = {
        "eta": (whole, {"eta": "tomorrow"}, {}),
        "expires": (whole, {"expires": 5}, {}),
        "kwargs": ([[1], [1], {}], {}, {}),
        "args": ([5, {}, {}], {}, {}),
        "embed": ([[1], {}, 7], {}, {}),
        "callbacks": ([[1], {}, {"callbacks": 5}], {}, {}),
        "chord": ([[1], {}, {"chord": "x"}], {}, {}),
        "text": ("hello", {}, {}),
        "null": (None, {}, {}),
        "two": ([[1], {}], {}, {}),
        "broken": ("{nope", {}, raw(JSON, "utf-8")),
        "pickle": (b"\x80\x04N.", {}, raw("application/x-python-serialize", "binary")),
        "type": (b"[]", {}, raw("application/nonsense", "utf-8")),
        "encoding": (b"[]", {}, raw(JSON, "klingon")),
        "compressed": (b"garbage", {"compression": "application/x-gzip"}, raw(JSON, "utf-8")),
        "ticket": (whole, {"taskflow": {"reservation": "x"}}, {}),
        "unknown": (whole, {"task": "no-such-task"}, {}),
        "number": (whole, {"task": 5}, {}),
        "list": (whole, {"task": ["a"]}, {}),
        "limit": (whole, {"timelimit": "long"}, {}),
    }  # fmt: skip
    ids: list[str] = []
    for kind, (body, more, options) in cases.items():
        ids.append(f"bad {kind} {uuid.uuid4()}")
        publish(fleet, body, queue, headers=headers(ids[-1], **more), **options)
    publish(fleet, whole, queue, headers=headers(5))
    publish(fleet, whole, queue, headers={"task": name})
    publish(fleet, whole, queue)
    publish(fleet, {"id": "x"}, queue)
    publish(fleet, whole, queue, headers=headers(""))
    publish(fleet, whole, queue, headers=headers("y" * 5000))
    if is_redis(fleet):
        publish(fleet, whole, queue, headers=headers("\ud800"))
        publish(fleet, whole, queue, headers=headers("\ud800", taskflow={"reservation": 1}))
        for entry in ("garbage", "[]", "5", '{"headers": 5}', '{"body": "x", "properties": {}}', "\xff{"):
            client = fleet_client(fleet)
            client.execute_command("LPUSH", queue, entry)
            client.close()
    return ids


def fleet_client(fleet: Fleet) -> Any:
    """Return a client of the broker, a Redis."""
    return cast("Any", Redis).from_url(fleet.flow.celery.conf.broker_write_url)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("executor", ["process", "async"])
def test_what_cannot_be_read_is_refused_once_and_costs_nobody_anything(fleet: Fleet, executor: str) -> None:
    """In one line, and kept where it can be looked at. Messages of Celery 3 are executed."""
    node = fleet.start_node(executor=executor)
    name = "t-says" if executor == "process" else "t-async-says"
    beside = [tasks.says if executor == "process" else tasks.async_says][0].trigger(1)

    ids = bad_messages(fleet, name)
    old, queue = str(uuid.uuid4()), queue_of(fleet, executor)
    publish(fleet, {"task": name, "id": old, "args": [3], "kwargs": {}, "retries": 0, "eta": None, "utc": True}, queue)
    null = str(uuid.uuid4())
    publish(fleet, [None, {"payload": 4}, {}], queue, headers={"task": name, "id": null})
    celery: Any = fleet.flow.celery
    assert celery.AsyncResult(old).get(timeout=S) == 3
    assert celery.AsyncResult(null).get(timeout=S) == 4
    assert beside.result(timeout=S) == 1

    def kept() -> list[str]:
        return [each.id for _, each in fleet.flow.store.run(operations.adoption.read_refused(500))]

    count = len(ids) + 6 + (8 if is_redis(fleet) else 0)
    wait_until(lambda: len(kept()) >= count, f"{count} refused messages; {node.log}")
    wait_until(lambda: set(ids) <= set(kept()), "all")
    assert len(kept()) == count
    assert celery.AsyncResult(ids[0]).state == states.FAILURE
    assert node.process.poll() is None
    lines = node.output().splitlines()
    assert sum("message.refused" in line for line in lines) == count
    assert "Traceback" not in node.output()
    if is_redis(fleet):
        client = fleet_client(fleet)
        assert client.execute_command("HLEN", "unacked") == 0
        client.close()
    shown = command(fleet, "adopt", "refused", "--json", "--limit", "100")
    assert set(ids) <= {each["id"] for each in shown}
    assert all("text" not in each for each in shown)


@pytest.mark.timeout(60)
def test_arguments_fill_the_payload_and_limits_of_a_message_hold(fleet: Fleet) -> None:
    """By order and by name. What does not fit is a run that failed and can be replayed; what has expired is EXPIRED."""
    fleet.start_node()
    celery: Any = fleet.flow.celery

    def send(name: str, *args: object, **more: Any) -> Any:
        return celery.send_task(name, args=args, **more)

    assert send("t-point", 1, 2).get(timeout=S) == [1, 2]
    assert send("t-point", 1, kwargs={"y": 2}).get(timeout=S) == [1, 2]
    assert send("t-point", kwargs={"y": 2, "x": 1}).get(timeout=S) == [1, 2]
    assert send("t-point", {"x": 1, "y": 2}).get(timeout=S) == [1, 2]
    assert send("t-point", 5).get(timeout=S) == [5, 0]
    assert send("t-echo", kwargs={"payload": "x"}).get(timeout=S) == "x"
    misfit = send("t-point", "a", "b", 3)
    with pytest.raises(Exception, match="has 3 arguments"):
        misfit.get(timeout=S)
    failed = runs.retrieve(misfit.id)
    assert (failed.status, failed.payload) == (RunStatus.FAILED, {"args": ["a", "b", 3], "kwargs": {}})
    wrong = send("t-point", {"x": "no"})
    with pytest.raises(Exception, match="does not fit"):
        wrong.get(timeout=S)
    with pytest.raises(PayloadError):  # as long as the task is declared as it is
        runs.replay(wrong.id)
    late = send("t-echo", 1, expires=datetime.now(UTC) - timedelta(seconds=60))
    wait_until(lambda: late.state == states.FAILURE, "the message to expire")
    assert runs.retrieve(late.id).status is RunStatus.EXPIRED
    in_time = send("t-echo", 1, expires=600)
    assert in_time.get(timeout=S) == 1
    assert timedelta(minutes=9) < (runs.retrieve(in_time.id).ttl or timedelta()) <= timedelta(minutes=10)
    urgent = send("t-echo", 1, priority=3)
    assert urgent.get(timeout=S) == 1
    assert runs.retrieve(urgent.id).priority == (-3 if is_redis(fleet) else 3) * 3600
    slow = send("t-sleep", {"seconds": 30}, soft_time_limit=1, time_limit=20)
    wait_until(lambda: slow.state == states.FAILURE, "the limit")
    assert runs.retrieve(slow.id).status is RunStatus.TIMED_OUT


@pytest.mark.usefixtures("new_vhost")
@pytest.mark.timeout(60)
def test_a_countdown_waits_in_the_store_and_needs_no_worker_at_its_start(fleet: Fleet) -> None:
    """Also one of less than a second, and one that is sent before the broker has seen any node."""
    celery: Any = fleet.flow.celery
    soon = datetime.now(UTC) + timedelta(seconds=1)
    sent = [
        celery.send_task("t-says", args=[1], countdown=0.5),
        celery.send_task("t-says", args=[2], countdown=2),
        celery.send_task("t-says", args=[3], eta=soon),
        celery.send_task("t-says", args=[4], eta=soon.isoformat()),
        celery.send_task("t-says", args=[5], countdown=-3),
        celery.signature("t-says", args=[6]).apply_async(countdown=1),
        celery.tasks["t-says"].apply_async((7,), countdown=1),
    ]
    late = celery.send_task("t-says", args=[8], countdown=3600)
    fleet.start_node()
    assert [each.get(timeout=S) for each in sent] == [1, 2, 3, 4, 5, 6, 7]
    run = wait_until(lambda: runs.retrieve(late.id), "the run of the last message")
    assert run.status is RunStatus.DELAYED
    assert run.due_at is not None
    assert timedelta(minutes=59) < run.due_at - datetime.now(UTC) < timedelta(minutes=61)
    with pytest.raises(TypeError):
        celery.send_task("t-says", args=[9], countdown="5")
