"""Failures are grouped by what broke, counted once, and a group that was resolved comes back."""

from datetime import timedelta
from typing import Any

import pytest

from taskflow.definition.calls.run_filter import RunFilter
from taskflow.history.database import Database
from taskflow.history.error_reader import changed_since, groups_of, set_state
from taskflow.history.fingerprints import fingerprint_of
from taskflow.history.reader import Reader
from taskflow.history.writer import RowBatch, Unfinished, Writer
from taskflow.models import RunError
from taskflow.seams.error_groups import ErrorGroup, ErrorState
from taskflow.store.operations.encoding import error_json, instant
from tests.history.conftest import rows, write

BEGIN = 20_834 * 86_400_000
DAY = timedelta(days=1)
TRACEBACK = """Traceback (most recent call last):
  File "/app/shop/carriers/dhl.py", line 40, in quote
    return client.get(url)
  File "/app/.venv/lib/python3.13/site-packages/httpx/_client.py", line 900, in get
    raise ConnectError(request)
httpx.ConnectError: [Errno 111] Connection refused
"""


def failed(run_id: str, at_ms: int = 10, revision: int = 1, /, message: str = "boom", **fields: str) -> Any:
    """Return the rows of a run whose one attempt failed."""
    error = error_json(RunError("Boom", message))
    times = {"created": BEGIN + at_ms - 5, "started": BEGIN + at_ms - 4, "finished": BEGIN + at_ms}
    texts = {name: str(ms) for name, ms in times.items()} | {"attempt_started": str(BEGIN + at_ms - 4)}
    return rows(run_id, revision, **({"status": "FAILED", "error": error} | texts | fields))


def read(reader: Reader) -> list[ErrorGroup]:
    """Return the groups of the first day."""
    return groups_of(reader, instant(BEGIN), instant(BEGIN) + DAY)


@pytest.mark.parametrize(
    "message, other",
    [
        ("no order 17", "no order 18"),
        ("KeyError: 'a'", "KeyError: 'b'"),
        ('can not read "x y"', 'can not read "z"'),
        ("host-3:8080 refused", "host-44:80 refused"),
        ("run_0192f3a1 is gone", "run_7712abcd is gone"),
        ("took 2.5 s at 2026-01-01T10:00:00Z", "took 30 s at 2027-01-01T11:00:00Z"),
    ],
)
def test_what_differs_from_run_to_run_makes_no_new_group(message: str, other: str) -> None:
    """Else every failure would be an error of its own."""
    assert fingerprint_of(RunError("E", message)).id == fingerprint_of(RunError("E", other)).id


def test_type_message_and_frame_make_the_group() -> None:
    """A line moves with each edit; the frame of a library is not where to look."""
    error = RunError("ConnectError", "refused", TRACEBACK)
    group = fingerprint_of(error)
    assert group.frame == "shop/carriers/dhl.py:40 in quote"
    moved = RunError("ConnectError", "refused", TRACEBACK.replace("line 40", "line 41"))
    assert fingerprint_of(moved).id == group.id
    others = [
        RunError("OtherError", "refused", TRACEBACK),
        RunError("ConnectError", "denied", TRACEBACK),
        RunError("ConnectError", "refused", TRACEBACK.replace("in quote", "in label")),
        RunError("ConnectError", "refused"),
    ]
    assert len({group.id, *(fingerprint_of(other).id for other in others)}) == 5


def test_hostile_texts_have_a_group() -> None:
    """An error's texts are a user's, or an attacker's."""
    for text in ("", "\0\ud800", "'" * 100_000, "9" * 100_000, 'File "' * 50_000, "<script>", "\n\n"):
        assert len(fingerprint_of(RunError(text, text, text)).id) == 16


def test_attempts_and_the_runs_that_they_ended_are_counted_once(writer: Writer, reader: Reader) -> None:
    """A run that fails, is retried and completes has failed attempts, too."""
    first = '{"claim":1,"node":"n","started":%d,"finished":%d,"outcome":"FAILED","error":%s}'
    error = error_json(RunError("Boom", "boom"))
    past = first % (BEGIN + 1, BEGIN + 2, error)
    batches = [
        RowBatch([failed("run_1", 5)]),
        RowBatch([failed("run_1", 5, 2, metadata="{}"), failed("run_2", 3_600_000, task="u", version="v2")]),
        RowBatch([rows("run_3", 2, created=str(BEGIN), attempt="2", **{"attempt:1": past})]),
    ]
    for batch in batches * 2:
        writer.write(batch, 0)
    (group,) = read(reader)
    assert (group.attempts, group.runs, group.type, group.message) == (3, 2, "Boom", "boom")
    assert (group.tasks, group.versions) == ({"t": 2, "u": 1}, {"v2": 1})
    assert [bar.failed for bar in group.bars[:3]] == [2, 1, 0]
    assert (group.first_at, group.last_at) == (instant(BEGIN + 2), instant(BEGIN + 3_600_000))
    assert {run.id for run in reader.list_runs(RunFilter(fingerprint=group.id))} == {"run_1", "run_2"}


