"""The judge of streams: all items are there in order, and runs got the items that they were sent."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Literal

from taskflow import AttemptOutcome, Run, RunStatus, TaskFlow
from taskflow.seams.streams import StreamAddress
from tests.faults.ledger import Ledger
from tests.faults.letters import Send
from tests.faults.talking_tasks import Line, Question


def read_stream(
    flow: TaskFlow, run_ids: Iterable[str], kind: Literal["stream", "input"], name: str
) -> dict[str, list[bytes]]:
    """Return the items of a run's output or input stream that are there now."""
    read = flow.engine.streams.read
    return {run_id: [*read(StreamAddress(run_id, kind, name), 0, follow=False)] for run_id in run_ids}


def check_tales(
    runs: Mapping[str, Run], tales: Mapping[str, Sequence[Line]], most: Mapping[str, int], ledger: Ledger
) -> list[str]:
    """Check that items are in order, attempt behind attempt, and that no written item is double or missing.

    A killed worker loses the items that it had not written: the last ones of its attempt.

    Args:
        most: The number of items of an attempt that ends by itself.
    """
    counts: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for note in ledger.notes:
        if note.kind == "told":
            started, count = map(int, note.words)
            counts[note.run_id][started] = max(count, counts[note.run_id][started])
    return [
        problem
        for run_id, tale in tales.items()
        for problem in _check_tale(runs[run_id], tale, most[run_id], counts[run_id])
    ]


def _check_tale(run: Run, tale: Sequence[Line], most: int, confirmed: Mapping[int, int]) -> Iterator[str]:
    blocks = [(started, [line.number for line in lines]) for started, lines in groupby(tale, lambda line: line.started)]
    order = [started for started, _ in blocks]
    if order != sorted(set(order)):
        yield f"{run.id} has items of claims in the order {order}"
    counts = dict.fromkeys((*confirmed, *_uncut(run)), 0) | {started: len(numbers) for started, numbers in blocks}
    for started, numbers in blocks:
        if numbers != list(range(len(numbers))):
            yield f"{run.id} has the items {numbers} of claim {started}"
    for started, count in counts.items():
        expected = most if started in _uncut(run) else confirmed.get(started, 0)
        if count < expected or count > most:
            yield f"{run.id} has {count} items of claim {started}, of {expected} that were written"


def _uncut(run: Run) -> set[int]:
    """Return the claims of attempts whose code came to its end and so wrote all items."""
    return {
        attempt.claim
        for attempt in run.attempts
        if attempt.outcome is AttemptOutcome.COMPLETED or (attempt.error and attempt.error.type == "ConnectionError")
    }


def check_readings(tales: Mapping[str, Sequence[Line]], read: Mapping[str, Sequence[Line]]) -> list[str]:
    """Check that each reader got every item once, and in order."""
    return [
        f"the reader of {run_id} has {len(lines)} items, which are not the {len(tales[run_id])} that were told"
        for run_id, lines in read.items()
        if list(lines) != list(tales[run_id])
    ]


def check_exams(
    runs: Mapping[str, Run],
    held: Mapping[str, Sequence[Question]],
    sends: Mapping[str, Sequence[Send]],
    lasts: Mapping[str, int],
    ledger: Ledger,
) -> list[str]:
    """Check that input streams have the items once, in order, and that every attempt got them from the first on."""
    problems: list[str] = []
    for run_id, of_it in sends.items():
        there = held.get(run_id, [])
        wanted = [send for send in of_it if send.is_certain or send.question in there]
        if [send.question for send in wanted] != list(there):
            problems.append(f"{run_id} was sent {_shown(of_it)}, and its stream has {there}")
    got: dict[str, int] = defaultdict(lambda: -1)
    for note in ledger.notes:
        if note.kind == "got":
            index, number, send = map(int, note.words)
            got[note.run_id] = max(number, got[note.run_id])
            if held.get(note.run_id, [])[index : index + 1] != [Question(number=number, send=send)]:
                problems.append(f"{note.run_id} got {number}.{send} as item {index} under claim {note.claim}")
    done = [run_id for run_id in lasts if run_id in runs and runs[run_id].status is RunStatus.COMPLETED]
    return problems + [f"{run_id} ended with question {got[run_id]}" for run_id in done if got[run_id] != lasts[run_id]]


def _shown(sends: Sequence[Send]) -> str:
    return ", ".join(f"{each.question.number}.{each.question.send}{'' if each.is_certain else '?'}" for each in sends)
