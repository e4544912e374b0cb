"""Reports of a process to the one that has started it: marked lines of JSON among the lines that it prints."""

import sys
from typing import Final

MARK: Final = "\x1e"
"""The record separator of ASCII. A node's supervisor may put the node's label in front of it."""
READY: Final = '{"kind": "ready"}'
"""The node takes runs."""
RETIRED: Final = '{"kind": "retired"}'
"""The node takes no runs any more."""


def report(document: str) -> None:
    """Write a report, in one write, so that no line of another thread gets between."""
    if sys.__stdout__ is not None:
        sys.__stdout__.write(f"{MARK}{document}\n")
        sys.__stdout__.flush()
