"""The reports that an attempt collects before they are sent."""

import logging
import os
import resource
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydantic_core import from_json, to_json

from taskflow import OutsideRunError, RunUpdateError, StoreUnavailableError, logger, metadata, tags
from taskflow.errors import StaleClaimError
from taskflow.execution.reporting.changes import Change, Json, apply
from taskflow.execution.reporting.lines import LARGEST_LINE, LineLimits
from taskflow.execution.reporting.live_run import LiveRun
from taskflow.execution.reporting.reports import Reports
from taskflow.execution.reporting.sink import RunIdentity
from taskflow.execution.reporting.spool import Spool, send_orphans
from tests.support.waiting import wait_until

ME = RunIdentity("run_me", attempt=2, claim=3, parent_id="run_parent", root_id="run_root")


@dataclass
class Sink:
    """Takes what is sent, as a store does. ``fail`` raises once for each error in it."""

    metadata: dict[str, Json] = field(default_factory=dict[str, Json])
    sent: list[tuple[str, list[Change]]] = field(default_factory=list[tuple[str, list[Change]]])
    tags: list[str] = field(default_factory=list[str])
    lines: list[Json] = field(default_factory=list[Json])
    fail: list[Exception] = field(default_factory=list[Exception])

    def update_metadata(
        self, run_id: str, claim: int | None, changes: Sequence[Change], writer: str, number: int
    ) -> bytes | None:
        self._maybe_fail()
        assert claim == (3 if run_id == "run_me" else None)
        assert writer == "run_me.3"
        self.sent.append((run_id, list(changes)))
        stored = self.metadata.setdefault(run_id, {})
        for change in changes:
            apply(stored, change)
        return to_json(stored)

    def add_tags(self, run_id: str, claim: int, tags: Sequence[str]) -> None:
        self._maybe_fail()
        self.tags += tags

    def append_logs(self, run_id: str, claim: int, lines: Sequence[bytes]) -> None:
        self._maybe_fail()
        assert (run_id, claim) == ("run_me", 3)
        self.lines += map(from_json, lines)

    def _maybe_fail(self) -> None:
        if self.fail:
            raise self.fail.pop(0)


@dataclass
class ReportSink:
    """The reports of a process that send only at the end of an attempt."""

    sink: Sink
    folder: Path
    reports: Reports


@pytest.fixture
def sink(tmp_path: Path) -> ReportSink:
    sink = Sink()
    reports = Reports(sink, Spool(tmp_path / "spool"), LineLimits(lines=20, bytes=30_000), interval=3600)
    return ReportSink(sink, tmp_path / "spool", reports)


@pytest.fixture
def live(sink: ReportSink) -> Iterator[LiveRun]:
    with sink.reports.attempt(ME, b'{"given":[1]}') as made:
        yield made


def test_a_run_reads_what_it_wrote_before_it_is_sent(live: LiveRun, sink: ReportSink) -> None:
    """And gets copies: changing them changes nothing."""
    metadata.set("a", {"b": 1}).increment("$.a.b", 2).append("given", 2).remove("given", 1).set("gone", 1).del_("gone")
    assert metadata.current() == {"given": [2], "a": {"b": 3}}
    assert (metadata.get("$.a.b"), metadata.get("$.a.b.c", "none"), metadata.get("x")) == (3, "none", None)
    metadata.current()["given"] = "changed"
    assert metadata.get("given") == [2]
    assert sink.sink.sent == []


def test_changes_that_override_each_other_are_sent_once(live: LiveRun, sink: ReportSink) -> None:
    """A progress loop must not become a million operations."""
    for number in range(1000):
        metadata.set("progress", number).increment("count").parent.increment("count", 2)
        metadata.set("$.nested.progress", number) if number % 500 == 0 else None
    metadata.replace({"all": "new"}).set("b", 1)
    metadata.root.append("c", 1).append("c", 2)
    metadata.flush()
    assert sink.sink.sent == [
        ("run_me", [Change("replace", (), '{"all":"new"}'), Change("set", ("b",), "1")]),
        ("run_parent", [Change("increment", ("count",), "2000")]),
        ("run_root", [Change("append", ("c",), "1"), Change("append", ("c",), "2")]),
    ]


