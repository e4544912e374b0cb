"""The log lines and spans of a run, first from the history, then from the store's stream of events."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Generator, Iterator
from typing import Any, Final

from taskflow.definition.calls.log_line import LogLine
from taskflow.definition.documents.readable import read_json
from taskflow.engine.lookup import Lookup
from taskflow.errors import RunNotFoundError
from taskflow.store import operations
from taskflow.store.events import entry_id
from taskflow.store.keys import EVENTS
from taskflow.store.operations.encoding import instant, pairs
from taskflow.store.sync_store import Store
from taskflow.store.wire import shard_of_run

_LINGER_SECONDS: Final = 2.0
"""Time after a run's end in which more lines may come, because those of a crash come late."""
_BLOCK_MS: Final = 500
_KINDS: Final = ("log", "span")


class RunLogs:
    """Reads the lines of runs."""

    def __init__(self, store: Store, lookup: Lookup) -> None:
        self._store = store
        self._lookup = lookup

    def lines(self, run_id: str, *, follow: bool = False, stop: threading.Event | None = None) -> Generator[LogLine]:
        """Yield a run's lines, oldest first; with ``follow`` also those to come, until the run has ended.

        Args:
            stop: Ends the lines soon once it is set.

        Raises:
            RunNotFoundError: No such run, in the store or the history.
            StoreUnavailableError: The store did not answer.
        """
        seen: set[tuple[int, int]] = set()
        for value in self._values(run_id, follow=follow, stop=stop or threading.Event()):
            line = line_of(value)
            if line is not None and line.sequence not in seen:
                seen.add(line.sequence)
                yield line

    async def alines(self, run_id: str, *, follow: bool = False) -> AsyncGenerator[LogLine]:
        """Yield a run's lines. See ``lines``. They are read in threads."""
        stop, turn = threading.Event(), threading.Lock()
        lines = self.lines(run_id, follow=follow, stop=stop)

        def following() -> LogLine | None:
            with turn:
                return next(lines, None)

        def close() -> None:
            stop.set()
            with turn:  # a thread may still be reading for a caller that was canceled
                lines.close()

        try:
            while (line := await asyncio.to_thread(following)) is not None:
                yield line
        finally:
            await asyncio.shield(asyncio.to_thread(close))

    def _values(self, run_id: str, *, follow: bool, stop: threading.Event) -> Iterator[str]:
        is_over = self._is_over(run_id)
        after = 0
        for event in self._lookup.events(run_id):
            after = event.position
            if event.kind in _KINDS:
                yield event.value
        last = entry_id(after) if after else "0"
        ended_at = time.monotonic() if is_over else None
        shard = shard_of_run(run_id) or 0
        while not stop.is_set():
            entries = self._store.read_stream(EVENTS, last, shard=shard, block_ms=_BLOCK_MS if follow else None)
            for last_read, fields in entries:
                last = last_read.decode()
                entry = pairs(fields)
                if entry["run"].decode() == run_id and entry["kind"].decode() in _KINDS:
                    yield entry["value"].decode()
            if entries:
                continue
            if not follow or (ended_at is not None and time.monotonic() - ended_at > _LINGER_SECONDS):
                return
            if ended_at is None and self._is_over(run_id):
                ended_at = time.monotonic()

    def _is_over(self, run_id: str) -> bool:
        try:
            return self._store.run_for(run_id, operations.runs.read_result(run_id))[0].is_finished
        except RunNotFoundError:
            return self._lookup.retrieve(run_id).is_finished


def line_of(value: str) -> LogLine | None:
    """Return the line of an event of kind "log" or "span", None if it is none."""
    document: Any = read_json(value)
    if not isinstance(document, dict):
        return None
    line: dict[str, Any] = document  # pyright: ignore[reportUnknownVariableType] - any JSON
    if "span" in line:
        line |= _span_shown(line)
    return LogLine(
        at=instant(line.get("time", 0)),
        level=str(line.get("level", "INFO")),
        logger=str(line.get("logger", "")),
        message=str(line.get("message", "")),
        attempt=int(line.get("attempt", 0)),
        sequence=(int(line.get("claim", 0)), int(line.get("seq", 0))),
        fields=dict(line.get("fields") or {}),
    )


def _span_shown(span: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of the line that shows a span that has ended."""
    error = f", ended by {span['error']}" if span.get("error") else ""
    took = float(span.get("ms", 0))
    return {
        "level": "SPAN",
        "logger": "taskflow.logger",
        "time": span.get("time", 0) + took,
        "message": f"{span.get('message', '')} ({took:g} ms{error})",
    }
