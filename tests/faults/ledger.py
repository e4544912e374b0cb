"""What the tasks wrote, and when their processes died: the driver's own knowledge of what happened."""

import contextlib
import os
import select
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

LOOK_SECONDS = 0.02


@dataclass(slots=True)
class Stint:
    """What was executed under one claim, by the host's clock."""

    run_id: str
    attempt: int
    claim: int
    pid: int
    began: float
    ended: float | None = None
    """When it said that it ended, or was last seen alive; None: it is alive."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something else that a run's code said, with its claim at that moment. Which comes first, their order says."""

    kind: str
    run_id: str
    attempt: int
    claim: int
    words: tuple[str, ...]


@dataclass(slots=True)
class Ledger:
    """A ledger as it was when it was read."""

    stints: list[Stint] = field(default_factory=list[Stint])
    hooks: dict[str, int] = field(default_factory=lambda: defaultdict[str, int](int))
    made: dict[str, bool] = field(default_factory=dict[str, bool])
    """Runs that tasks have triggered, and whether for certain."""
    twice: list[str] = field(default_factory=list[str])
    """Claims under which two attempts began."""
    notes: list[Note] = field(default_factory=list[Note])


def read_ledger(path: Path, deaths: dict[int, float]) -> Ledger:
    """Read the ledger. What did not end by itself ended with its process."""
    ledger, began = Ledger(), set[tuple[str, str]]()
    stints: dict[tuple[str, str, str], Stint] = {}  # a durable run's attempt goes on in another process
    for line in path.read_text().splitlines() if path.exists() else ():
        kind, run_id, *words = line.split()
        if kind in ("start", "resume"):
            attempt, claim, pid, at = words
            if kind == "start" and (run_id, claim) in began:
                ledger.twice.append(f"claim {claim} of {run_id} began twice")
            began.add((run_id, claim))
            stint = Stint(run_id, int(attempt), int(claim), int(pid), float(at), deaths.get(int(pid)))
            stints[run_id, attempt, pid] = stint
            ledger.stints.append(stint)
        elif kind in ("end", "pause"):
            stint = stints[run_id, words[0], words[2]]
            stint.ended = min(float(words[3]), stint.ended or float("inf"))
        elif kind == "hook":
            ledger.hooks[run_id] += 1
        elif kind == "made":
            ledger.made[run_id] = ledger.made.get(run_id, False) or words[1] == "certain"
        else:
            attempt, claim, _, _, *told = words
            ledger.notes.append(Note(kind, run_id, int(attempt), int(claim), tuple(told)))
    return ledger


class DeathWatch:
    """Learns when the processes of a ledger die.

    Attributes:
        deaths: When each dead process was last seen alive. Its code may have gone on for a moment, not a moment less:
            what is computed from it never accuses without reason.
    """

    def __init__(self, path: Path) -> None:
        self.deaths: dict[int, float] = {}
        self._path = path
        self._place = 0
        self._alive: dict[int, int] = {}
        self._seen: dict[int, float] = {}
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="death-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the watch, after a last look."""
        self._is_stopping.set()
        self._thread.join(5)
        self._look()
        for descriptor in self._alive.values():
            os.close(descriptor)

    def _run(self) -> None:
        while not self._is_stopping.wait(LOOK_SECONDS):
            self._look()

    def _look(self) -> None:
        now = time.time()
        for pid, at in self._new_starts():
            self._seen[pid] = at
            if pid not in self._alive and pid not in self.deaths:
                try:
                    self._alive[pid] = os.pidfd_open(pid)
                except ProcessLookupError:
                    self.deaths[pid] = at
        ended = select.select(list(self._alive.values()), [], [], 0)[0] if self._alive else []
        for pid, descriptor in list(self._alive.items()):
            if descriptor in ended:
                os.close(self._alive.pop(pid))
                self.deaths[pid] = self._seen[pid]
            else:
                self._seen[pid] = max(now, self._seen[pid])

    def _new_starts(self) -> list[tuple[int, float]]:
        with contextlib.suppress(FileNotFoundError), self._path.open("rb") as lines:
            lines.seek(self._place)
            text = lines.read()
            whole = text[: text.rfind(b"\n") + 1]
            self._place += len(whole)
            found = [line.split() for line in whole.splitlines()]
            return [(int(words[4]), float(words[5])) for words in found if words[0] in (b"start", b"resume")]
        return []
