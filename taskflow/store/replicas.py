"""Whether the store's replicas have what makes a run: ``TASKFLOW_STORE_REPLICAS``."""

from collections.abc import Sequence
from typing import Any, Final

from taskflow.errors import StoreUnavailableError
from taskflow.store.operations import Operation

MAKES_RUNS: Final = frozenset({"trigger_run", "trigger_runs"})
_SHARE: Final = 0.8  # of the connect timeout, after which the socket itself gives up


class Replicas:
    """Asks with WAIT, on the connection that wrote: another one may lead to a server that was promoted since.

    WAIT looks at the last write of its connection. The operation may have written nothing, because a call whose reply
    was lost has made its run: hence a write of our own. (Valkey 9.1 counts a connection without writes as confirmed.)

    Args:
        count: How many must have it; 0: nobody is asked.
        base: Where the write goes.
        timeout: That of a verb, in seconds.
    """

    def __init__(self, count: int, base: str, timeout: float) -> None:
        self._count = count
        self._seconds = timeout * _SHARE
        milliseconds = int(self._seconds * 1000)
        self._question = [("SET", f"{base}:asked", "", "PX", milliseconds), ("WAIT", count, milliseconds)]

    def question(self, operations: Sequence[Operation[Any] | None]) -> Sequence[tuple[Any, ...]]:
        """Return the commands to send behind operations, none when they make no run."""
        if not self._count or not any(each.script in MAKES_RUNS for each in operations if each):
            return ()
        return self._question

    def check(self, answers: Sequence[Any], operations: Sequence[Operation[Any] | None]) -> None:
        """Look at what was answered.

        Raises:
            StoreUnavailableError: Fewer replicas have the run than are asked for. It exists in the server itself.
        """
        why = next((str(answer) for answer in answers if isinstance(answer, Exception)), "")
        if answers and not why and answers[-1] < self._count:
            have = f"{answers[-1]} of the {self._count} replicas that TASKFLOW_STORE_REPLICAS asks for have the run"
            why = f"{have} after {self._seconds:g} s"
        if why:
            run_id = next((each.run_id for each in operations if each), None)
            raise StoreUnavailableError(why, run_id=run_id, may_exist=True)
