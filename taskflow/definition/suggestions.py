"""Words for a remedy: what a misspelt name probably meant. Formats text and knows no option itself."""

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str], what: str) -> str:
    """Return "Did you mean 'x'?" for a near miss, else the list of what is known.

    Args:
        what: Plural noun of the known words, e.g. "options".
    """
    words = sorted(known)
    folded = {candidate.lower(): candidate for candidate in words}
    near = difflib.get_close_matches(word.lower(), folded, n=1)
    if near:
        return f"Did you mean {folded[near[0]]!r}?"
    return f"The {what} are {', '.join(words)}." if words else f"There are no {what}."
