"""Reports of runs on their way to the store: from their own process, or from a node of its host when it has died."""

import logging
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from taskflow.errors import RunNotFoundError, StoreScriptError, StoreUnavailableError
from taskflow.execution.reporting.changes import Change
from taskflow.execution.reporting.lines import LineLimits
from taskflow.execution.reporting.reports import Reports
from taskflow.execution.reporting.sink import RunIdentity
from taskflow.execution.reporting.spool import Spool, send_orphans
from taskflow.settings import Settings
from taskflow.store import operations
from taskflow.store.operations.claims import ClaimedRun
from taskflow.store.sync_store import Store
from taskflow.worker.repeating_thread import RepeatingThread

log = logging.getLogger("taskflow.run")
LOOK_SECONDS: Final = 10.0
"""Pause of a node between two looks for log lines that a dead process of this host has left."""


def make_reports(settings: Settings, store: Store) -> Reports:
    """Return the reports of this process."""
    limits = _limits(settings)
    return Reports(StoreWriter(store, limits), Spool(spool_folder(settings)), limits)


def _limits(settings: Settings) -> LineLimits:
    return LineLimits(settings.log_lines, settings.log_bytes)


def spool_folder(settings: Settings) -> Path:
    """Return the folder in which the processes of an environment on this host keep log lines until they are sent.

    It is in ``settings.home``, or under ``/tmp`` where that can't be written (a read-only container).
    """
    home, temporary = settings.home.resolve(), Path(tempfile.gettempdir()) / f"taskflow-{os.getuid()}"
    nearest = next(folder for folder in (home, *home.parents) if folder.exists())
    is_ours = not temporary.exists() or temporary.stat().st_uid == os.getuid()
    chosen = temporary if not os.access(nearest, os.W_OK) and is_ours else home
    return chosen / "spool" / settings.environment


def identity_of(claimed: ClaimedRun) -> RunIdentity:
    """Return the identity under which a run reports."""
    return RunIdentity(claimed.run_id, claimed.attempt_number, claimed.claim, claimed.parent_id, claimed.root_id)


class StoreWriter:
    """Sends the reports of runs to the store."""

    def __init__(self, store: Store, limits: LineLimits) -> None:
        self._store, self._limits = store, limits

    def update_metadata(
        self, run_id: str, claim: int | None, changes: Sequence[Change], writer: str, number: int
    ) -> bytes | None:
        """Change a run's metadata."""
        update = operations.updates.update_metadata(run_id, claim, changes, writer=writer, number=number)
        try:
            stored = self._store.run_for(run_id, update)
        except RunNotFoundError:
            if claim is None:  # a parent may be long gone
                return None
            raise
        if stored is not None and stored.misfits:
            log.warning("metadata.ignored: %d changes from %s do not fit run %s", stored.misfits, writer, run_id)
        return None if stored is None else stored.document

    def add_tags(self, run_id: str, claim: int, tags: Sequence[str]) -> None:
        """Add tags."""
        ignored = self._store.run_for(run_id, operations.updates.add_tags(run_id, claim, tags))
        if ignored:
            log.warning("tags.ignored: run %s has its ten tags; %d more were ignored", run_id, ignored)

    def append_logs(self, run_id: str, claim: int, lines: Sequence[bytes]) -> None:
        """Add log lines. Lines of a run that the store has forgotten are dropped."""
        try:
            most, largest = self._limits.lines, self._limits.bytes
            self._store.run_for(
                run_id, operations.updates.append_logs(run_id, claim, lines, most=most, largest=largest)
            )
        except RunNotFoundError as gone:
            log.info("log.dropped: %s", gone)
        except StoreScriptError as broken:  # if they were kept, they would stand before all others for ever
            log.error("log.dropped: %s", broken)


class OrphanSender(RepeatingThread):
    """Sends the log lines of dead children and dead nodes of this host.

    The first look is at once, because what ran here before may have been killed. The last one follows ``stop``.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        super().__init__("taskflow-orphans")
        self._folder = spool_folder(settings)
        self._writer = StoreWriter(store, _limits(settings))

    def turn(self) -> float:
        """Send what no living process holds."""
        if files := send_orphans(self._folder, self._writer.append_logs):
            log.info("log.rescued: %d files of dead processes", files)
        return LOOK_SECONDS

    def end(self) -> None:
        """Look a last time."""
        self.turn()

    def handle_error(self, error: Exception) -> float:
        """Log it; the lines stay on disk."""
        if isinstance(error, StoreUnavailableError):
            log.warning("store.unavailable: %s", error)
        else:
            log.error("log.unsent: what dead processes have left in %s", self._folder, exc_info=error)
        return LOOK_SECONDS
