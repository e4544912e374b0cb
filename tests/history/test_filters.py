"""One meaning of a filter: the history, the store's search and the check of a record choose the same runs."""

from dataclasses import fields
from datetime import timedelta
from typing import Any

import pytest

from taskflow import RunFilterError
from taskflow.definition.calls.run_filter import RunFilter
from taskflow.engine.lookup import Lookup, matches, only_in_history
from taskflow.history.fingerprints import fingerprint_of
from taskflow.history.reader import Reader
from taskflow.history.rows import rows_of
from taskflow.history.writer import RowBatch, Writer
from taskflow.models import Run, RunError, RunStatus
from taskflow.settings import Settings
from taskflow.store import operations
from taskflow.store.events import read_record
from taskflow.store.operations.encoding import instant
from tests.support.bench import Bench

BEGIN = instant(1_800_000_000_000)
MS, US = timedelta(milliseconds=1), timedelta(microseconds=1)
PARENT = "run_00" + 31 * "a"
ODD = 'a"b\\c%_\N{SNOWMAN}\0'
ODD_KEY = ODD.removesuffix("\0")  # a key may not hold it
BROKE = fingerprint_of(RunError("Boom", "it broke")).id

CASES: list[tuple[RunFilter, set[str]]] = [
    (RunFilter(), {"plain", "odd", "parent", "child", "grandchild", "failed", "done", "canceled", "delayed"}),
    (RunFilter(status="QUEUED"), {"plain", "odd", "child", "grandchild"}),
    (RunFilter(status=[RunStatus.FAILED, RunStatus.DELAYED]), {"failed", "delayed"}),
    (RunFilter(status="EXECUTING"), {"parent"}),
    (RunFilter(status="EXPIRED"), set()),
    (RunFilter(task="t"), {"plain", "parent", "failed", "done", "canceled", "delayed"}),
    (RunFilter(task=("u", ODD, "u")), {"child", "grandchild", "odd"}),
    (RunFilter(task="T"), set()),
    (RunFilter(task=""), set()),
    (RunFilter(tag="x"), {"child", "grandchild", "done"}),
    (RunFilter(tag=["x", "y", ODD]), {"child", "grandchild", "done", "odd"}),
    (RunFilter(tag="X"), set()),
    (RunFilter(tag="%"), set()),
    (RunFilter(queue="q"), {"child", "done"}),
    (RunFilter(queue=ODD), {"odd"}),
    (RunFilter(queue="Q"), set()),
    (RunFilter(queue=""), set()),
    (RunFilter(machine="large-1x"), {"grandchild"}),
    (RunFilter(machine="large"), set()),
    (RunFilter(batch="batch_1"), {"child", "done"}),
    (RunFilter(batch=""), set()),
    (RunFilter(parent=PARENT), {"child"}),
    (RunFilter(root=PARENT), {"child", "grandchild"}),
    (RunFilter(idempotency_key="key"), {"done"}),
    (RunFilter(idempotency_key=ODD_KEY), {"odd"}),
    (RunFilter(is_test=True), {"delayed"}),
    (RunFilter(is_test=False), {"plain", "odd", "parent", "child", "grandchild", "failed", "done", "canceled"}),
    (RunFilter(created_from=BEGIN + 100 * MS), {"delayed", "canceled"}),
    (RunFilter(created_from=BEGIN + 100 * MS + US), {"delayed"}),
    (RunFilter(created_from=BEGIN + 100 * MS - US), {"delayed", "canceled"}),
    (RunFilter(created_to=BEGIN + 100 * MS, status=["CANCELED", "DELAYED"]), set()),
    (RunFilter(created_to=BEGIN + 100 * MS + US, status=["CANCELED", "DELAYED"]), {"canceled"}),
    (RunFilter(created_from=BEGIN + 100 * MS, created_to=BEGIN + 101 * MS), {"canceled"}),
    (RunFilter(created_from=BEGIN + 101 * MS, created_to=BEGIN + 100 * MS), set()),
    (RunFilter(status="QUEUED", tag=["x", "y"], root=PARENT, machine="large-1x"), {"grandchild"}),
    (RunFilter(task="t", tag="x", batch="batch_1", idempotency_key="key", is_test=False), {"done"}),
    (RunFilter(task="u", is_test=True), set()),
    (RunFilter(not_status=["QUEUED", "DELAYED", "FAILED"]), {"parent", "done", "canceled"}),
    (RunFilter(status=["QUEUED", "DELAYED"], not_status="QUEUED"), {"delayed"}),
    (RunFilter(not_task="t"), {"odd", "child", "grandchild"}),
    (RunFilter(not_task=["t", ODD], tag="x"), {"child", "grandchild"}),
    (RunFilter(task="t", not_task="t"), set()),
    (RunFilter(is_root=True), {"plain", "odd", "parent", "failed", "done", "canceled", "delayed"}),
    (RunFilter(is_root=False), {"child", "grandchild"}),
    (RunFilter(is_root=False, not_status="EXECUTING", id_end=PARENT[-8:]), set()),
    (RunFilter(id_end=PARENT[-8:]), {"parent"}),
    (RunFilter(id_end=PARENT[-8:].upper()), set()),
    (RunFilter(version="v1"), {"failed"}),
    (RunFilter(fingerprint=BROKE), {"failed"}),
    (RunFilter(fingerprint=BROKE, error="it broke", task="t"), {"failed"}),
    (RunFilter(fingerprint=BROKE, error="no"), set()),
    (RunFilter(fingerprint="0"), set()),
    (RunFilter(schedule="nightly"), {"plain"}),
    (RunFilter(error="IT BROKE"), {"failed"}),
    (RunFilter(error="boom: it", status="FAILED", task="t"), {"failed"}),
    (RunFilter(error="it_broke"), set()),
]