def test_what_others_write_meanwhile_is_seen_after_sending(live: LiveRun, sink: ReportSink) -> None:
    """Children count on their parent; the parent's own unsent changes stay on top."""
    metadata.set("mine", 1)
    sink.sink.metadata["run_me"] = {"theirs": 5}
    metadata.flush()
    metadata.increment("theirs")
    assert metadata.current() == {"mine": 1, "theirs": 6}


def test_an_outage_delays_the_end_of_an_attempt_and_loses_nothing(sink: ReportSink) -> None:
    """All reports of the task must be there when the run counts as done."""
    sink.sink.fail = [StoreUnavailableError("down"), StoreUnavailableError("down")]
    with sink.reports.attempt(ME):
        metadata.increment("a")
        tags.add("x", ["y", "z"])
    assert sink.sink.metadata == {"run_me": {"a": 1}}
    assert sink.sink.tags == ["x", "y", "z"]


def test_under_a_stale_claim_nothing_is_said_about_others_either(sink: ReportSink) -> None:
    """The run executes elsewhere: its children count there."""
    sink.sink.fail = [StaleClaimError("run_me", 3, "STALE")]
    with sink.reports.attempt(ME):
        metadata.set("a", 1).parent.increment("a")
    assert sink.sink.sent == []


def test_a_write_that_was_late_is_repeated_under_the_claim_that_the_code_has_read_since(sink: ReportSink) -> None:
    """A flush may be under way for so long that the run waits and goes on twice meanwhile."""
    sink.sink.fail = [StaleClaimError("run_me", 2, "STALE")]
    with sink.reports.attempt(ME):
        metadata.set("a", 1).parent.increment("b")
        tags.add("x")
    assert sink.sink.metadata == {"run_me": {"a": 1}, "run_parent": {"b": 1}}
    assert sink.sink.tags == ["x"]


def test_impossible_metadata_is_refused_at_the_call_and_leaves_no_trace(live: LiveRun) -> None:
    """The line that is wrong is the one that raises, with the remedy."""
    metadata.set("text", "x").set("a", 1)
    wrong: list[tuple[Callable[[], object], str]] = [
        (lambda: metadata.increment("text"), "not a number"),
        (lambda: metadata.remove("text", 1), "not a list"),
        (lambda: metadata.set("$.a.b", 1), "not an object"),
        (lambda: metadata.set("a", {"x": object()}), "Use JSON values"),
        (lambda: metadata.set("a", float("nan")), "Use JSON values"),
        (lambda: metadata.increment("a", float("inf")), "finite number"),
        (lambda: metadata.set("", 1), "is empty"),
        (lambda: metadata.set("$.a..b", 1), "is empty"),
        (lambda: metadata.set("big", "x" * 262_144), r"262,\d\d\d bytes of JSON and the limit is 262,144"),
        (lambda: tags.add("x" * 129), "1 to 128"),
        (lambda: tags.add(""), "1 to 128"),
    ]
    for call, message in wrong:
        with pytest.raises(RunUpdateError, match=message):
            call()
    assert metadata.current() == {"given": [1], "text": "x", "a": 1}


def test_a_large_value_may_be_replaced_by_another(live: LiveRun) -> None:
    """The limit is on what the metadata is, not on what was ever said."""
    for letter in "abc":
        metadata.set("big", letter * 200_000)
    assert metadata.get("big") == "c" * 200_000


def test_after_the_attempt_its_threads_can_say_no_more(sink: ReportSink) -> None:
    """Nobody would send it."""
    with sink.reports.attempt(ME):
        go, errors = threading.Event(), list[OutsideRunError]()

        def late() -> None:
            go.wait(10)
            try:
                metadata.set("late", 1)
            except OutsideRunError as error:
                errors.append(error)

        thread = threading.Thread(target=late)
        thread.start()
    go.set()
    thread.join()
    assert len(errors) == 1


def test_lines_are_on_disk_at_once_and_sent_at_the_end(sink: ReportSink) -> None:
    """On disk a crash loses none; the files are gone once they are sent."""
    with sink.reports.attempt(ME):
        logger.info("paid", order="o_42", when=Path("odd"))
        (spooled,) = sink.folder.iterdir()
        assert b'"message":"paid"' in spooled.read_bytes()
        assert sink.sink.lines == []
    assert [(each["attempt"], each["claim"], each["seq"]) for each in sink.sink.lines] == [(2, 3, 1)]
    assert sink.sink.lines[0]["fields"] == {"order": "o_42", "when": "odd"}
    assert list(sink.folder.iterdir()) == []


