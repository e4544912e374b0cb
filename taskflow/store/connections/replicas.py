"""Whether the store's replicas have what was triggered: ``TASKFLOW_STORE_REPLICAS``."""

from collections.abc import Sequence
from typing import Any, Final

from taskflow.errors import ReplicasMissingError, StoreUnavailableError
from taskflow.store.operations.operation import Operation

_WAY_SECONDS: Final = 1.0
"""For the answer's way: the socket itself gives up after the connect timeout. Half of that, when it is shorter."""


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
        self._seconds = timeout - min(_WAY_SECONDS, timeout / 2)
        milliseconds = max(1, int(self._seconds * 1000))
        self._question = [("SET", f"{base}:asked", "", "PX", milliseconds), ("WAIT", count, milliseconds)]

    def question(self, operations: Sequence[Operation[Any] | None]) -> Sequence[tuple[Any, ...]]:
        """Return the commands to send behind operations, none when they need no replica."""
        if not self._count or not any(each.needs_replicas for each in operations if each):
            return ()
        return self._question

    def check(self, answers: Sequence[Any], operations: Sequence[Operation[Any]], results: Sequence[Any]) -> None:
        """Look at what was answered: of the operations that need replicas and whose results are no errors.

        Raises:
            ReplicasMissingError: Fewer have it than are asked for.
            StoreUnavailableError: The server refused the question; ``may_exist`` is true.
        """
        if not answers:
            return
        done = [each for each, result in zip(operations, results, strict=True) if not isinstance(result, Exception)]
        concerned = [operation for operation in done if operation.needs_replicas]
        if not concerned:
            return
        run_id = concerned[0].run_id
        for answer in answers:
            if isinstance(answer, Exception):
                raise StoreUnavailableError(str(answer), run_id=run_id, may_exist=True) from answer
        if answers[-1] < self._count:
            raise ReplicasMissingError(answers[-1], self._count, self._seconds, run_id)
