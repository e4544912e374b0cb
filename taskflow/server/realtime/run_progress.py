"""The events of one run as frames of an answer: statuses, attempts, metadata, tags, new instants. No I/O."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from pydantic_core import from_json, to_json

from taskflow.models import Attempt, Run, RunError, RunStatus
from taskflow.server.realtime.event_stream import frame
from taskflow.store.events import Event, entry_id, position

_SHOWN: Final = {"rescheduled": "rescheduled", "metadata": "metadata", "tags": "tags", "stream": "stream"}


class RunProgress:
    """Turns events and records of a run into frames, each event once.

    Every frame that changes the position has an id, an entry of the store's stream. An attempt comes before the status
    that it led to and has no id: a client that loses the connection between the two gets both again.

    Args:
        after: The position behind which events are sent.
    """

    def __init__(self, run_id: str, after: int) -> None:
        self.position = after
        self.status: RunStatus | None = None
        self._run_id = run_id
        self._began: set[int] = set()
        self._ended: set[int] = set()

    @property
    def is_over(self) -> bool:
        """Whether the final status was sent."""
        return self.status is not None and self.status.is_finished

    def skip(self, record: Run, until_ms: int) -> None:
        """Take as sent which attempts had begun and ended at an instant."""
        for attempt in record.attempts:
            if _ms(attempt.started_at) <= until_ms:
                self._began.add(attempt.number)
            if attempt.finished_at is not None and _ms(attempt.finished_at) <= until_ms:
                self._ended.add(attempt.number)

    def frames(self, events: Sequence[Event], record: Run | None) -> Iterator[bytes]:
        """Yield the frames of events that were not sent, and of the attempts that the record shows."""
        for event in events:
            if event.position <= self.position:
                continue
            if record is not None and event.kind == "status":
                yield from self._attempts(record, event.at_ms)
            yield from self._frame(event, record)
            self.position = max(self.position, event.position)

    def catch_up(self, record: Run, shown: int) -> Iterator[bytes]:
        """Yield the status of a record if another one was sent last: the event between the two is lost.

        Args:
            shown: The position up to which the record shows all events, which have been sent.
        """
        if record.status is self.status:
            return
        yield from self._attempts(record, shown >> 20)
        self.position = max(self.position, shown)
        yield self._status(record.status, datetime.now(UTC), entry_id(self.position), record)

    def _frame(self, event: Event, record: Run | None) -> Iterator[bytes]:
        at = datetime.fromtimestamp(event.at_ms / 1000, UTC)
        if event.kind == "status":
            yield self._status(RunStatus(event.value), at, event.id, record)
            return
        if event.kind not in _SHOWN:
            return
        content: dict[str, object] = {"runId": self._run_id, "at": _iso(at)}
        if event.kind == "metadata":
            value = from_json(event.value)  # null where it is too large for an event
            content["metadata"] = value if value is not None or record is None else record.metadata
        elif event.kind == "tags":
            content["tags"] = from_json(event.value)
        elif event.kind == "rescheduled":
            content["dueAt"] = _iso(datetime.fromtimestamp(int(event.value) / 1000, UTC))
        else:
            content["stream"] = event.value
        yield _json_frame(content, event.kind, event.id)

    def _status(self, status: RunStatus, at: datetime, event_id: str, record: Run | None) -> bytes:
        self.status = status
        content: dict[str, object] = {"runId": self._run_id, "status": status.value, "at": _iso(at)}
        if status.is_failed and record is not None and record.error is not None:
            content["error"] = _error(record.error)
        return _json_frame(content, "status", event_id)

    def _attempts(self, record: Run, until_ms: int) -> Iterator[bytes]:
        """Yield what the record shows of attempts up to an instant that was not sent."""
        for attempt in record.attempts:
            if attempt.number not in self._began and _ms(attempt.started_at) <= until_ms:
                self._began.add(attempt.number)
                yield _json_frame(self._attempt(attempt, ended=False), "attempt")
            is_new = attempt.finished_at is not None and attempt.number not in self._ended
            if is_new and attempt.finished_at is not None and _ms(attempt.finished_at) <= until_ms:
                self._ended.add(attempt.number)
                yield _json_frame(self._attempt(attempt, ended=True), "attempt")

    def _attempt(self, attempt: Attempt, *, ended: bool) -> dict[str, object]:
        content: dict[str, object] = {
            "runId": self._run_id,
            "number": attempt.number,
            "startedAt": _iso(attempt.started_at),
        }
        if ended and attempt.finished_at is not None and attempt.outcome is not None:
            content |= {"finishedAt": _iso(attempt.finished_at), "outcome": attempt.outcome.value}
            if attempt.error is not None:
                content["error"] = _error(attempt.error)
        return content


def position_of(event_id: str) -> int | None:
    """Return the position that a ``Last-Event-ID`` names, None for another text."""
    first, _, second = event_id.partition("-")
    is_one = first.isascii() and first.isdigit() and len(first) <= 15 and second.isascii() and len(second) <= 15
    return position(event_id) if is_one and second.isdigit() else None


def _json_frame(content: dict[str, object], event: str, id: str | None = None) -> bytes:
    return frame(to_json(content).decode(), event=event, id=id)


def _error(error: RunError) -> dict[str, object]:
    return {"name": error.type, "message": error.message}


def _ms(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)


def _iso(instant: datetime) -> str:
    return f"{instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
