"""Commands, replies, ids and shards: everything that both shells share. No I/O."""

import hashlib
import os
import re
import secrets
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from taskflow.errors import RunNotFoundError, TaskflowError
from taskflow.store.connections.scripts import script
from taskflow.store.operations.encoding import milliseconds
from taskflow.store.operations.operation import Operation
from taskflow.store.operations.queues import note_refusal
from taskflow.store.operations.tickets import Ticket, ticket
from taskflow.texts import is_encodable

ResultT = TypeVar("ResultT")
_REFUSAL = 500
_BATCH_ID = re.compile(r"batch_([0-9a-f]{2})[0-9a-f]{31}")
_DELIVERY_ID = re.compile(r"delivery_([0-9a-f]{2})[0-9a-f]{31}")
_TOKEN_ID = re.compile(r"token_([0-9a-f]{2})[0-9a-f]{32}")
_RUN_ID = re.compile(r"run_([0-9a-f]{2})[0-9a-f]{11}[0-9a-f]{20}")


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """The address of the store, and the settings that its scripts need.

    Attributes:
        push_prefix: Prefix of the broker's lists (kombu's ``global_keyprefix``) when scripts push tickets themselves
            because broker and store are one server; None when the caller publishes.
        replicas: How many replicas must have a run before its trigger returns.
        clock: Microseconds for tests; None for the server's own clock.
    """

    url: str
    environment: str
    shards: int = 1
    timeout: timedelta = timedelta(seconds=5)
    reservation_timeout: timedelta = timedelta(seconds=30)
    retention: timedelta = timedelta(hours=24)
    max_lost: int = 10
    push_prefix: str | None = None
    replicas: int = 0
    clock: Callable[[], int] | None = None

    def base(self, shard: int) -> str:
        """Return the hash tag under which every key of a shard lives."""
        return f"{{tf:{self.environment}:{shard}}}"


class Wire:
    """Turns operations into commands and replies into results."""

    def __init__(self, config: StoreConfig) -> None:
        self._config = config
        self._bases = [config.base(shard).encode() for shard in range(config.shards)]
        delivery = "" if config.push_prefix is None else f"+{config.push_prefix}"
        self._header: tuple[bytes | int, ...] = (
            delivery.encode(),
            config.environment.encode(),
            milliseconds(config.reservation_timeout),
            milliseconds(config.retention),
            config.max_lost,
        )

    def command(self, operation: Operation[Any], shard: int) -> tuple[bytes | str | int | float, ...]:
        """Return the FCALL command of an operation."""
        clock = self._config.clock
        now = b"" if clock is None else clock()
        return ("FCALL", script(operation.script).function, 1, self._bases[shard], now, *self._header, *operation.args)

    def read(self, operation: Operation[ResultT], reply: Sequence[Any]) -> tuple[ResultT, list[Ticket]]:
        """Return the result and the tickets that the caller must publish. Raises the errors of ``operation.read``."""
        code, value, outbox = reply
        result = operation.read(code, value)
        return result, [ticket(fields) for fields in outbox if len(fields) > 1] if outbox else []

    def refusals(self, tickets: Sequence[Ticket], error: Exception) -> list[tuple[Operation[Any], int]]:
        """Return the operations, with their shards, that keep what the broker said when it refused tickets."""
        said = str(error)[:_REFUSAL].encode(errors="replace").decode()
        places = {(ticket.queue, shard_of_run(ticket.run_id) or 0) for ticket in tickets}
        return [(note_refusal(queue, said), min(shard, len(self._bases) - 1)) for queue, shard in places]

    def ended(self, reply: Sequence[Any]) -> list[str]:
        """Return the runs of a reply that ended and have a Celery canvas to apply."""
        return [fields[0].decode() for fields in reply[2] if len(fields) == 1]

    def read_many(
        self, operations: Sequence[Operation[Any]], replies: Sequence[Sequence[Any] | TaskflowError]
    ) -> tuple[list[Any], list[Ticket]]:
        """Return each operation's result, or its error, and the tickets that the caller must publish."""
        results: list[Any] = []
        tickets: list[Ticket] = []
        for operation, reply in zip(operations, replies, strict=True):
            if isinstance(reply, TaskflowError):
                results.append(reply)
                continue
            code, value, outbox = reply
            tickets += [ticket(fields) for fields in outbox if len(fields) > 1]
            try:
                results.append(operation.read(code, value))
            except TaskflowError as error:
                results.append(error)
        return results, tickets

    def read_stream(self, name: str, after: str, shard: int, block_ms: int | None, count: int) -> tuple[str | int, ...]:
        """Return the XREAD command of a stream under a shard."""
        block: tuple[str | int, ...] = () if block_ms is None else ("BLOCK", block_ms)
        return ("XREAD", "COUNT", count, *block, "STREAMS", f"{self._config.base(shard)}:{name}", after)

    def last_stream_entry(self, name: str, shard: int) -> tuple[str | int, ...]:
        """Return the command that reads a stream's newest entry."""
        return ("XREVRANGE", f"{self._config.base(shard)}:{name}", "+", "-", "COUNT", 1)