@pytest.fixture
def names(bench: Bench, writer: Writer) -> dict[str, str]:
    """Runs of every kind by name, in the store and in the history."""
    bench.now[0] = round(BEGIN.timestamp()) * 1_000_000
    bench.node(version="v1")
    ids = {name: bench.trigger(**options) for name, options in _options().items()}
    bench.claim(ids["parent"])
    family: dict[str, Any] = {"task_id": "u", "tags": ("x", "y"), "root_id": PARENT}
    ids["child"] = bench.trigger("q", parent_id=PARENT, batch_id="batch_1", **family)
    large: dict[str, Any] = {"class_name": "large-1x.process"}
    ids["grandchild"] = bench.trigger("family", parent_id=ids["child"], **large, **family)
    reservation = int(bench.field(ids["failed"], "reservation"))
    claim = operations.runs.claim_run(ids["failed"], node_id="n1", reservation=reservation, version="v1")
    bench.finish(bench.run(claim), RunStatus.FAILED)
    bench.finish(bench.claim(ids["done"]))
    bench.redis("HSET", bench.key(f"run:{ids['plain']}"), "schedule", "nightly")
    bench.now[0] = round(BEGIN.timestamp()) * 1_000_000 + 100_000
    ids["canceled"] = bench.trigger()
    bench.run(operations.runs.cancel_run(ids["canceled"], RunError("Canceled", "by user")))
    bench.pass_time(1)
    ids["delayed"] = bench.trigger(due=timedelta(hours=1), is_test=True)
    records = {run_id: bench.run(read_record(run_id)) for run_id in ids.values()}
    writer.write(RowBatch([rows_of("dev", run_id, 1, record) for run_id, record in records.items() if record]), 0)
    return {run_id: name for name, run_id in ids.items()}


def _options() -> dict[str, dict[str, Any]]:
    return {
        "plain": {},
        "odd": {"task_id": ODD, "queue": ODD, "tags": (ODD,), "idempotency_key": ODD_KEY},
        "parent": {"id": PARENT},
        "failed": {},
        "done": {"queue": "q", "tags": ("x",), "batch_id": "batch_1", "idempotency_key": "key"},
    }


def chosen_by_store(bench: Bench, wanted: RunFilter) -> set[str]:
    """Return the runs that the store's search finds, as the verbs search: candidates first, then each record."""
    chosen: set[str] = set()
    for index in (":live", ":finished"):
        cursor = "0"
        while True:
            cursor, candidates = bench.run(operations.batches.find_runs(index, cursor, 2, wanted))
            chosen |= {run.id for run in candidates if matches(run, wanted)}
            if cursor == "0":
                break
    return chosen


def listed(bench: Bench) -> list[Run]:
    """Return the records of the store's list."""
    return bench.run(operations.runs.list_runs(100))


def test_a_filter_chooses_the_same_runs_everywhere(bench: Bench, reader: Reader, names: dict[str, str]) -> None:
    """A list must not change its meaning once a run has left the store, or once there is a history."""
    differences: list[str] = []
    for wanted, expected in CASES:
        answers = {"history": {run.id for run in reader.list_runs(wanted)}}
        if not only_in_history(wanted):
            answers["store"] = chosen_by_store(bench, wanted)
            answers["record"] = {run.id for run in listed(bench) if matches(run, wanted)}
        for place, ids in answers.items():
            if (chosen := {names[run_id] for run_id in ids}) != expected:
                differences.append(f"{place} of {wanted}: {chosen}, not {expected}")
    assert not differences, "\n".join(differences)


CHECKED_BY_SCRIPT = (
    RunFilter(status="FAILED"),
    RunFilter(task="u"),
    RunFilter(tag="x"),
    RunFilter(queue="q"),
    RunFilter(id_end=PARENT[-8:]),
    RunFilter(created_from=BEGIN + 500 * MS),
)


def test_the_script_checks_the_conditions_that_exclude_most(bench: Bench, names: dict[str, str]) -> None:
    """Else a search for one run would bring all records of the store."""
    for wanted in CHECKED_BY_SCRIPT:
        searches = [operations.batches.find_runs(index, "0", 1000, wanted) for index in (":live", ":finished")]
        candidates = [run for search in searches for run in bench.run(search)[1]]
        assert candidates, wanted
        assert all(matches(run, wanted) for run in candidates), wanted


def test_every_field_is_compared() -> None:
    """A new condition must get its cases."""
    conditions = {each.name: each.default for each in fields(RunFilter)}
    used = {name for wanted, _ in CASES for name, default in conditions.items() if getattr(wanted, name) != default}
    assert used == set(conditions)


@pytest.mark.parametrize("wanted", [RunFilter(version="v1"), RunFilter(error="x"), RunFilter(fingerprint="x")])
def test_what_only_the_history_has_is_not_answered_by_the_store(wanted: RunFilter) -> None:
    """An answer that ignores a condition would let bulk_cancel stop every run."""
    assert only_in_history(wanted)
    with pytest.raises(RunFilterError, match="This needs the history"):
        Lookup(Settings.read(database_url="none")).page((), wanted, 50, None)
