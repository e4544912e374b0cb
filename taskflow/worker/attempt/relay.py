"""The outcome of a child's run and the claim of its next, in one round trip to the store.

Only when the next job is in the child's pipe already; otherwise the outcome is written at once. So it is never held
back for longer than the child takes to read that job.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from taskflow.errors import StoreUnavailableError
from taskflow.store.operations.operation import Operation
from taskflow.store.sync_store import Store
from taskflow.store.wire import shard_of_run

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class _Outcome:
    operation: Operation[Any]
    shard: int
    write: Callable[[], None]


class Relay:
    """One for each child. Children inherit the node's, which is always empty."""

    def __init__(self) -> None:
        self.is_next_at_hand: Callable[[], bool] = lambda: False
        self._outcome: _Outcome | None = None

    def defer(self, run_id: str, operation: Operation[Any], write: Callable[[], None]) -> bool:
        """Keep an outcome for the next claim, if that comes at once.

        Args:
            write: Writes the outcome as if it had not been kept. Called when it could not be written with the claim.

        Returns:
            False when the outcome was not kept, because no next job is at hand.
        """
        shard = shard_of_run(run_id)
        if shard is None or not self.is_next_at_hand():
            return False
        self._outcome = _Outcome(operation, shard, write)
        return True

    def claim(self, store: Store, run_id: str, operation: Operation[ResultT]) -> ResultT | None:
        """Write the kept outcome, and claim with it. Return None when the claim was not sent, or had no answer.

        Raises:
            RunNotClaimableError, NodeUnregisteredError: The claim was refused.
        """
        outcome, shard = self._outcome, shard_of_run(run_id)
        if outcome is None:
            return None
        if shard is None:
            self.flush()
            return None
        try:
            written, claimed = store.run_many([(outcome.operation, outcome.shard), (operation, shard)])
        except StoreUnavailableError:
            self.flush()
            return None
        if isinstance(written, Exception):
            self.flush()
        self._outcome = None
        if isinstance(claimed, Exception):
            raise claimed
        answer: ResultT = claimed
        return answer

    def flush(self) -> None:
        """Write the kept outcome now."""
        if self._outcome is not None:
            self._outcome.write()
            self._outcome = None  # last, because a SIGTERM may come in between and this be called again

    def flush_unless_at_hand(self) -> None:
        """Write the kept outcome now, unless a job that may claim is there to be read."""
        if self._outcome is not None and not self.is_next_at_hand():
            self.flush()
