"""What executing runs tell goes to the store: from their own process, or from a node of this host when that is gone."""

import logging
import os
import tempfile
import threading
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

log = logging.getLogger("taskflow.run")
LOOK_SECONDS: Final = 10.0
"""How often a node looks for log lines that a dead process of this host has left."""


def make_reports(settings: Settings, store: Store) -> Reports:
    """Return the reports of this process."""
    limits = _limits(settings)
    return Reports(StoreWriter(store, limits), Spool(spool_folder(settings)), limits)


def _limits(settings: Settings) -> LineLimits:
    return LineLimits(settings.log_lines, settings.log_bytes)


def spool_folder(settings: Settings) -> Path:
    """Return where the processes of an environment on this host keep log lines until they are sent.

    In ``settings.home``; where that can't be written (a read-only container), in a folder of this user under ``/tmp``.
    """
    home, temporary = settings.home.resolve(), Path(tempfile.gettempdir()) / f"taskflow-{os.getuid()}"
    nearest = next(folder for folder in (home, *home.parents) if folder.exists())
    is_ours = not temporary.exists() or temporary.stat().st_uid == os.getuid()
    chosen = temporary if not os.access(nearest, os.W_OK) and is_ours else home
    return chosen / "spool" / settings.environment


def identity_of(claimed: ClaimedRun) -> RunIdentity:
    """Return who tells."""
    return RunIdentity(claimed.run_id, claimed.attempt_number, claimed.claim, claimed.parent_id, claimed.root_id)


class StoreWriter:
    """Sends what runs tell to the store."""

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
        """Add log lines. Those of a run that is long gone are dropped."""
        try:
            most, largest = self._limits.lines, self._limits.bytes
            self._store.run_for(
                run_id, operations.updates.append_logs(run_id, claim, lines, most=most, largest=largest)
            )
        except RunNotFoundError as gone:
            log.info("log.dropped: %s", gone)
        except StoreScriptError as broken:  # kept, they would stand before all others for ever
            log.error("log.dropped: %s", broken)


class OrphanSender:
    """A node's thread that sends the log lines of dead children and dead nodes of this host."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._folder = spool_folder(settings)
        self._writer = StoreWriter(store, _limits(settings))
        self._wake = threading.Event()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._serve, name="taskflow-orphans", daemon=True)

    def start(self) -> None:
        """Start the thread, which looks at once: what ran here before may have been killed."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end after a last look."""
        self._is_stopping = True
        self._wake.set()

    def look(self) -> None:
        """Look now: a child has died."""
        self._wake.set()

    def _serve(self) -> None:
        is_last = False
        while not is_last:
            is_last = self._is_stopping
            try:
                if found := send_orphans(self._folder, self._writer.append_logs):
                    log.info("log.rescued: %d files of dead processes", found)
            except StoreUnavailableError as error:
                log.warning("store.unavailable: %s", error)
            except Exception:
                log.exception("log.unsent: what dead processes have left in %s", self._folder)
            if not is_last:
                self._wake.wait(LOOK_SECONDS)
                self._wake.clear()
