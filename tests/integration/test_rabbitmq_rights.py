"""A RabbitMQ that refuses tickets: the doctor, the worker's start and ``reason`` name it, with what mends it."""

import re
from typing import Any
from urllib.parse import quote

import pytest

from taskflow import ReasonCode, RunStatus
from taskflow.broker.broker_check import BrokerRefusesError, check_broker, queues_of
from tests.conftest import StartFleet
from tests.projects import fleet_tasks as tasks
from tests.support.commands import run_command
from tests.support.fleet import Fleet
from tests.support.servers import RabbitServer, RedisServer

pytestmark = pytest.mark.usefixtures("new_vhost")


def with_rights(rabbitmq: RabbitServer, **missing: str) -> str:
    """Make a user who has every right but those, and return its URL."""
    vhost = quote(rabbitmq.vhost, safe="")
    rabbitmq.api("PUT", "users/limited", {"password": "s3cret", "tags": ""})
    rights = {"configure": ".*", "write": ".*", "read": ".*"} | missing
    rabbitmq.api("PUT", f"permissions/{vhost}/limited", rights)
    return rabbitmq.url.replace("guest:guest@", "limited:s3cret@")


def check(fleet: Fleet) -> None:
    check_broker(fleet.flow.celery, queues_of(fleet.environment, fleet.flow.registry), timeout=5)


def command(fleet: Fleet, *words: str) -> tuple[int, str]:
    """Return the exit code of a command, and what it printed on one line."""
    done = run_command(*words, env=fleet.env(), timeout=25)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


@pytest.mark.timeout(90)
@pytest.mark.parametrize(
    "missing, named",
    [
        ({"configure": "^$"}, "declare the exchange"),
        ({"configure": "^taskflow$"}, "(configure)"),
        ({"write": "^$"}, "(write"),
        ({"write": "^dev-none|t[0-9a-f]{8}\\..*$"}, "publish to the exchange 'taskflow' (write)"),
        ({"read": "^taskflow$"}, "(read)"),
    ],
)
def test_a_missing_right_is_named_with_the_command_that_gives_it(
    start_fleet: StartFleet, redis7: RedisServer, rabbitmq: RabbitServer, missing: dict[str, str], named: str
) -> None:
    """Runs stayed QUEUED, and the doctor said that the broker is ok."""
    fleet = start_fleet(redis7.url, with_rights(rabbitmq, **missing))
    with pytest.raises(BrokerRefusesError) as refused:
        check(fleet)
    text = str(refused.value)
    assert named in text
    assert f"rabbitmqctl set_permissions -p {rabbitmq.vhost} limited '.*' '.*' '.*'" in text
    assert "s3cret" not in text
    assert rabbitmq.api("GET", f"queues/{rabbitmq.vhost}") == []
    with_rights(rabbitmq)
    check(fleet)
    assert rabbitmq.api("GET", f"queues/{rabbitmq.vhost}") == []


@pytest.mark.timeout(90)
def test_a_user_without_configure_rights_is_named_everywhere(
    start_fleet: StartFleet, redis7: RedisServer, rabbitmq: RabbitServer
) -> None:
    """In ``reason`` also while no worker is up, which is perhaps refused for the same cause."""
    fleet = start_fleet(redis7.url, with_rights(rabbitmq, configure="^$"))
    handle = tasks.echo.trigger(1)
    assert handle.status() is RunStatus.QUEUED
    reason = handle.retrieve().reason
    assert reason is not None
    assert (reason.code, reason.details["celery_queue"]) == (
        ReasonCode.BROKER_REFUSES, f"{fleet.environment}.small-1x.process"
    )  # fmt: skip
    assert "ACCESS_REFUSED" in reason.text
    for words in (("doctor",), ("worker", "--machine", "small-1x")):
        code, printed = command(fleet, *words)
        assert code == 1
        assert "does not let user 'limited' declare" in printed
        assert "rabbitmqctl set_permissions" in printed
        assert "Traceback" not in printed
    with_rights(rabbitmq)
    fleet.start_node()
    assert handle.result(timeout=60) == 1


@pytest.mark.timeout(90)
def test_a_queue_with_other_arguments_is_named_with_the_command_that_deletes_it(
    start_fleet: StartFleet, redis7: RedisServer, rabbitmq: RabbitServer
) -> None:
    """A plain producer that declares the queue first makes a classic one."""
    fleet = start_fleet(redis7.url, rabbitmq.url, reservation_timeout=2)
    name = f"{fleet.environment}.small-1x.process"
    path = f"queues/{rabbitmq.vhost}/{quote(name)}"
    rabbitmq.api("PUT", path, {"durable": True, "arguments": {}})
    handle = tasks.echo.trigger(1)
    reason: Any = handle.retrieve().reason
    assert reason.code is ReasonCode.BROKER_REFUSES
    assert "PRECONDITION_FAILED" in reason.text
    for words in (("doctor",), ("worker", "--machine", "small-1x")):
        code, printed = command(fleet, *words)
        assert code == 1
        mended = re.search(r"rabbitmqctl delete_queue --vhost (\S+) (\S+)", printed)
        assert mended is not None, printed
        assert mended.groups() == (rabbitmq.vhost, name)
    rabbitmq.api("DELETE", path)
    check(fleet)
    fleet.start_node()
    assert handle.result(timeout=60) == 1


def test_a_wrong_password_is_named_without_it(
    start_fleet: StartFleet, redis7: RedisServer, rabbitmq: RabbitServer
) -> None:
    fleet = start_fleet(redis7.url, rabbitmq.url.replace("guest:guest@", "guest:wr0ng@"))
    with pytest.raises(BrokerRefusesError, match="refuses this user") as refused:
        check(fleet)
    assert "wr0ng" not in str(refused.value)
    code, printed = command(fleet, "worker", "--machine", "small-1x")
    assert code == 1
    assert "TASKFLOW_BROKER_URL" in printed
    assert "wr0ng" not in printed
