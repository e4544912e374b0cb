"""``error_groups`` and ``taskflow errors``: the groups of a real history, and what people say about them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from taskflow import BlockingCallError, DefinitionError, ErrorGroupNotFoundError, ErrorState, error_groups
from taskflow.cli.main import app
from tests.conftest import StartFleet
from tests.support.dashboard import Dashboard
from tests.support.fleet import TASKS
from tests.support.past_runs import keep_runs
from tests.support.servers import RedisServer

HOSTILE = "<script>\x1b[31m"


@pytest.fixture
def shop(start_fleet: StartFleet, valkey: RedisServer, tmp_path: Path) -> Dashboard:
    """An environment whose history has two groups."""
    shop = Dashboard(start_fleet(valkey.url, database_url=f"sqlite:///{tmp_path}/history.db").flow)
    keep_runs(shop, "err-mail", failed=3, message="no mailbox 17")
    keep_runs(shop, "err-bill", failed=1, message=HOSTILE)
    return shop


def command(*arguments: str) -> str:
    """Return the output of ``taskflow errors``."""
    done = CliRunner().invoke(app, ["errors", *arguments, "-A", TASKS.partition(",")[0]])
    assert done.exit_code == 0, done.output or done.exception
    return done.output


def test_groups_are_listed_by_period_state_and_task(shop: Dashboard) -> None:
    """The numbers are those of the period."""
    assert {group.runs for group in error_groups.list()} == {1, 3}
    assert error_groups.list(period="1m") == []
    [mail] = error_groups.list(task="err-mail", state="open")
    assert (mail.type, mail.runs, mail.tasks, mail.versions) == ("Boom", 3, {"err-mail": 3}, {"v7": 3})
    assert error_groups.list(state=ErrorState.MUTED) == []
    assert error_groups.retrieve(mail.id, period="7d").runs == 3


async def test_a_person_mutes_resolves_and_opens_a_group(shop: Dashboard) -> None:
    """The person and the reason are kept."""
    [mail] = await error_groups.alist(task="err-mail")
    with pytest.raises(BlockingCallError, match="amute"):
        error_groups.mute(mail.id)
    await error_groups.amute(mail.id, reason="their API")
    assert (await error_groups.aretrieve(mail.id)).state is ErrorState.MUTED
    await error_groups.aresolve(mail.id, version="v8")
    resolved = await error_groups.aretrieve(mail.id)
    assert (resolved.state, resolved.resolved_in) == (ErrorState.RESOLVED, "v8")
    assert resolved.changed_by
    await error_groups.areopen(mail.id)
    assert (await error_groups.aretrieve(mail.id)).state is ErrorState.OPEN
    kept = shop.flow.engine.audit.list(action="error", target=mail.id)
    assert [(entry.action, entry.reason) for entry in kept] == [
        ("error.open", ""),
        ("error.resolve", ""),
        ("error.mute", "their API"),
    ]
    assert kept[0].actor == resolved.changed_by


def test_impossible_calls_change_nothing(shop: Dashboard) -> None:
    """They are refused with what to do."""
    [mail] = error_groups.list(task="err-mail")
    for call in (
        lambda: error_groups.list(period="soon"),
        lambda: error_groups.list(state="new"),
        lambda: error_groups.mute(mail.id, reason="x" * 501),
        lambda: error_groups.resolve(mail.id, version=""),
        lambda: error_groups.resolve(mail.id, version="\ud800"),
    ):
        with pytest.raises(DefinitionError):
            call()
    for unknown in ("0123456789abcdef", HOSTILE, "", "x" * 10_000):
        with pytest.raises(ErrorGroupNotFoundError, match="taskflow errors list"):
            error_groups.retrieve(unknown)
        with pytest.raises(ErrorGroupNotFoundError):
            error_groups.mute(unknown)
    assert error_groups.retrieve(mail.id).state is ErrorState.OPEN
    assert shop.flow.engine.audit.list(action="error") == []


@pytest.mark.usefixtures("shop")
def test_the_command_shows_and_changes_groups() -> None:
    """Text of errors is printed as it is, without the escapes of terminals."""

    [bill] = error_groups.list(task="err-bill")
    listed = command("list")
    assert bill.id in listed
    assert "\x1b[31m" not in listed
    assert "v7 (1)" in command("show", bill.id)
    assert "muted" in command("mute", bill.id, "--reason", "known")
    assert bill.id not in command("list", "--state", "open")
    assert "resolved in v8" in command("resolve", bill.id, "--in-version", "v8")
    shown = json.loads(command("show", bill.id, "--json"))
    assert (shown["state"], shown["resolved_in"]) == ("resolved", "v8")
    command("open", bill.id)
    assert error_groups.retrieve(bill.id).state is ErrorState.OPEN
    assert "No such errors" in command("list", "--state", "muted")
