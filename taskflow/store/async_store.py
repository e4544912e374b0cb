"""The asyncio shell: the same operations for one event loop, one by one or many in one write."""

import asyncio
import logging
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, TypeVar, cast

from redis.exceptions import ResponseError

from taskflow.errors import StoreFullError, StoreScriptError, StoreUnavailableError, TaskflowError
from taskflow.store.connections import scripts
from taskflow.store.connections.exchanges import commands_again
from taskflow.store.connections.failures import failure, reason
from taskflow.store.connections.pools import AsyncConnections, packed
from taskflow.store.connections.replicas import Replicas
from taskflow.store.operations.batches import read_statuses
from taskflow.store.operations.operation import Operation
from taskflow.store.operations.tickets import Ticket
from taskflow.store.sync_store import PAUSE_SECONDS, UNREACHABLE, OnEnded, TicketPublisher
from taskflow.store.wire import StoreConfig, Wire, is_missing, locate

ResultT = TypeVar("ResultT")
log = logging.getLogger("taskflow.store")


class AsyncStore:
    """Runs operations from the coroutines of one event loop.

    Args:
        task_scope: Makes the context in which redis-py makes tasks: on Python 3.11 one for each write.
    """

    def __init__(
        self,
        config: StoreConfig,
        publisher: TicketPublisher | None = None,
        on_ended: OnEnded | None = None,
        task_scope: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._task_scope = task_scope
        self.config = config
        self._on_ended = on_ended
        self._wire = Wire(config)
        self._publisher = publisher
        self.missing_templates: set[str] = set()
        self._timeout = config.timeout.total_seconds()
        self._connections = AsyncConnections(config.url, config.timeout)
        self._replicas = Replicas(config.replicas, config.base(0), self._timeout)

    async def run(self, operation: Operation[ResultT], *, shard: int = 0) -> ResultT:
        """Execute an operation. A lost connection is tried again until the connect timeout.

        Raises:
            StoreUnavailableError: No answer within the timeout; ``may_exist`` is True if a request was sent.
            StoreFullError: The server had no memory for it within the timeout.
            ReplicasMissingError: It needs replicas, and too few have it.
            StoreScriptError: The script failed.
        """
        replies, answers = await self._execute([self._wire.command(operation, shard)], [operation])
        result = await self._read(operation, replies)
        self._replicas.check(answers, [operation], [result])
        return result

    async def run_for(self, run_id: str, operation: Operation[ResultT]) -> ResultT:
        """Execute an operation on the shard of a run. An adopted run is searched on every shard."""
        *others, last = locate(run_id, self.config.shards)
        for shard in others:
            replies, _ = await self._execute([self._wire.command(operation, shard)], [operation])
            if isinstance(replies[0], StoreScriptError) or not is_missing(replies[0]):
                return await self._read(operation, replies)
        return await self.run(operation, shard=last)

    async def shard_of(self, run_id: str) -> int:
        """Return the shard of a run; the last one for an adopted run that no shard has."""
        *others, last = locate(run_id, self.config.shards)
        for shard in others:
            if (await self.run(read_statuses([run_id]), shard=shard))[0]:
                return shard
        return last

    async def run_many(self, operations: Sequence[tuple[Operation[Any], int]]) -> list[Any]:
        """Execute operations, each with its shard, in one write. Returns each one's result or the error it reads as.

        Raises:
            StoreUnavailableError: No answer within the timeout. Any of them may have been executed.
            ReplicasMissingError: One of them needs replicas, and too few have it. All have been executed.
        """
        if not operations:
            return []
        commands = [self._wire.command(operation, shard) for operation, shard in operations]
        described = [operation for operation, _ in operations]
        replies, answers = await self._execute(commands, described)
        results, tickets = self._wire.read_many(described, replies)
        await self._publish(tickets)
        self._report_ended(replies)
        self._replicas.check(answers, described, results)
        return results

    async def read_stream(
        self, name: str, after: str, *, shard: int = 0, block_ms: int | None = None, count: int = 1000
    ) -> list[tuple[bytes, list[bytes]]]:
        """Read entries of a stream after an id, waiting up to ``block_ms`` for the first.

        Raises:
            StoreUnavailableError: No connection.
        """
        with self._task_scope():
            return await self._read_stream(name, after, shard, block_ms, count)

    async def _read_stream(
        self, name: str, after: str, shard: int, block_ms: int | None, count: int
    ) -> list[tuple[bytes, list[bytes]]]:
        connection = None
        try:
            connection = await self._connections.acquire()
            await connection.send_command(*self._wire.read_stream(name, after, shard, block_ms, count))
            read = cast("Any", connection).read_response  # partly untyped in redis-py
            # redis-py's own timeout returns None, as if nothing had come, while the reply is still to come.
            async with asyncio.timeout((block_ms or 0) / 1000 + self._timeout):
                reply: Any = await read(timeout=math.inf)
        except UNREACHABLE as error:
            if connection is not None:
                await self._connections.discard(connection)
            raise StoreUnavailableError(str(error) or "no answer in time") from error
        except BaseException:
            if connection is not None:
                await connection.disconnect(nowait=True)
            raise
        await self._connections.release(connection)
        return list(reply[0][1]) if reply else []

    async def last_stream_id(self, name: str, *, shard: int = 0) -> str:
        """Return the id of a stream's newest entry, "0" for an empty stream."""
        [reply], _ = await self._execute([self._wire.last_stream_entry(name, shard)], [None])
        return str(reply[0][0].decode()) if reply else "0"

    async def close(self) -> None:
        """Close every idle connection."""
        await self._connections.close()

    async def _read(self, operation: Operation[ResultT], replies: Sequence[Any]) -> ResultT:
        if isinstance(replies[0], StoreScriptError):
            raise replies[0]
        result, tickets = self._wire.read(operation, replies[0])
        await self._publish(tickets)
        self._report_ended(replies)
        return result

    async def _publish(self, tickets: Sequence[Ticket]) -> None:
        if not tickets:
            return
        if self._publisher is None:
            raise RuntimeError("The store left tickets to its caller, and there is no publisher.")
        if self.config.push_prefix is not None:
            self.missing_templates.update(ticket.task_id for ticket in tickets)
        try:
            await asyncio.to_thread(self._publisher.publish, tickets)
        except Exception as error:  # noqa: BLE001 - upkeep publishes the tickets again
            log.warning("tickets.unpublished: %s", error, extra={"runs": [ticket.run_id for ticket in tickets]})
            with suppress(TaskflowError):  # the store is away as well
                await self.run_many(self._wire.refusals(tickets, error))

    def _report_ended(self, replies: Sequence[Any]) -> None:
        """Report the runs that ended with a canvas. The callback does not block the loop."""
        if self._on_ended is None:
            return
        known = [reply for reply in replies if not isinstance(reply, StoreScriptError)]
        ended = [run_id for reply in known if reply[2] for run_id in self._wire.ended(reply)]
        if ended:
            self._on_ended(ended)

    async def _execute(
        self, commands: Sequence[Any], operations: Sequence[Operation[Any] | None]
    ) -> tuple[list[Any], list[Any]]:
        """Exchange commands for replies, and for the answers about replicas if the operations need any."""
        with self._task_scope():
            return await self._exchange(commands, operations)

    async def _exchange(
        self, commands: Sequence[Any], operations: Sequence[Operation[Any] | None]
    ) -> tuple[list[Any], list[Any]]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout
        was_sent = False
        asked = self._replicas.question(operations)
        while True:
            connection = None
            try:
                connection = await self._connections.acquire()
                replies = await self._round_trip(connection, commands, operations)
                answers = await self._round_trip(connection, asked, [None] * len(asked)) if asked else []
                await self._connections.release(connection)
            except StoreFullError:  # the server has answered, so the other connections are good
                if loop.time() + PAUSE_SECONDS >= deadline:
                    raise
            except UNREACHABLE as error:
                if connection is not None:
                    was_sent = True
                    await self._connections.discard(connection)
                if loop.time() + PAUSE_SECONDS >= deadline:
                    run_id = next((operation.run_id for operation in operations if operation), None)
                    raise StoreUnavailableError(reason(error), run_id=run_id, may_exist=was_sent) from error
            except BaseException:  # cancelled, or a text that cannot be sent
                if connection is not None:
                    await connection.disconnect(nowait=True)
                raise
            else:
                return replies, answers
            await asyncio.sleep(PAUSE_SECONDS)

    async def _round_trip(
        self, connection: Any, commands: Sequence[Any], operations: Sequence[Operation[Any] | None]
    ) -> list[Any]:
        await connection.send_packed_command([packed(*commands)], check_health=False)
        replies: list[Any] = []
        missing: set[int] = set()
        for index in range(len(commands)):
            try:
                replies.append(await connection.read_response())
            except ResponseError as error:
                if scripts.is_unknown(error):
                    replies.append(None)
                    missing.add(index)
                    continue
                failed = failure(error, operations[index], may_exist=len(commands) > 1)
                if isinstance(failed, StoreUnavailableError):
                    # The replies behind this one are unread, so the connection cannot be used again.
                    await connection.disconnect(nowait=True)
                    raise failed from error
                replies.append(failed)  # the other operations have replies of their own
        if missing:
            unknown = [operations[index] for index in sorted(missing)]
            again = await self._loaded(connection, unknown, [commands[index] for index in sorted(missing)])
            repeated = await self._round_trip(connection, again, unknown)
            for index, reply in zip(sorted(missing), repeated, strict=True):
                replies[index] = reply
        return replies

    async def _loaded(
        self, connection: Any, operations: Sequence[Operation[Any] | None], commands: Sequence[Any]
    ) -> list[Any]:
        """Have the server load the functions of operations. Return their commands as they are to be sent again."""
        loads: dict[str, object] = {}
        for name in {operation.script for operation in operations if operation}:
            await connection.send_command(*scripts.script(name).load)
            try:
                loads[name] = await connection.read_response()
            except ResponseError as refused:
                loads[name] = refused
        return commands_again(operations, commands, loads)
