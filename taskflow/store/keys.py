"""Names of the streams, lists and turns that Python reads itself. The scripts name every other key."""

from typing import Final

EVENTS: Final = "events"
"""The stream of what happened to runs."""
FINISHES: Final = "finishes"
"""The stream of runs that have ended."""
WAKE: Final = "wake"
"""The stream that wakes the upkeep of a shard before its time."""
OBJECTS: Final = "objects"
OUTBOX: Final = "outbox"
"""The turn to sweep the object store."""


def inbox_of_node(node_id: str) -> str:
    """Return the stream of messages to a node."""
    return f"node:{node_id}:inbox"


def resumes_of_run(run_id: str) -> str:
    """Return the list that gets an entry whenever the store resumes a run."""
    return f"resumed:{run_id}"
