"""The blocking shell: run operations over redis-py's connections, from any thread and after any fork."""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, Protocol, TypeVar

from redis.exceptions import ConnectionError, ResponseError, TimeoutError  # noqa: A004 - redis's class, not the builtin

from taskflow.errors import StoreFullError, StoreScriptError, StoreUnavailableError, TaskflowError
from taskflow.store.connections import scripts
from taskflow.store.connections.exchanges import ask, call, commands_again, exchange, read_replies, reply_or_error
from taskflow.store.connections.failures import failure, reason
from taskflow.store.connections.link import Link
from taskflow.store.connections.pools import Connections, packed
from taskflow.store.connections.replicas import Replicas
from taskflow.store.operations.batches import read_statuses
from taskflow.store.operations.encoding import milliseconds
from taskflow.store.operations.operation import Operation
from taskflow.store.operations.tickets import Ticket
from taskflow.store.wire import StoreConfig, Wire, is_missing, locate

ResultT = TypeVar("ResultT")
ReplyT = TypeVar("ReplyT")
log = logging.getLogger("taskflow.store")
UNREACHABLE = (ConnectionError, TimeoutError, OSError)
PAUSE_SECONDS = 0.05


class TicketPublisher(Protocol):
    """Sends tickets to the broker where scripts cannot push them."""

    def publish(self, tickets: Sequence[Ticket]) -> None:
        """Publish tickets. May raise: upkeep publishes later what was not published."""
        ...


OnEnded = Callable[[Sequence[str]], None]
"""Gets the runs that an operation ended and that have a Celery canvas to apply. Must not raise; may do nothing."""


