"""The judge of tokens: every run got the first end of its token."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from taskflow import Token, TokenNotFoundError, TokenStatus, wait
from tests.faults.ledger import Ledger
from tests.faults.letters import Completion
from tests.faults.talking_tasks import TIMEOUT


def read_tokens(token_ids: Iterable[str]) -> dict[str, Token | None]:
    """Return the record of each token, None for an unknown one. The flow must be entered."""
    tokens: dict[str, Token | None] = {}
    for token_id in token_ids:
        try:
            tokens[token_id] = wait.retrieve_token(token_id)
        except TokenNotFoundError:
            tokens[token_id] = None
    return tokens


def token_ids(completions: Mapping[str, Sequence[Completion]], ledger: Ledger) -> set[str]:
    """Return the tokens that any run or the driver has waited for or completed."""
    return {*completions, *(note.words[0] for note in ledger.notes if note.kind in ("token", "completing"))}


def check_tokens(
    tokens: Mapping[str, Token | None], completions: Mapping[str, Sequence[Completion]], ledger: Ledger
) -> list[str]:
    """Check that each token ended once, by its first completion or its timeout, and that all runs got that end."""
    tries, seen = _tries(completions, ledger), defaultdict[str, set[str]](set)
    for note in ledger.notes:
        if note.kind == "token":
            seen[note.words[0]].add(note.words[1])
    problems: list[str] = []
    for token_id, token in tokens.items():
        if token is None:
            problems.append(f"{token_id} is gone")
            continue
        problems += _check_end(token, tries[token_id])
        wrong = seen[token_id] - {_outcome(token)}
        if wrong:
            problems.append(f"{token_id} is {_outcome(token)}, and runs saw {', '.join(sorted(wrong))}")
    return problems


def _tries(completions: Mapping[str, Sequence[Completion]], ledger: Ledger) -> Mapping[str, list[Completion]]:
    """Return all tries to complete a token, those of tasks too."""
    tries: dict[str, list[Completion]] = defaultdict(list, {token: list(of_it) for token, of_it in completions.items()})
    by_value: dict[str, Completion] = {}
    for note in ledger.notes:
        if note.kind == "completing":
            token, value = note.words
            by_value[value] = Completion(token, value)
            tries[token].append(by_value[value])
        elif note.kind == "completed":
            by_value[note.words[1]].was_first = note.words[2] == "yes"
    return tries


def _check_end(token: Token, tries: Sequence[Completion]) -> Iterator[str]:
    firsts = [each.value for each in tries if each.was_first]
    possible = firsts or [each.value for each in tries if each.was_first is None]
    if len(firsts) > 1:
        yield f"{token.id} was completed by {' and by '.join(firsts)}"
    if token.status is TokenStatus.COMPLETED and token.output not in possible:
        yield f"{token.id} has {token.output}, and may have {', '.join(possible) or 'nothing'}"
    if token.status is TokenStatus.TIMED_OUT:
        if firsts:
            yield f"{token.id} timed out, and {firsts[0]} was told that it had completed it"
        if token.timeout_at is None or token.completed_at is None or token.completed_at < token.timeout_at:
            yield f"{token.id} timed out at {token.completed_at} instead of {token.timeout_at}"
    if token.status is TokenStatus.WAITING and tries:
        yield f"{token.id} is open, and {tries[0].value} completed it"


def _outcome(token: Token) -> str:
    if token.status is TokenStatus.WAITING:
        return "open"
    return TIMEOUT if token.status is TokenStatus.TIMED_OUT else str(token.output)
