"""The thread that writes the items of streams, over a store that answers as told."""

import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from taskflow.engine.stream_sender import QueuedWriter, StreamSender
from taskflow.errors import StaleClaimError
from taskflow.seams.streams import StreamAddress
from taskflow.store.operations.operation import Operation
from taskflow.store.operations.streams import StreamLimits


class BusyStore:
    """While another run tells without a pause, the store knows a new claim of the first one."""

    config = SimpleNamespace(shards=1)
    busy: QueuedWriter
    claim = 1

    def __init__(self) -> None:
        self.refused = self.calls = 0

    def run_many(self, appends: Sequence[tuple[Operation[int], int]]) -> list[Any]:
        time.sleep(0.005)
        self.calls += 1
        if self.refused < 3 and self.calls < 100:
            self.busy.put(b"1")
        return [self._answer(append) for append, _ in appends]

    def run_for(self, run_id: str, append: Operation[int]) -> Any:
        (answer,) = self.run_many([(append, 0)])
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _answer(self, append: Operation[int]) -> Any:
        if append.args[:2] != ("run_waits", 1):
            return 1
        self.refused += 1
        return StaleClaimError("run_waits", 1, "STALE")


def test_what_is_to_be_written_again_does_not_wait_for_a_pause_of_others() -> None:
    """It would be tried once more only after its time, and be dropped."""
    store: Any = BusyStore()
    sender = StreamSender(store, StreamLimits())
    store.busy = QueuedWriter(StreamAddress("run_busy", "stream", "a", None), None, sender)
    waits = QueuedWriter(StreamAddress("run_waits", "stream", "a", 1), lambda: 1 if store.refused < 3 else 2, sender)
    store.busy.put(b"1")
    waits.put(b"1")
    waits.flush()
    assert store.refused == 3
    assert store.calls < 100, "it is tried again although the others go on"
