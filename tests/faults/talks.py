"""Records and judges of journals, tokens and streams, at the end of a drive."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from taskflow import Run, TaskFlow
from tests.faults.journals import Journals, check_journals
from tests.faults.ledger import Ledger
from tests.faults.letters import Letters
from tests.faults.streams import check_exams, check_readings, check_tales, read_stream
from tests.faults.talking_tasks import Line, Question, questions, tale
from tests.faults.tokens import check_tokens, read_tokens, token_ids


@dataclass(slots=True)
class Talks:
    """Their part of the result: the ends of tokens, the number of items, and the checks that failed."""

    journals: Journals = field(default_factory=Journals)
    tokens: Counter[str] = field(default_factory=Counter[str])
    items: Counter[str] = field(default_factory=Counter[str])
    problems: list[str] = field(default_factory=list[str])

    def told(self) -> str:
        """Return it as lines for people."""
        ends = ", ".join(f"{count} {status}" for status, count in self.tokens.most_common())
        return f"tokens    {ends}; items {', '.join(f'{count} {kind}' for kind, count in self.items.items())}"


def check_talks(flow: TaskFlow, runs: Mapping[str, Run], letters: Letters, ledger: Ledger) -> Talks:
    """Read them from the store, and compare them with the records of runs and workload."""
    late_readers = letters.readers.ended()
    with flow:
        tokens = read_tokens(token_ids(letters.completions, ledger))
    written = read_stream(flow, (run_id for run_id in letters.tales if run_id in runs), "stream", tale.name)
    sent = read_stream(flow, (run_id for run_id in letters.sends if run_id in runs), "input", questions.name)
    tales = {run_id: [Line.model_validate_json(item) for item in items] for run_id, items in written.items()}
    held = {run_id: [Question.model_validate_json(item) for item in items] for run_id, items in sent.items()}
    journals = check_journals(runs, ledger)
    followed = letters.readers.read
    return Talks(
        journals,
        Counter(token.status.value for token in tokens.values() if token),
        Counter({"told": _items(tales), "read as they came": _items(followed), "sent": _items(held)}),
        [
            *journals.problems,
            *check_tokens(tokens, letters.completions, ledger),
            *late_readers,
            *check_tales(runs, tales, letters.tales, ledger),
            *check_readings(tales, followed),
            *check_exams(runs, held, letters.sends, letters.exams, ledger),
        ],
    )


def _items(items: Mapping[str, Sequence[object]]) -> int:
    return sum(map(len, items.values()))
