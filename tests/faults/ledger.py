"""The lines that the tasks wrote, and the deaths of their processes: the driver's own record of a drive."""

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
    """The execution of a run under one claim, by the host's clock."""

    run_id: str
    attempt: int
    claim: int
    pid: int
    began: float
    ended: float | None = None
    """The end by its own line, or the time at which its process was last seen alive; None while it executes."""


@dataclass(frozen=True, slots=True)
class Note:
    """Another line of a run's code, with its claim at that moment. The order of the notes is that of the ledger."""

    kind: str
    run_id: str
    attempt: int
    claim: int
    words: tuple[str, ...]


@dataclass(slots=True)
class Ledger:
    """The content of a ledger at one time."""

    stints: list[Stint] = field(default_factory=list[Stint])
    hooks: dict[str, int] = field(default_factory=lambda: defaultdict[str, int](int))
    made: dict[str, bool] = field(default_factory=dict[str, bool])
    """Runs that tasks have triggered, each with whether its trigger was answered."""
    twice: list[str] = field(default_factory=list[str])
    """Claims under which two attempts began."""
    notes: list[Note] = field(default_factory=list[Note])


def read_ledger(path: Path, deaths: dict[int, float]) -> Ledger:
    """Read the ledger. A stint without a line for its end ended with its process."""
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
            attempt, claim, _, _, *details = words
            ledger.notes.append(Note(kind, run_id, int(attempt), int(claim), tuple(details)))
    return ledger


class DeathWatch:
    """Records the deaths of the processes in a ledger.

    Attributes:
        deaths: The time at which each dead process was last seen alive. Its code may have gone on for a moment longer,
            never shorter, so no check based on it reports a problem that was none.
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
        """End the watch, after a last check."""
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
            whole_lines = [line.split() for line in whole.splitlines()]
            return [(int(words[4]), float(words[5])) for words in whole_lines if words[0] in (b"start", b"resume")]
        return []
