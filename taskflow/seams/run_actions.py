"""What the further verbs of runs delegate to: replay, reschedule, subscribe, bulk. See ``engine``."""

from collections.abc import AsyncGenerator, Generator, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from taskflow.definition.calls.bulk import BulkAction, BulkKind, OnProgress
from taskflow.definition.calls.run_filter import RunFilter
from taskflow.models import Run


class RunActions(Protocol):
    """The verbs, each with its async twin."""

    def replay(self, run_id: str) -> str:
        """Make a new run like another one and return its id."""
        ...

    async def areplay(self, run_id: str) -> str:
        """Make a new run like another one and return its id."""
        ...

    def reschedule(self, run_id: str, due: datetime | timedelta) -> datetime:
        """Give a delayed run another instant to start at and return that."""
        ...

    async def areschedule(self, run_id: str, due: datetime | timedelta) -> datetime:
        """Give a delayed run another instant to start at and return that."""
        ...

    def add_tags(self, run_id: str, tags: Sequence[str]) -> int:
        """Add tags to a run and return how many were ignored, being too many."""
        ...

    async def aadd_tags(self, run_id: str, tags: Sequence[str]) -> int:
        """Add tags to a run and return how many were ignored, being too many."""
        ...

    def subscribe(self, run_id: str) -> Generator[Run]:
        """Yield a run as it is, and after every change."""
        ...

    def asubscribe(self, run_id: str) -> AsyncGenerator[Run]:
        """Yield a run as it is, and after every change."""
        ...

    def find(self, where: RunFilter) -> list[Run]:
        """Return all the runs for which a filter holds, newest first, without payload, output and attempts."""
        ...

    async def afind(self, where: RunFilter) -> list[Run]:
        """Return all the runs for which a filter holds, newest first."""
        ...

    def bulk(self, kind: BulkKind, selected: Sequence[str] | RunFilter, on_progress: OnProgress | None) -> BulkAction:
        """Cancel or replay runs, part by part."""
        ...

    async def abulk(
        self, kind: BulkKind, selected: Sequence[str] | RunFilter, on_progress: OnProgress | None
    ) -> BulkAction:
        """Cancel or replay runs, part by part."""
        ...
