"""Text for a remedy: the name that a misspelt one probably means."""

from collections.abc import Iterable


def near_miss(word: str, known: Iterable[str], *, at_least: float = 0.6) -> str | None:
    """Return the known word that is nearest to a misspelt one, None when none is near.

    Args:
        at_least: How near, from 0 to 1 for the same word.
    """
    import difflib  # only a mistake needs it

    folded = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=at_least)
    return folded[near[0]] if near else None


def did_you_mean(word: str, known: Iterable[str], what: str) -> str:
    """Return "Did you mean 'x'?" for a near miss, else the list of known words.

    Args:
        what: Plural noun of the known words, e.g. "options".
    """
    words = sorted(known)
    near = near_miss(word, words)
    if near:
        return f"Did you mean {near!r}?"
    return f"The {what} are {', '.join(words)}." if words else f"There are no {what}."