def test_arguments_fill_a_message_as_in_standard_logging(live: LiveRun, sink: ReportSink) -> None:
    """The habit of ``logging`` makes a line, not a failed run."""
    logger.info("order %s costs %d", "o_42", 1250, paid=True)
    logger.warning("no place", "o_42")
    logger.error("100% done")
    sink.reports.send(live)
    assert [line["message"] for line in sink.sink.lines] == ["order o_42 costs 1250", "no place 'o_42'", "100% done"]
    assert sink.sink.lines[0]["fields"] == {"paid": True}


def test_standard_logging_is_kept_without_our_own_noise(live: LiveRun, sink: ReportSink) -> None:
    """With its traceback; also when the task's own configuration has removed the handler meanwhile."""
    shop = logging.getLogger("shop")
    try:
        raise ValueError("boom")
    except ValueError:
        shop.exception("failed: %s", "x")
    logging.getLogger("taskflow.node").error("ours")
    logging.getLogger("celery.worker").error("Celery's")
    logging.getLogger("celery.task").error("by get_task_logger")
    sink.reports.send(live)
    first, second = sink.sink.lines
    assert (first["level"], first["logger"], second["message"]) == ("ERROR", "shop", "by get_task_logger")
    assert str(first["message"]).startswith("failed: x\nTraceback")
    assert str(first["message"]).endswith("ValueError: boom")


def test_a_long_line_is_cut_and_a_long_log_is_truncated_with_a_word(live: LiveRun, sink: ReportSink) -> None:
    """A run that logs in a loop must not fill the store."""
    logger.info('"\n' * 50_000, field="kept")
    logger.info("short", field="x" * 50_000)
    for number in range(50):
        logger.info("line", number=number)
    sink.reports.send(live)
    assert sink.sink.lines.pop() == {"dropped": 32}
    assert [each["seq"] for each in sink.sink.lines] == list(range(1, 22))
    assert all(len(to_json(line)) <= LARGEST_LINE for line in sink.sink.lines)
    assert str(sink.sink.lines[0]["message"]).endswith("... (cut)")
    assert (sink.sink.lines[0]["fields"], sink.sink.lines[1]["fields"]) == ({"field": "kept"}, {})
    assert str(sink.sink.lines[1]["message"]).startswith("short")
    assert "TASKFLOW_LOG_LINES" in str(sink.sink.lines[-1]["message"])


