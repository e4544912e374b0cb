"""The facts by which a run belongs to a set: its tags, batch and creation. Read once and kept while they hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from taskflow.engine.feeds.records import RecordReader
from taskflow.models import Run

_MOST_KEPT: Final = 20_000


@dataclass(frozen=True, slots=True)
class RunFacts:
    """The facts of one run."""

    tags: frozenset[str]
    batch_id: str | None
    created_at: datetime

    @classmethod
    def of(cls, run: Run) -> "RunFacts":
        """Return the facts of a record."""
        return cls(frozenset(run.tags), run.batch_id, run.created_at)


class FactCache:
    """The facts of the runs that changed lately, so that several sets read the record of a run once."""

    def __init__(self, records: RecordReader) -> None:
        self._records = records
        self._known: dict[str, RunFacts] = {}

    async def read(self, run_ids: Sequence[str]) -> dict[str, RunFacts]:
        """Return the facts of runs that the store has.

        Raises:
            StoreUnavailableError: The store did not answer.
        """
        unknown = [run_id for run_id in run_ids if run_id not in self._known]
        for run in await self._records.read_many(unknown):
            self._known[run.id] = RunFacts.of(run)
        found = {run_id: self._known[run_id] for run_id in run_ids if run_id in self._known}
        while len(self._known) > _MOST_KEPT:
            del self._known[next(iter(self._known))]
        return found

    def forget(self, run_id: str) -> None:
        """Forget a run whose tags changed."""
        self._known.pop(run_id, None)
