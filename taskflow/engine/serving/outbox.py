"""The engine behind outboxes: makes the runs that another process has planned."""

from taskflow.engine.batches.engine import BatchEngine
from taskflow.engine.runs import RunEngine
from taskflow.store.operations.making import NewRun
from taskflow.store.planned_documents import load


class OutboxEngine:
    """Planned triggers of processes that have ended."""

    def __init__(self, runs: RunEngine, batches: BatchEngine) -> None:
        self._runs, self._batches = runs, batches

    def make(self, document: bytes) -> None:
        """Make the runs of a document. Called again, or by several processes, it makes no run twice.

        Raises:
            ValueError: The document is none.
        """
        planned = load(document)
        if planned.batch_id is not None:
            self._batches.make(planned.batch_id, planned.items, planned.key)
            return
        (new,) = planned.items
        assert isinstance(new, NewRun)
        self._runs.make(new)