def test_lines_that_could_not_be_sent_are_kept_in_order(tmp_path: Path) -> None:
    """At least once: a failure in the middle repeats, and never skips."""
    spool, sent, fail = Spool(tmp_path), list[bytes](), [True]

    def send(run_id: str, claim: int, lines: Sequence[bytes]) -> None:
        if run_id == "b" and fail:
            fail.clear()
            raise StoreUnavailableError("down")
        sent.extend(lines)

    for number in range(4):
        spool.write("ab"[number % 2], 1, b"%d" % number)
    with pytest.raises(StoreUnavailableError):
        spool.send(send)
    spool.write("a", 1, b"4")
    spool.send(send)
    assert sent == [b"0", b"2", b"0", b"2", b"1", b"3", b"4"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings(
    "ignore:.*fork.*:DeprecationWarning"
)  # Python 3.12 on: other tests' threads are still there
def test_orphans_are_sent_once_and_living_processes_left_alone(tmp_path: Path) -> None:
    """A torn last line is dropped: its writer was killed in the middle of it."""
    spool = Spool(tmp_path)
    spool.write("mine", 1, b"1")
    child = os.fork()
    if child == 0:
        spool.write("gone", 1, b"1")  # to a file of its own
        spool.write("gone", 1, b"2")
        os._exit(9)
    os.waitpid(child, 0)
    (left,) = tmp_path.glob(f"{child}-*")
    with left.open("ab") as file:
        file.write(b"gone 1 {torn")
    sent: list[tuple[str, list[bytes]]] = []
    found = send_orphans(tmp_path, lambda run_id, _, lines: sent.append((run_id, list(lines))))
    assert (found, sent) == (1, [("gone", [b"1", b"2"])])
    assert send_orphans(tmp_path, lambda run_id, _, lines: sent.append((run_id, list(lines)))) == 0
    spool.send(lambda run_id, _, lines: sent.append((run_id, list(lines))))
    assert sent[1:] == [("mine", [b"1"])]
    assert list(tmp_path.iterdir()) == []


def test_without_a_disk_lines_are_still_sent(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A read-only container loses the crash safety, not the log; it is told."""
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    spool, sent = Spool(blocked / "spool"), list[bytes]()
    spool.write("run", 1, b"1")
    spool.write("run", 1, b"2")
    spool.send(lambda _, __, lines: sent.extend(lines))
    assert sent == [b"1", b"2"]
    assert [record.message.partition(":")[0] for record in caplog.records] == ["spool.unwritable"]


def test_changes_are_sent_in_the_background(tmp_path: Path) -> None:
    """The dashboard sees a long run's progress while it goes on."""
    sink = Sink()
    reports = Reports(sink, Spool(tmp_path), LineLimits(), interval=0.01)
    with reports.attempt(ME):
        sink.fail = [StoreUnavailableError("down")]
        metadata.set("a", 1)
        wait_until(lambda: sink.metadata, "the metadata to be sent")
        logger.info("line")
        wait_until(lambda: sink.lines, "the line to be sent")
        metadata.set("a", 2)
        wait_until(lambda: sink.metadata["run_me"]["a"] == 2, "the change to be sent")


def test_a_line_of_any_run_is_kept_and_a_damaged_one_stops_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Ids of adopted runs are any text. Files of older versions are read as well."""
    spool, sent = Spool(tmp_path), list[tuple[str, int, bytes]]()
    ids = ["import orders", "two\nlines", "\ttab", 'say "hi"', "[1]"]
    for run_id in ids:
        spool.write(run_id, 7, b'{"text":"a"}')
    (tmp_path / "0-old.lines").write_bytes(
        b'run_1 2 {"text": "b"}\nimport orders 3 {"c": 1}\nnonsense\n[5\t{}\n["a", "b"]\t{}\n\xff 1 {}\n[]\t{}\n'
    )

    def send(run_id: str, claim: int, lines: Sequence[bytes]) -> None:
        sent.extend((run_id, claim, line) for line in lines)

    spool.send(send)
    assert sent == [(run_id, 7, b'{"text":"a"}') for run_id in ids]
    assert send_orphans(tmp_path, send) == 1
    assert sent[len(ids) :] == [("run_1", 2, b'{"text": "b"}'), ("import orders", 3, b'{"c": 1}')]
    assert sum("spool.unreadable" in record.message for record in caplog.records) == 5
    assert list(tmp_path.iterdir()) == []


def test_lines_outlive_the_removal_of_their_folder(tmp_path: Path) -> None:
    """Somebody who cleans up `.taskflow` costs no line, and stops none of the later ones."""
    spool, sent = Spool(tmp_path / "spool"), list[bytes]()
    for number in range(3):
        spool.write("run", 1, b"%d" % number)
        shutil.rmtree(tmp_path / "spool")
        spool.write("run", 1, b"%d more" % number)
        spool.send(lambda _, __, lines: sent.extend(lines))
    assert sent == [b"0", b"0 more", b"1", b"1 more", b"2", b"2 more"]


def test_a_disk_that_is_full_in_the_middle_of_a_line_costs_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The line that was written in part is kept in memory, as those after it, with one warning until they are sent."""
    spool, sent = Spool(tmp_path), list[bytes]()
    lines = [b"%d " % number + b"x" * 30 for number in range(10)]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (110, limits[1]))
    try:
        for line in lines:
            spool.write("run", 1, line)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    spool.send(lambda _, __, sent_now: sent.extend(sent_now))
    assert sent == lines
    assert [record.message.partition(":")[0] for record in caplog.records] == ["spool.unwritable"]
    spool.write("run", 1, b"on disk again")
    (file,) = tmp_path.iterdir()
    assert b"on disk again" in file.read_bytes()
    spool.send(lambda _, __, lines: sent.extend(lines))
