"""The beginning of a journal: the calls before a place, for code that goes on from there. No I/O."""

from collections.abc import Container, Mapping

from taskflow.errors import StepNotFoundError
from taskflow.seams.journal_entries import JournalEntry


def calls_from(run_id: str, entries: Mapping[str, bytes], step: str) -> frozenset[str]:
    """Return the keys of a call and of all calls that come after it.

    Later calls of the same asyncio task have higher numbers. Calls of other tasks come later if they began later.

    Args:
        step: The key of the call, or its name.

    Raises:
        StepNotFoundError: There is no such call, or there are several of this name.
    """
    calls = _calls(entries)
    place = _place(run_id, calls, step)
    path, number = _split(place)
    began = calls[place].began
    return frozenset(
        key
        for key, call in calls.items()
        if (_split(key)[0] == path and _split(key)[1] >= number)
        or (_split(key)[0] != path and (began is None or call.began is None or call.began >= began))
    )


def calls_not_done(entries: Mapping[str, bytes], values: Container[str]) -> frozenset[str]:
    """Return the keys of the calls that another run cannot take over: open waits, and the delays of steps.

    Args:
        values: The keys of the waits whose values are known.
    """
    return frozenset(
        key
        for key, call in _calls(entries).items()
        if "/" in key or call.state in ("o", "w") or (call.state == "r" and key not in values)
    )


def _calls(entries: Mapping[str, bytes]) -> dict[str, JournalEntry]:
    return {key: JournalEntry.read(entry) for key, entry in entries.items() if not key.startswith("@")}


def _place(run_id: str, calls: Mapping[str, JournalEntry], step: str) -> str:
    if step in calls:
        return step
    own = {key: call for key, call in calls.items() if "/" not in key}
    named = [key for key, call in own.items() if step in (call.asked.name, str(call.asked))]
    if len(named) != 1:
        shown = [f"{key} ({own[key].asked})" for key in sorted(own, key=_split)]
        raise StepNotFoundError(run_id, step, shown, is_ambiguous=bool(named))
    return named[0]


def _split(key: str) -> tuple[str, int]:
    """Return the path of a call's asyncio task, and the call's number there. A delay belongs to its step."""
    path, _, number = key.partition("/")[0].rpartition(".")
    return path, int(number)
