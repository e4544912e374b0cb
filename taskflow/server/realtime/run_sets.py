"""The sets of runs that clients follow: one run, the runs with all of some tags, the runs of a batch."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from taskflow.definition.calls.run_filter import RunFilter
from taskflow.engine.engine import Engine
from taskflow.engine.feeds.facts import RunFacts
from taskflow.models import Run

MOST_ROWS: Final = 1000
"""The most rows of a set, the newest."""


class RunSet(Protocol):
    """A set of runs.

    Attributes:
        run_id: The one run that it consists of, None for several.
    """

    @property
    def run_id(self) -> str | None: ...

    def has(self, run_id: str, facts: RunFacts) -> bool:
        """Whether a run belongs to it."""
        ...

    async def runs(self, engine: Engine) -> Sequence[Run]:
        """Return its runs. Those that the store does not have any more may lack payload and output."""
        ...


@dataclass(frozen=True, slots=True)
class OneRun:
    """One run."""

    run_id: str

    def has(self, run_id: str, facts: RunFacts) -> bool:
        """Whether it is this run."""
        return run_id == self.run_id

    async def runs(self, engine: Engine) -> Sequence[Run]:
        """Return the run, from the history if the store does not have it.

        Raises:
            RunNotFoundError: No such run.
        """
        return [await engine.runs.aretrieve(self.run_id)]


@dataclass(frozen=True, slots=True)
class TaggedRuns:
    """The runs that have all of some tags and were not made before an instant."""

    tags: frozenset[str]
    since: datetime | None
    run_id: None = None

    def has(self, run_id: str, facts: RunFacts) -> bool:
        """Whether a run has all of the tags and is not too old."""
        return self.tags <= facts.tags and (self.since is None or facts.created_at >= self.since)

    async def runs(self, engine: Engine) -> Sequence[Run]:
        """Return the newest runs, of these the oldest first. The engine's list has those with any of the tags."""
        page = await engine.runs.alist(MOST_ROWS, RunFilter(tag=tuple(self.tags), created_from=self.since))
        wanted = [run for run in reversed(page) if self.has(run.id, RunFacts.of(run))]
        return await _whole(engine, wanted)


@dataclass(frozen=True, slots=True)
class RunsOfBatch:
    """The runs of a batch. One that an item found by its idempotency key belongs to another batch, or to none."""

    batch_id: str
    run_ids: frozenset[str] = field(default=frozenset())
    run_id: None = None

    def has(self, run_id: str, facts: RunFacts) -> bool:
        """Whether a run is one of its items'."""
        return facts.batch_id == self.batch_id or run_id in self.run_ids

    async def runs(self, engine: Engine) -> Sequence[Run]:
        """Return its runs, in the order of their items.

        Raises:
            BatchNotFoundError: No such batch.
        """
        batch = await engine.batches.aretrieve(self.batch_id)
        ids = list(dict.fromkeys(batch.run_ids))[:MOST_ROWS]
        return await engine.feed().records.read_many(ids)


async def _whole(engine: Engine, listed: Sequence[Run]) -> Sequence[Run]:
    """Return the records of listed runs, which have no payload and output themselves."""
    records = await engine.feed().records.read_many([run.id for run in listed])
    whole = {run.id: run for run in records}
    return [whole.get(run.id, run) for run in listed]
