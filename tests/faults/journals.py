"""The judge of durable runs: each step ran once. A call that has returned has its journal entry."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from taskflow import Run
from tests.faults.ledger import Ledger, Note


@dataclass(slots=True)
class Journals:
    """The journals' part of a drive's result.

    Attributes:
        kept: The number of calls that returned, so that the journal has them.
        unloaded: The number of times that an attempt went on from its top, after a wait without a process.
        twice: Steps that were in progress when their process died or lost its run, and ran again.
        late: Steps that code under an older claim began after a newer claim had done them, like a frozen node's code
            before it is notified. ``check_limits`` judges whether it could have stopped earlier.
        problems: Steps that ran again, and calls that returned another value.
    """

    kept: int = 0
    unloaded: int = 0
    twice: int = 0
    late: int = 0
    problems: list[str] = field(default_factory=list[str])

    def told(self) -> str:
        """Return it as lines for people."""
        again = f"{self.twice} steps in progress ran twice, {self.late} late"
        return f"journals  {self.kept} calls kept, {self.unloaded} times unloaded; {again}"


def check_journals(runs: Mapping[str, Run], ledger: Ledger) -> Journals:
    """Check that no step whose call has returned is executed again, and that each call returns the same value again."""
    journals = Journals()
    kept: dict[tuple[str, str], Note] = {}
    executed: dict[tuple[str, str], int] = defaultdict(int)
    for note in ledger.notes:
        if note.kind not in ("step", "stepped"):
            continue
        call = (note.run_id, note.words[0])
        if note.kind == "stepped":
            _check_value(journals, kept.setdefault(call, note), note)
            continue
        executed[call] += note.words[1] == "goes"
        if call in kept:
            _judge_again(journals, kept[call], note)
    passes = [(note.run_id, note.attempt) for note in ledger.notes if note.kind == "pass"]
    journals.kept, journals.unloaded = len(kept), len(passes) - len(set(passes))
    journals.twice = sum(times - 1 for times in executed.values() if times > 1) - journals.late
    journals.problems += _check_children(runs, kept)
    return journals


def _check_value(journals: Journals, first: Note, again: Note) -> None:
    if first.words != again.words:
        journals.problems.append(
            f"{first.words[0]} of {first.run_id} was {first.words[1]} under claim {first.claim}, and {again.words[1]}"
            f" under claim {again.claim}"
        )


def _judge_again(journals: Journals, kept: Note, again: Note) -> None:
    if again.claim < kept.claim:
        journals.late += again.words[1] == "goes"
        return
    journals.problems.append(
        f"{again.words[0]} of {again.run_id} ran under claim {again.claim}, though the journal had it under claim"
        f" {kept.claim}"
    )


def _check_children(runs: Mapping[str, Run], kept: Mapping[tuple[str, str], Note]) -> list[str]:
    """Check that each leg "child" of a run has exactly one child."""
    waited: dict[str, set[str]] = defaultdict(set)
    for (run_id, call), note in kept.items():
        if call.startswith("child-"):
            waited[run_id].add(note.words[1])
    children: dict[str, set[str]] = defaultdict(set)
    for run in runs.values():
        if run.parent_id in waited and run.task_id in ("f-short", "f-ashort"):
            children[run.parent_id].add(run.id)
    return [
        f"{parent} has the children {', '.join(sorted(of_it))}, and waited for {', '.join(sorted(waited[parent]))}"
        for parent, of_it in children.items()
        if runs[parent].is_finished and of_it - waited[parent] and runs[parent].status == "COMPLETED"
    ]
