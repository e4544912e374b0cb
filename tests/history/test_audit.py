"""The history keeps what people did, and the tests that they saved."""

import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from taskflow.engine.insights.activity import ActivityEngine
from taskflow.engine.insights.audit import AuditEngine
from taskflow.engine.insights.errors import ErrorEngine
from taskflow.engine.insights.templates import TemplateEngine
from taskflow.engine.lookup import Lookup
from taskflow.history.reader import Reader
from taskflow.history.writer import Writer
from taskflow.seams.error_groups import ErrorState
from taskflow.settings import Settings
from tests.history.conftest import rows, write

NOW = datetime.now(UTC)


@pytest.fixture
def history(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> Lookup:
    """The history that ``writer`` writes, as engines use it."""
    lookup = Lookup(Settings.read())
    monkeypatch.setattr(lookup, "_reader", lambda: reader)
    return lookup


def test_actions_are_kept_newest_first(history: Lookup) -> None:
    """A page of a queue shows who paused it and why."""
    audit = AuditEngine(history)
    audit.keep("ben", "queue.pause", "invoices", origin="10.0.0.1", reason="supplier is down\0")
    audit.keep("ana", "queue.resume", "invoices")
    audit.keep("ana", "queue.pause", "exports")
    audit.keep("ana", "run.cancel", "invoices")
    assert [entry.action for entry in audit.list(2)] == ["run.cancel", "queue.pause"]
    of_queue = audit.list(action="queue", target="invoices")
    assert [(entry.actor, entry.action) for entry in of_queue] == [("ana", "queue.resume"), ("ben", "queue.pause")]
    assert (of_queue[1].origin, of_queue[1].reason) == ("10.0.0.1", "supplier is down\N{REPLACEMENT CHARACTER}")
    assert [entry.target for entry in audit.list(action="queue.pause")] == ["exports", "invoices"]
    assert len(audit.list(before=audit.list(1)[0].number)) == 3


def test_an_action_on_many_runs_is_kept(history: Lookup) -> None:
    """Their ids together are longer than a row of PostgreSQL's index, and the action has happened."""
    audit, ids = AuditEngine(history), ", ".join(f"run_{secrets.token_hex(16)}" for _ in range(200))
    audit.keep("ana", "runs.cancel", ids, reason="r" * 10_000)
    (entry,) = audit.list(action="runs.cancel", target=ids)
    assert entry.target.startswith(ids[:200])
    assert "characters were cut" in entry.target
    assert max(len(entry.target), len(entry.reason)) <= 600


def test_an_action_is_kept_before_a_worker_has_made_the_history(tmp_path: Path) -> None:
    """A server may be the first of all programs."""
    audit = AuditEngine(Lookup(Settings.read(database_url=f"sqlite:///{tmp_path}/new.db")))
    assert audit.keep("ana", "schedule.create", "nightly")


def test_old_actions_go(history: Lookup, writer: Writer) -> None:
    """They are kept as long as runs are."""
    audit = AuditEngine(history)
    audit.keep("ana", "queue.pause", "q")
    writer.trim(round((NOW - timedelta(days=1)).timestamp() * 1000))
    assert audit.list()
    writer.trim(round((NOW + timedelta(days=1)).timestamp() * 1000))
    assert not audit.list()


def test_templates_are_saved_by_task_and_name(history: Lookup) -> None:
    """One that is saved again replaces the former."""
    templates = TemplateEngine(history)
    for document in ("{}", '{"payload":1}'):
        assert templates.save("t", "large order", document, "ana")
    templates.save("u", "other", "{}", "ben")
    (saved,) = templates.list("t")
    assert (saved.name, saved.document, saved.saved_by) == ("large order", '{"payload":1}', "ana")
    assert templates.drop("t", "large order")
    assert not templates.drop("t", "large order")
    assert not templates.list("t")


def test_the_newest_payloads_of_a_task(history: Lookup, writer: Writer) -> None:
    """A test begins with one of them."""
    write(writer, *(rows(f"run_{number}", 1, number, payload=f'{{"n":{number}}}') for number in range(5)))
    found = TemplateEngine(history).recent_payloads("t", 2)
    assert [(each.run_id, each.payload, each.status) for each in found] == [
        ("run_4", '{"n":4}', "COMPLETED"),
        ("run_3", '{"n":3}', "COMPLETED"),
    ]


def test_without_a_history_nothing_is_kept() -> None:
    """Pages say so and still work."""
    none = Lookup(Settings.read(database_url="none"))
    assert not AuditEngine(none).keep("ana", "queue.pause", "q")
    assert not TemplateEngine(none).save("t", "n", "{}", "ana")
    assert not ErrorEngine(none, AuditEngine(none)).set_state("x", ErrorState.MUTED, "ana")
    activity = ActivityEngine(none)
    assert (activity.is_kept(), activity.bars(NOW - timedelta(days=1), NOW)) == (False, ())
    assert not ErrorEngine(none, AuditEngine(none)).list(NOW - timedelta(days=1), NOW)
