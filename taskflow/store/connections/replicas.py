"""Confirmation of triggers by the store's replicas: ``TASKFLOW_STORE_REPLICAS``."""

from collections.abc import Sequence
from typing import Any, Final

from taskflow.errors import ReplicasMissingError, StoreUnavailableError
from taskflow.store.operations.operation import Operation

_WAY_SECONDS: Final = 1.0
"""Time for the answer to travel, because the socket itself gives up after the connect timeout. At most half of that."""


class Replicas:
    """Asks with WAIT on the connection that wrote, because another one may lead to a server that was promoted since.

    WAIT looks at the last write of its connection. The operation may have written nothing, because an earlier call
    whose reply was lost has made its run. So the question begins with a write of its own. (Valkey 9.1 counts a
    connection without writes as confirmed.)

    Args:
        count: How many replicas must have the write; 0 asks none.
        base: The hash tag of the key that is written.
        timeout: The timeout of a verb, in seconds.
    """

    def __init__(self, count: int, base: str, timeout: float) -> None:
        self._count = count
        self._seconds = timeout - min(_WAY_SECONDS, timeout / 2)
        milliseconds = max(1, int(self._seconds * 1000))
        self._question = [("SET", f"{base}:asked", "", "PX", milliseconds), ("WAIT", count, milliseconds)]

    def question(self, operations: Sequence[Operation[Any] | None]) -> Sequence[tuple[Any, ...]]:
        """Return the commands to send behind operations; none when no operation needs replicas."""
        if not self._count or not any(each.needs_replicas for each in operations if each):
            return ()
        return self._question

    def check(self, answers: Sequence[Any], operations: Sequence[Operation[Any]], results: Sequence[Any]) -> None:
        """Check the answers for the operations that need replicas and have succeeded.

        Raises:
            ReplicasMissingError: Too few replicas have the write.
            StoreUnavailableError: The server refused the question; ``may_exist`` is true.
        """
        if not answers:
            return
        done = [each for each, result in zip(operations, results, strict=True) if not isinstance(result, Exception)]
        needing = [operation for operation in done if operation.needs_replicas]
        if not needing:
            return
        run_id = needing[0].run_id
        for answer in answers:
            if isinstance(answer, Exception):
                raise StoreUnavailableError(str(answer), run_id=run_id, may_exist=True) from answer
        if answers[-1] < self._count:
            raise ReplicasMissingError(answers[-1], self._count, self._seconds, run_id)