def new_run_id(shard: int) -> str:
    """Return a new run id: ``run_``, two hex digits of shard, 11 of milliseconds, 20 random."""
    return f"run_{shard:02x}{time.time_ns() // 1_000_000:011x}{_random_digits()}"


_digits: list[str] = []
os.register_at_fork(after_in_child=_digits.clear)


def _random_digits() -> str:
    """Return 20 random hex digits. They are read from the system in blocks, because each read is a system call."""
    while True:
        try:
            return _digits.pop()
        except IndexError:
            block = os.urandom(640).hex()
            _digits.extend(block[start : start + 20] for start in range(0, len(block), 20))


def derived_run_id(shard: int, text: str) -> str:
    """Return the run id that follows from a text, always the same."""
    return f"run_{shard:02x}{hashlib.sha256(text.encode()).hexdigest()[:31]}"


def shard_of_run(run_id: str) -> int | None:
    """Return the shard that a run id names; None for an adopted run, whose id Celery made.

    Raises:
        RunNotFoundError: No run can have that id: it is not text, or not one that UTF-8 can express.
    """
    if not isinstance(run_id, str):  # pyright: ignore[reportUnnecessaryIsInstance] - callers without types
        raise RunNotFoundError(run_id)
    match = _RUN_ID.fullmatch(run_id)
    if match:
        return int(match.group(1), 16)
    if not is_encodable(run_id):
        raise RunNotFoundError(run_id)
    return None


def locate(run_id: str, shards: int) -> Sequence[int]:
    """Return the shards to ask about a run: the one that its id names, or all for an adopted run."""
    named = shard_of_run(run_id)
    return range(shards) if named is None or named >= shards else (named,)


def new_batch_id(key: str, shards: int) -> str:
    """Return a batch id: that of an idempotency key, or a new one for "". It names a shard, as a run's id does."""
    name = hashlib.sha256(key.encode()).hexdigest()[:31] if key else new_run_id(0)[6:]
    return f"batch_{shard_of_queue(name, shards):02x}{name}"


def shard_of_batch(batch_id: object) -> int | None:
    """Return the shard that a batch id names; None for other text."""
    match = _BATCH_ID.fullmatch(batch_id) if isinstance(batch_id, str) else None
    return int(match.group(1), 16) if match else None


def new_token_id(shard: int) -> str:
    """Return a new token id: ``token_``, two hex digits of shard, 32 random. With the id, a caller may complete it."""
    return f"token_{shard:02x}{secrets.token_hex(16)}"


def shard_of_token(token_id: str) -> int | None:
    """Return the shard that a token id names; None for other text."""
    match = _TOKEN_ID.fullmatch(token_id)
    return int(match.group(1), 16) if match else None


def new_delivery_id(shard: int) -> str:
    """Return a new id of a webhook's delivery: ``delivery_`` and the form of a run's id behind that."""
    return f"delivery_{new_run_id(shard).removeprefix('run_')}"


def shard_of_delivery(delivery_id: str) -> int | None:
    """Return the shard that the id of a delivery names; None for other text."""
    match = _DELIVERY_ID.fullmatch(delivery_id)
    return int(match.group(1), 16) if match else None


def is_missing(reply: Sequence[Any]) -> bool:
    """Whether a reply means that the shard does not have the run, so that another may have it."""
    return bool(reply[0] == 0 and reply[1] == b"MISSING")


def names_no_run(error: TaskflowError) -> bool:
    """Whether the error of an operation means that there is no such run on this shard."""
    return isinstance(error, RunNotFoundError) or getattr(error, "status", "") == "MISSING"


def shard_of_queue(queue: str, shards: int) -> int:
    """Return the shard on which a queue lives."""
    return zlib.crc32(queue.encode()) % shards if shards > 1 else 0