class Store:
    """Runs operations, one round trip each, and publishes the tickets that scripts leave to their caller.

    Attributes:
        missing_templates: Tasks whose tickets the scripts could not push because the store has no template of theirs.
    """

    def __init__(
        self, config: StoreConfig, publisher: TicketPublisher | None = None, on_ended: OnEnded | None = None
    ) -> None:
        self.config = config
        self._on_ended = on_ended
        self._wire = Wire(config)
        self._publisher = publisher
        self.missing_templates: set[str] = set()
        self._timeout = config.timeout.total_seconds()
        self._connections = Connections(config.url, config.timeout)
        self._replicas = Replicas(config.replicas, config.base(0), self._timeout)

    def run(self, operation: Operation[ResultT], *, shard: int = 0) -> ResultT:
        """Execute an operation. A lost connection is tried again until the connect timeout.

        Raises:
            StoreUnavailableError: No answer within the timeout; ``may_exist`` is True if a request was sent.
            StoreFullError: The server had no memory for it within the timeout.
            ReplicasMissingError: It needs replicas, and too few have it.
            StoreScriptError: The script failed.
        """
        command, asked = self._wire.command(operation, shard), self._replicas.question([operation])
        if not asked:
            return self._read(operation, self._execute(command, operation))
        reply, answers = self._retried(
            lambda connection: (self._round_trip(connection, command, operation), ask(connection, asked)),
            operation.run_id,
        )
        result = self._read(operation, reply)
        self._replicas.check(answers, [operation], [result])
        return result

    def run_for(self, run_id: str, operation: Operation[ResultT]) -> ResultT:
        """Execute an operation on the shard of a run. An adopted run is searched on every shard."""
        *others, last = locate(run_id, self.config.shards)
        for shard in others:
            reply = self._execute(self._wire.command(operation, shard), operation)
            if not is_missing(reply):
                return self._read(operation, reply)
        return self.run(operation, shard=last)

    def shard_of(self, run_id: str) -> int:
        """Return the shard of a run; the last one for an adopted run that no shard has."""
        *others, last = locate(run_id, self.config.shards)
        return next((shard for shard in others if self.run(read_statuses([run_id]), shard=shard)[0]), last)

    def run_many(self, operations: Sequence[tuple[Operation[Any], int]]) -> list[Any]:
        """Execute operations, each with its shard, in one write. Returns each one's result or the error it reads as.

        Raises:
            StoreUnavailableError: No answer within the timeout. Any of them may have been executed.
            ReplicasMissingError: One of them needs replicas, and too few have it. All have been executed.
        """
        return self.start_many(operations)() if operations else []

    def start_many(self, operations: Sequence[tuple[Operation[Any], int]]) -> Callable[[], list[Any]]:
        """Send operations, and return the function that reads their results: ``run_many`` in two halves.

        The caller can prepare further operations in between. A thread would not do, because the interpreter's lock
        would keep it from sending for up to 5 ms. The second half repeats operations that got no reply.
        """
        described = [operation for operation, _ in operations]
        asked = self._replicas.question(described)
        commands = [*(self._wire.command(operation, shard) for operation, shard in operations), *asked]
        connection = self._sent(commands)

        def finish() -> list[Any]:
            first = None if connection is None else self._received(connection, len(commands))
            replies, answers = self._executed(commands, described, first)
            results, tickets = self._wire.read_many(described, replies)
            if tickets:
                self.publish(tickets)
            for reply in replies:
                if not isinstance(reply, StoreScriptError):
                    self._report_ended(reply)
            self._replicas.check(answers, described, results)
            return results

        return finish

    def send(self, commands: Sequence[tuple[bytes | str | int | float, ...]]) -> list[Any]:
        """Send plain commands in one write. An error that the server answers stands in its command's place.

        Raises:
            StoreUnavailableError: No answer within the timeout.
        """
        return list(self._retried(lambda connection: exchange(connection, commands), None))

    def publish(self, tickets: Sequence[Ticket]) -> None:
        """Send tickets to the broker. A failure is logged: upkeep publishes tickets again that no node claims."""
        if self._publisher is None:
            raise RuntimeError("The store left tickets to its caller, and there is no publisher.")
        if self.config.push_prefix is not None:  # the store was emptied since: the next trigger declares them again
            self.missing_templates.update(ticket.task_id for ticket in tickets)
        try:
            self._publisher.publish(tickets)
        except Exception as error:  # noqa: BLE001 - upkeep publishes the tickets again
            log.warning("tickets.unpublished: %s", error, extra={"runs": [ticket.run_id for ticket in tickets]})
            with suppress(TaskflowError):  # the store is away as well
                self.run_many(self._wire.refusals(tickets, error))

    def read_stream(
        self, name: str, after: str, *, shard: int = 0, block_ms: int | None = None, count: int = 1000
    ) -> list[tuple[bytes, list[bytes]]]:
        """Read entries of a stream after an id, waiting up to ``block_ms`` for the first.

        Raises:
            StoreUnavailableError: No connection.
        """
        try:
            with self._connections.one() as connection:
                connection.send(packed(self._wire.read_stream(name, after, shard, block_ms, count)))
                reply = connection.read(timeout=(block_ms or 0) / 1000 + self._timeout)
        except UNREACHABLE as error:
            raise StoreUnavailableError(str(error)) from error
        return list(reply[0][1]) if reply else []

    def pop(self, name: str, *, shard: int = 0, seconds: float) -> bytes | None:
        """Take the newest entry of a list, waiting a while for one. Returns None when there was none.

        Raises:
            StoreUnavailableError: No connection.
        """
        try:
            with self._connections.one() as connection:
                connection.send(packed(("BLPOP", f"{self.config.base(shard)}:{name}", seconds)))
                reply = connection.read(timeout=seconds + self._timeout)
        except UNREACHABLE as error:
            raise StoreUnavailableError(str(error)) from error
        return reply[1] if reply else None

    def take_turn(self, name: str, holder: str, hold: timedelta) -> bool:
        """Take a turn for a while. Returns False when it is taken.

        Raises:
            StoreUnavailableError: No answer within the timeout, or the server is full.
        """
        (taken,) = self.send([("SET", f"{self.config.base(0)}:{name}", holder, "NX", "PX", milliseconds(hold))])
        if isinstance(taken, ResponseError):
            raise failure(taken, None, may_exist=False) from taken
        return bool(taken)

    def last_stream_id(self, name: str, *, shard: int = 0) -> str:
        """Return the id of a stream's newest entry, "0" for an empty stream."""
        reply = self._execute(self._wire.last_stream_entry(name, shard), None)
        return str(reply[0][0].decode()) if reply else "0"

    def server_info(self, section: str = "server") -> dict[str, str]:
        """Return a section of the server's INFO.

        Raises:
            StoreUnavailableError: No answer.
        """
        text: bytes = self._execute(("INFO", section), None)
        rows = (line.partition(":") for line in text.decode().splitlines() if ":" in line)
        return {name: value for name, _, value in rows}

    def close(self) -> None:
        """Close every connection, those in use too."""
        self._connections.close()

    def _read(self, operation: Operation[ResultT], reply: Sequence[Any]) -> ResultT:
        result, tickets = self._wire.read(operation, reply)
        if tickets:
            self.publish(tickets)
        self._report_ended(reply)
        return result

    def _report_ended(self, reply: Sequence[Any]) -> None:
        if self._on_ended and reply[2] and (ended := self._wire.ended(reply)):
            self._on_ended(ended)

    def _execute(self, command: tuple[Any, ...], operation: Operation[Any] | None) -> Any:
        run_id = operation.run_id if operation else None
        return self._retried(lambda connection: self._round_trip(connection, command, operation), run_id)

    def _retried(self, attempt: Callable[[Link], ReplyT], run_id: str | None) -> ReplyT:
        deadline = time.monotonic() + self._timeout
        was_sent = False
        while True:
            connection = None
            try:
                connection = self._connections.acquire()
                reply = attempt(connection)
                self._connections.release(connection)
                return reply
            except StoreFullError as full:  # the server has answered, and executed nothing
                if connection is not None:
                    self._connections.release(connection)
                if time.monotonic() + PAUSE_SECONDS >= deadline:
                    raise StoreFullError(run_id=run_id, may_exist=full.may_exist or was_sent) from full
            except UNREACHABLE as error:
                if connection is not None:
                    was_sent = True
                    self._connections.discard(connection)
                if time.monotonic() + PAUSE_SECONDS >= deadline:
                    raise StoreUnavailableError(reason(error), run_id=run_id, may_exist=was_sent) from error
            time.sleep(PAUSE_SECONDS)

    def _round_trip(self, connection: Link, command: tuple[Any, ...], operation: Operation[Any] | None) -> Any:
        try:
            return call(connection, command, operation)
        except ResponseError as error:
            failed = failure(error, operation, may_exist=False)
            if isinstance(failed, StoreScriptError):  # the connection is as good as before
                self._connections.release(connection)
            raise failed from error

    def _sent(self, commands: Sequence[Any]) -> Link | None:
        connection = None
        try:
            connection = self._connections.acquire()
            connection.send(packed(*commands))
        except UNREACHABLE:
            if connection is not None:
                self._connections.discard(connection)
            return None
        return connection

    def _received(self, connection: Link, count: int) -> list[Any] | None:
        try:
            replies = read_replies(connection, count)
        except UNREACHABLE:
            self._connections.discard(connection)
            return None
        self._connections.release(connection)
        return replies

    def _executed(
        self, commands: Sequence[Any], operations: Sequence[Operation[Any]], first: list[Any] | None
    ) -> tuple[list[Any], list[Any]]:
        replies = self.send(commands) if first is None else first
        lacking = [index for index, reply in enumerate(replies) if scripts.is_unknown(reply)]
        if lacking:
            again = self._loaded([operations[index] for index in lacking], [commands[index] for index in lacking])
            indices = [*lacking, *range(len(operations), len(commands))]
            asked = commands[len(operations) :]
            for index, reply in zip(indices, self.send([*again, *asked]), strict=True):
                replies[index] = reply
        count = len(operations)  # the replies behind them answer the question about replicas
        checked = [reply_or_error(reply, each) for reply, each in zip(replies[:count], operations, strict=True)]
        return checked, replies[count:]

    def _loaded(self, operations: Sequence[Operation[Any]], commands: Sequence[Any]) -> list[Any]:
        """Have the server load the functions of operations. Return their commands as they are to be sent again."""
        names = {operation.script for operation in operations}
        loads = dict(zip(names, self.send([scripts.script(name).load for name in names]), strict=True))
        return commands_again(operations, commands, loads)
