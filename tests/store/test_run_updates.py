"""Metadata that composes, tags and log lines that runs write to the store."""

import copy
import json
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from taskflow.definition.calls.trigger_options import LARGEST_METADATA
from taskflow.errors import RunNotFoundError, RunUpdateError, StaleClaimError
from taskflow.execution.reporting.changes import Change, Json, Kind, apply, json_of
from taskflow.models import AttemptOutcome, RunStatus
from taskflow.store import operations
from taskflow.store.operations.updates import StoredMetadata
from tests.support.bench import ERROR, Bench
from tests.support.permanent_keys import is_permanent


def update(bench: Bench, run_id: str, *changes: Change, claim: int | None = None, number: int = 1) -> Any:
    """Change a run's metadata in one flush of the writer ``w``; returns what it is then."""
    stored = bench.run(operations.updates.update_metadata(run_id, claim, changes, writer="w", number=number))
    return stored and json.loads(stored.document)


def events(bench: Bench, kind: str) -> list[tuple[str, Any]]:
    """Return (run id, value) of the events of a kind."""
    found = bench.redis("XRANGE", bench.key("events"), "-", "+")
    return [(each["run"], json.loads(each["value"])) for _, each in found if each["kind"] == kind]


def executing(bench: Bench, **more: Any) -> tuple[str, int]:
    """Return a run that executes, and its claim."""
    bench.node()
    run_id = bench.trigger(**more)
    return run_id, bench.claim(run_id).claim


def test_metadata_starts_with_the_trigger_and_is_changed_by_the_run(bench: Bench) -> None:
    """Values keep every digit, and empty lists stay lists."""
    run_id, claim = executing(bench, metadata=b'{"id": 12345678901234567890, "none": [], "f": 0.1}')
    change = Change("set", ("a b/ü",), '{"x":[],"y":0.30000000000000004}')
    expected: Json = {"id": 12345678901234567890, "none": [], "f": 0.1, "a b/ü": {"x": [], "y": 0.1 + 0.2}}
    assert update(bench, run_id, change, claim=claim) == expected
    assert bench.run(operations.runs.read_run(run_id)).metadata == expected
    assert events(bench, "metadata") == [(run_id, expected)]
    bench.run(operations.runs.give_up_run(run_id, claim, AttemptOutcome.LOST, ERROR))
    assert json.loads(bench.claim(run_id).metadata) == expected, "the next attempt goes on from there"


VALUES: list[object] = [1, -2, 0.5, "a", 'é"\\/\n', True, None, [], {}, [1, "a", [2]], {"n": {"m": 1}}, "[", "}", ","]


def test_the_script_and_the_runs_own_copy_agree_on_any_changes(one_bench: Bench) -> None:
    """``metadata.get`` in the run must return the same as a read from outside."""
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    run_id, claim = executing(one_bench)
    copied: Json = {}
    kinds: list[Kind] = ["set", "set", "set", "delete", "append", "append", "remove", "increment", "replace"]
    for number in range(1, 200):
        changes: list[Change] = []
        misfits = 0
        for _ in range(chance.randrange(1, 5)):
            kind = chance.choice(kinds)
            path = tuple(chance.choices(["a", "b", "é"], k=chance.randrange(1, 4)))
            value = chance.choice([1, 2.5, -3]) if kind == "increment" else copy.deepcopy(chance.choice(VALUES))
            change = Change(kind, path, "" if kind == "delete" else json_of(value))
            if kind == "replace":
                change = Change(kind, (), json_of({"a": value}))
            misfits += not apply(copied, change)
            changes.append(change)
        stored = one_bench.run(operations.updates.update_metadata(run_id, claim, changes, writer="w", number=number))
        assert stored is not None
        assert (json.loads(stored.document), stored.misfits) == (copied, misfits), f"seed {seed}, {changes}"


def test_parallel_writers_compose(one_bench: Bench) -> None:
    """Sixteen children count on their parent: no increment is lost, and a repeated call counts once."""
    run_id, _ = executing(one_bench)

    def child(writer: int) -> None:
        for number in range(1, 11):
            changes = [Change("increment", ("done",), "1"), Change("append", ("who",), str(writer))]
            update = operations.updates.update_metadata(run_id, None, changes, writer=f"w{writer}", number=number)
            one_bench.store.run(update)
            one_bench.store.run(update)  # its reply was lost

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(child, range(16)))
    metadata = one_bench.run(operations.runs.read_run(run_id)).metadata
    assert metadata["done"] == 160
    assert sorted(metadata["who"]) == sorted(list(range(16)) * 10)  # type: ignore[call-overload]  # a list


def test_stale_claims_and_ended_runs_change_nothing(bench: Bench) -> None:
    """A run's own late write is refused; a child's to an ended parent is dropped in silence."""
    run_id, claim = executing(bench)
    change = Change("set", ("a",), "1")
    with pytest.raises(StaleClaimError):
        update(bench, run_id, change, claim=claim + 1)
    with pytest.raises(StaleClaimError):
        bench.run(operations.updates.add_tags(run_id, claim + 1, ["x"]))
    bench.run(operations.runs.finish_run(run_id, claim, RunStatus.COMPLETED, output=b"1"))
    with pytest.raises(StaleClaimError):
        update(bench, run_id, change, claim=claim)
    with pytest.raises(StaleClaimError):
        bench.run(operations.updates.add_tags(run_id, claim, ["x"]))
    assert update(bench, run_id, change) is None
    with pytest.raises(RunNotFoundError):
        update(bench, "run_unknown", change)
    assert bench.run(operations.runs.read_run(run_id)).metadata == {}