def test_a_batch_that_comes_again_later_counts_an_attempt_once(writer: Writer, reader: Reader) -> None:
    """Its entries are older than the record that is read with them: the attempt has failed meanwhile."""
    write(writer, rows("run_1", 5, status="EXECUTING", created=str(BEGIN)))
    for revision in (5, 4, 6, 5):
        write(writer, failed("run_1", 5, revision))
    (group,) = read(reader)
    assert (group.attempts, group.runs) == (1, 1)


def test_a_run_that_was_written_since_is_not_lost(writer: Writer, reader: Reader) -> None:
    """It is not found by the error of lost runs either."""
    write(writer, rows("run_1", 1, status="EXECUTING", created=str(BEGIN)))
    write(writer, rows("run_1", 2, created=str(BEGIN), finished=str(BEGIN + 5)))
    writer.end_lost([Unfinished("run_1", BEGIN, 1)], BEGIN + 6, RunError("RunLost", "lost"))
    assert list(reader.list_runs(RunFilter(error="RunLost"))) == []
    assert read(reader) == []


def test_a_lost_run_is_in_a_group(writer: Writer, reader: Reader) -> None:
    """It is a failure that someone has to look at."""
    write(writer, rows("run_1", created=str(BEGIN), status="QUEUED", attempt="0", finished=str(BEGIN)))
    for _ in range(2):
        writer.end_lost([Unfinished("run_1", BEGIN, 1)], BEGIN + 6, RunError("RunLost", "lost"))
    assert [(group.type, group.runs) for group in read(reader)] == [("RunLost", 1)]


def test_a_resolved_group_comes_back(writer: Writer, reader: Reader) -> None:
    """A repair that did not help must be seen."""
    write(writer, failed("run_1"))
    (group,) = read(reader)
    assert group.is_new(instant(BEGIN) + timedelta(hours=23))
    assert not group.is_new(instant(BEGIN) + timedelta(hours=25))
    assert set_state(reader, group.id, ErrorState.RESOLVED, instant(BEGIN + 100), "ana")
    write(writer, failed("run_2", 50))  # it failed before it was resolved, and comes late
    assert read(reader)[0].state is ErrorState.RESOLVED
    write(writer, failed("run_3", 200))
    (group,) = read(reader)
    assert (group.state, group.came_back_at) == (ErrorState.OPEN, instant(BEGIN + 200))
    assert not group.is_new(instant(BEGIN) + timedelta(hours=1))
    assert set_state(reader, group.id, ErrorState.RESOLVED, instant(BEGIN + 300), "ben")
    assert read(reader)[0].came_back_at is None


def test_a_group_that_is_resolved_in_a_version_stays_so_while_older_ones_fail(writer: Writer, reader: Reader) -> None:
    """Old workers go on until the new version is everywhere."""
    write(writer, failed("run_1", 10, version="v1"))
    (group,) = read(reader)
    set_state(reader, group.id, ErrorState.RESOLVED, instant(BEGIN + 100), "ana", "v2")
    write(writer, failed("run_2", 200, version="v1"))
    assert (read(reader)[0].state, read(reader)[0].resolved_in) == (ErrorState.RESOLVED, "v2")
    write(writer, failed("run_3", 300, version="v2"))
    assert read(reader)[0].came_back_at == instant(BEGIN + 300)


def test_a_muted_group_stays_muted(writer: Writer, reader: Reader) -> None:
    """That is what it was muted for."""
    write(writer, failed("run_1"))
    (group,) = read(reader)
    set_state(reader, group.id, ErrorState.MUTED, instant(BEGIN + 100), "ana")
    write(writer, failed("run_2", 200))
    (group,) = read(reader)
    assert (group.state, group.changed_by, group.runs) == (ErrorState.MUTED, "ana", 2)
    assert not set_state(reader, "unknown", ErrorState.MUTED, instant(BEGIN), "ana")


def test_new_and_returned_groups_since_an_instant(writer: Writer, reader: Reader) -> None:
    """Alerts ask for them."""
    write(writer, failed("run_1", 10), failed("run_2", 500, message="other"))
    (other, first) = read(reader)
    assert [group.id for group in changed_since(reader, instant(BEGIN + 100))] == [other.id]
    set_state(reader, first.id, ErrorState.RESOLVED, instant(BEGIN + 600), "ana")
    write(writer, failed("run_3", 700))
    found = changed_since(reader, instant(BEGIN + 650))
    assert [(group.id, list(group.tasks)) for group in found] == [(first.id, ["t"])]


def test_a_group_goes_with_its_last_run(writer: Writer, reader: Reader, database: Database) -> None:
    """It is kept as long as runs are."""
    write(writer, failed("run_1"))
    writer.trim(BEGIN + 2 * 86_400_000)
    assert read(reader)
    writer.trim(BEGIN + 2 * 86_400_000)
    assert read(reader) == []
