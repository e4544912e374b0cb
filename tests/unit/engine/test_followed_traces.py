"""A trace that is followed misses nothing, whatever does not answer in between."""

import json
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from taskflow.engine.trace.reader import FollowedTrace
from taskflow.errors import HistoryUnavailableError, StoreUnavailableError
from taskflow.store.wire import new_run_id
from tests.unit.engine.test_long_traces import BEGIN, a_run

RUN = new_run_id(0)


def a_line(number: int) -> bytes:
    """Return the JSON of a log line."""
    line = {
        "attempt": 1,
        "claim": 1,
        "seq": number,
        "time": BEGIN + number,
        "level": "INFO",
        "message": f"line {number}",
    }
    return json.dumps(line).encode()


class Answers:
    """A store and a history that fail when their next answer is an exception."""

    def __init__(self) -> None:
        self.config = SimpleNamespace(shards=1)
        self.past: list[Any] = []
        self.entries: list[tuple[bytes, list[bytes]]] = []
        self.failures: dict[str, Exception] = {}

    def add(self, number: int) -> None:
        """Add an entry to the stream."""
        fields = [b"run", RUN.encode(), b"kind", b"log", b"value", a_line(number)]
        self.entries.append((f"{BEGIN + number}-0".encode(), fields))

    def retrieve(self, run_id: str) -> Any:
        """Return the run."""
        return a_run(run_id, BEGIN, BEGIN + 500)

    def list(self, *_: object) -> Sequence[Any]:
        """Return no children."""
        return []

    def events(self, _: str) -> Sequence[Any]:
        """Return the events of the history."""
        return self.past

    def feed_ms(self, _: int) -> int:
        """Return how far the history is."""
        self._fail("feed_ms")
        return BEGIN

    def read_stream(self, _: str, after: str, **__: object) -> Sequence[tuple[bytes, Sequence[bytes]]]:
        """Return one entry behind a place."""
        found = [entry for entry in self.entries if int(entry[0].split(b"-")[0]) > int(after.partition("-")[0])][:1]
        if not found or found[0][0] == f"{BEGIN + 2}-0".encode():
            self._fail("read_stream")
        return found

    def _fail(self, name: str) -> None:
        if failure := self.failures.pop(name, None):
            raise failure


@pytest.fixture
def answers() -> Answers:
    """The history has the changes of the run's status; the stream has two lines."""
    made = Answers()
    for number in (1, 2):
        made.add(number)
    changes = [(BEGIN - 20, "QUEUED"), (BEGIN, "EXECUTING")]
    made.past = [SimpleNamespace(position=ms << 20, kind="status", value=status) for ms, status in changes]
    return made


@pytest.mark.parametrize("failing", ["feed_ms", "read_stream"])
def test_what_was_read_before_a_failure_is_kept(answers: Answers, failing: str) -> None:
    """The page goes on with the same reader."""
    followed: Any = FollowedTrace(RUN, answers, answers, answers)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - as far as it asks them
    away = HistoryUnavailableError("away") if failing == "feed_ms" else StoreUnavailableError("away")
    answers.failures[failing] = away
    with pytest.raises(type(away)):
        followed.read()
    trace = followed.read()
    assert [line.message for line in trace.lines] == ["line 1", "line 2"]
    assert [span.kind for span in trace.spans] == ["run", "queued", "attempt"]
    answers.add(3)
    assert [line.message for line in followed.read().lines] == ["line 1", "line 2", "line 3"]