def test_metadata_over_its_limit_is_refused_with_its_size(bench: Bench) -> None:
    """All of the flush, and nothing is lost of what was there."""
    run_id, claim = executing(bench)
    update(bench, run_id, Change("set", ("a",), "1"), claim=claim)
    large = Change("set", ("b",), json.dumps("x" * LARGEST_METADATA))
    with pytest.raises(RunUpdateError, match=r"262,158 bytes of JSON and the limit is 262,144"):
        update(bench, run_id, Change("set", ("a",), "2"), large, claim=claim, number=2)
    fits = Change("set", ("b",), json.dumps("x" * (LARGEST_METADATA - 20)))
    assert update(bench, run_id, fits, claim=claim, number=3)["a"] == 1
    assert [value for _, value in events(bench, "metadata")] == [{"a": 1}, None]


def test_misfits_are_counted_and_change_nothing(bench: Bench) -> None:
    """A text can't be incremented, and a number has no fields; the rest of the flush is done."""
    run_id, claim = executing(bench, metadata=b'{"t":"text","n":5}')
    changes = [
        Change("increment", ("t",), "1"),
        Change("remove", ("n",), "5"),
        Change("set", ("n", "x"), "1"),
        Change("increment", ("n",), "1e308"),
        Change("increment", ("n",), "1e308"),
        Change("set", ("n",), "6"),
    ]
    stored = bench.run(operations.updates.update_metadata(run_id, claim, changes, writer="w", number=1))
    assert stored == StoredMetadata(b'{"t":"text","n":6}', 4)


def test_tags_are_added_once_and_up_to_ten(bench: Bench) -> None:
    """Those of the trigger count; what is over the limit is ignored and said."""
    run_id, claim = executing(bench, tags=("a", "b"))
    assert bench.run(operations.updates.add_tags(run_id, claim, ["b", "c", "d/é"])) == 0
    assert bench.run(operations.updates.add_tags(run_id, None, [f"t{number}" for number in range(8)])) == 2
    expected = ("a", "b", "c", "d/é", *(f"t{number}" for number in range(6)))
    assert bench.run(operations.runs.read_run(run_id)).tags == expected
    assert [value for _, value in events(bench, "tags")] == [list(expected[:4]), list(expected)]


def test_log_lines_are_taken_after_their_claim_too(bench: Bench) -> None:
    """The last lines of a crash come when the run executes elsewhere; a claim that never was says nothing."""
    run_id, claim = executing(bench)
    bench.run(operations.runs.give_up_run(run_id, claim, AttemptOutcome.LOST, ERROR))
    newest = bench.claim(run_id).claim
    assert bench.run(operations.updates.append_logs(run_id, claim, [b'{"seq":1}', b'{"seq":2}'])) == 2
    assert bench.run(operations.updates.append_logs(run_id, newest + 1, [b'{"seq":3}'])) == 0
    with pytest.raises(RunNotFoundError):
        bench.run(operations.updates.append_logs("run_unknown", 1, [b'{"seq":3}']))
    assert events(bench, "log") == [(run_id, {"seq": 1}), (run_id, {"seq": 2})]


def test_spans_are_events_of_their_own_kind(bench: Bench) -> None:
    """They stand among the lines, are limited like them, and are not shown as lines."""
    run_id, claim = executing(bench)
    told = [b'{"span":1,"seq":1}', b'{"seq":2,"message":"{\\"span\\":"}']
    assert bench.run(operations.updates.append_logs(run_id, claim, told)) == 2
    assert events(bench, "span") == [(run_id, {"span": 1, "seq": 1})]
    assert [line["seq"] for _, line in events(bench, "log")] == [2]


def test_a_run_has_so_many_log_lines_whatever_the_number_of_its_attempts(bench: Bench) -> None:
    """A run that is tried again and again must not fill stream and history."""
    run_id, claim = executing(bench)

    def append(claim: int, *lines: str, largest: int = 100) -> int:
        documents = [f'{{"seq":"{line}"}}'.encode() for line in lines]
        return bench.run(operations.updates.append_logs(run_id, claim, documents, most=3, largest=largest))

    assert append(claim, "a", "b") == 2
    bench.run(operations.runs.give_up_run(run_id, claim, AttemptOutcome.LOST, ERROR))
    bench.claim(run_id)
    assert append(claim + 1, "c", "d", "e") == 2
    assert append(claim + 1, "f") == 0
    told = [line for _, line in events(bench, "log")]
    assert [line["seq"] for line in told] == ["a", "b", "c", 0]
    assert "TASKFLOW_LOG_LINES" in told[-1]["message"]

    run_id, claim = executing(bench)
    assert append(claim, "a", "b", "c", largest=15) == 3
    assert [line["seq"] for run, line in events(bench, "log") if run == run_id] == ["a", "b", 0]


def test_what_updates_leave_behind_has_an_end(one_bench: Bench) -> None:
    """Every key has a TTL once the run has ended."""
    run_id, claim = executing(one_bench)
    update(one_bench, run_id, Change("set", ("a",), "1"), claim=claim)
    keys = [str(key) for key in one_bench.client.keys("*flushed*")]
    assert [key for key in keys if one_bench.redis("TTL", key) <= 0 and not is_permanent(key)] == []
    assert len(keys) == 1
