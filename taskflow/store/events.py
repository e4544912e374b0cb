"""The stream of events of runs, and the consumer group that feeds the history from it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from redis.exceptions import ResponseError

from taskflow.errors import StoreUnavailableError
from taskflow.store.keys import EVENTS
from taskflow.store.operations.encoding import milliseconds, pairs
from taskflow.store.operations.operation import Operation
from taskflow.store.sync_store import Store
from taskflow.store.wire import locate

GROUP: Final = "history"
KEPT: Final = 200_000
"""About how many entries the scripts keep in a shard's stream (its MAXLEN)."""
_ALLOWED: Final = "#!lua flags=allow-oom\nreturn redis.pcall(unpack(ARGV))"
_TOGETHER: Final = """#!lua flags=allow-oom
local replies, place = {}, 1
while place <= #ARGV do
  local last = place + tonumber(ARGV[place])
  replies[#replies + 1] = redis.pcall(unpack(ARGV, place + 1, last))
  place = last + 1
end
return replies"""
_SEQUENCE_BITS: Final = 20


@dataclass(frozen=True, slots=True)
class Event:
    """One entry.

    ``kind`` is "status" (``value`` is it) or, with JSON, "log", "span", "trace", "hook", "metadata", "tags".
    """

    id: str
    run_id: str
    kind: str
    value: str

    @property
    def position(self) -> int:
        """The entry's id as a number that sorts in the same way."""
        return position(self.id)

    @property
    def at_ms(self) -> int:
        """The store's time at which it was written."""
        return self.position >> _SEQUENCE_BITS


@dataclass(frozen=True, slots=True)
class StreamState:
    """The positions of the stream and of its group: each that of an entry, 0 for none."""

    first: int
    last: int
    delivered: int
    trimmed: int
    read: int | None
    lag: int
    pending: int

    def has_lost_after(self, position: int) -> bool:
        """Whether entries behind a position were trimmed. Also true when exactly the entries up to it were."""
        return position < (self.first or self.last) and self.trimmed > 0

    @property
    def has_lost(self) -> bool:
        """Whether entries were trimmed before the group had them."""
        was_read = self.read is not None and self.trimmed <= self.read
        return self.delivered > 0 and not was_read and self.has_lost_after(self.delivered)


class GroupMissingError(Exception):
    """The store was emptied: the stream or its group does not exist."""


def position(entry_id: str) -> int:
    """Return the number of an entry id. Ids of one millisecond beyond a million share the last number."""
    milliseconds, _, sequence = entry_id.partition("-")
    return int(milliseconds) << _SEQUENCE_BITS | min(int(sequence or 0), (1 << _SEQUENCE_BITS) - 1)


def entry_id(number: int) -> str:
    """Return the entry id at a position."""
    return f"{number >> _SEQUENCE_BITS}-{number & (1 << _SEQUENCE_BITS) - 1}"


def event_of(entry_id: str, fields: Mapping[str, bytes]) -> Event:
    """Return the event of a stream entry."""
    run, kind, value = (fields.get(name, b"").decode(errors="replace") for name in ("run", "kind", "value"))
    return Event(entry_id, run, kind, value)


def read_record(run_id: str) -> Operation[dict[str, bytes] | None]:
    """Read the fields of a run's hash, None when the store has none."""
    return Operation("read_run", (run_id,), lambda code, value: dict(pairs(value)) if code == 1 else None)


def existing_runs(store: Store, run_ids: Sequence[str]) -> tuple[set[str], int]:
    """Return which of these runs the store has on any shard that may have them, and its time in milliseconds."""
    looks = [(run_id, shard) for run_id in run_ids for shard in locate(run_id, store.config.shards)]
    commands = [("EXISTS", f"{store.config.base(shard)}:run:{run_id}") for run_id, shard in looks]
    *counts, now = _checked(store.send([*commands, ("TIME",)]))
    there = {run_id for (run_id, _), count in zip(looks, counts, strict=True) if count}
    return there, int(now[0]) * 1000 + int(now[1]) // 1000


def count_set_aside(store: Store, shard: int) -> int:
    """Count a run that can't be written to the history. Return how many there have been on the shard."""
    (count,) = _checked(store.send([_even_when_full("HINCRBY", f"{store.config.base(shard)}:upkeep", "set_aside", 1)]))
    return int(count)


def read_set_aside(store: Store, shard: int) -> int:
    """Return how many runs could not be written to the history."""
    (count,) = _checked(store.send([("HGET", f"{store.config.base(shard)}:upkeep", "set_aside")]))
    return int(count or 0)


def _even_when_full(*command: str | int) -> tuple[str | int, ...]:
    """Return a command that a server takes although it has reached its ``maxmemory``.

    A run leaves the store after the history has it, so that a full store stays full when the feed stops.
    """
    return ("EVAL", _ALLOWED, 0, *command)


class EventGroup:
    """The consumer group of one shard's stream. Every method raises ``StoreUnavailableError`` without an answer."""

    def __init__(self, store: Store, shard: int) -> None:
        self._store = store
        self._shard = shard
        self._base = store.config.base(shard)
        self._key = f"{self._base}:{EVENTS}"

    def create(self) -> bool:
        """Make the group from the stream's beginning. Returns False when it existed."""
        (reply,) = self._store.send([_even_when_full("XGROUP", "CREATE", self._key, GROUP, "0", "MKSTREAM")])
        if isinstance(reply, ResponseError) and "BUSYGROUP" not in str(reply):
            raise StoreUnavailableError(str(reply))
        return not isinstance(reply, ResponseError)

    def state(self) -> StreamState:
        """Return the positions of stream and group.

        Raises:
            GroupMissingError: There is none.
        """
        stream, groups = _checked(self._store.send([self._info_stream(), self._info_groups()]))
        return _state(stream, groups)

    def read(self, consumer: str, count: int) -> tuple[StreamState, list[Event]]:
        """Read new entries, and the state just before in one script, so that no trimming comes between.

        Redis 7.0 refuses every transaction when it has reached its ``maxmemory``.

        Raises:
            GroupMissingError: There is no such group.
        """
        read = ("XREADGROUP", "GROUP", GROUP, consumer, "COUNT", count, "STREAMS", self._key, ">")
        commands = [self._info_stream(), self._info_groups(), read]
        together = [part for command in commands for part in (len(command), *command)]
        stream, groups, streams = _checked(_checked(self._store.send([("EVAL", _TOGETHER, 0, *together)]))[0])
        return _state(stream, groups), _events(streams[0][1] if streams else [])

    def claim(self, consumer: str, idle: timedelta, count: int) -> tuple[list[Event], bool]:
        """Take over entries that a consumer read and did not acknowledge within ``idle``.

        Returns:
            The entries, and whether some of them were trimmed meanwhile.
        """
        command = ("XAUTOCLAIM", self._key, GROUP, consumer, milliseconds(idle), "0", "COUNT", count)
        _, entries, deleted = _checked(self._store.send([command]))[0]
        return _events(entries), bool(deleted)

    def acknowledge(self, events: Sequence[Event]) -> None:
        """Acknowledge entries that the history has."""
        self._store.send([("XACK", self._key, GROUP, *(event.id for event in events))])

    def rewind(self, to: int) -> None:
        """Make the group deliver every entry after a position again."""
        _checked(self._store.send([("XGROUP", "SETID", self._key, GROUP, entry_id(to))]))

    def run_ids(self, count: int) -> Iterator[list[str]]:
        """Yield the ids of all live and finished runs, about ``count`` at a time, some of them twice."""
        for name in ("live", "finished"):
            cursor: bytes | str = "0"
            while True:
                command = ("ZSCAN", f"{self._base}:{name}", cursor, "COUNT", count)
                cursor, members = _checked(self._store.send([command]))[0]
                yield [member.decode() for member in members[::2]]
                if cursor in (b"0", "0"):
                    break

    def take_lead(self, consumer: str, hold: timedelta) -> bool:
        """Become or stay the reading node. Two at a time do no harm, because the group shares the entries out."""
        key, hold_ms = f"{self._base}:feeder", milliseconds(hold)
        holder, left_ms = _checked(
            self._store.send([_even_when_full("SET", key, consumer, "NX", "GET", "PX", hold_ms), ("PTTL", key)])
        )
        is_stale = int(left_ms) > hold_ms  # written before the store's clock was set back
        is_own = holder is not None and holder.decode() == consumer
        if is_own or is_stale:
            self._store.send([_even_when_full("SET", key, consumer, "PX", hold_ms)])
        return holder is None or is_own or is_stale

    def give_lead(self, consumer: str) -> None:
        """Let another node read at once."""
        key = f"{self._base}:feeder"
        (holder,) = self._store.send([("GET", key)])
        if isinstance(holder, bytes) and holder.decode() == consumer:
            self._store.send([("DEL", key)])

    def forget_consumers(self, idle: timedelta) -> None:
        """Remove consumers that hold no entries and have not read for ``idle``: nodes that ended."""
        for row in _checked(self._store.send([("XINFO", "CONSUMERS", self._key, GROUP)]))[0]:
            consumer = pairs(row)
            if not int(consumer["pending"]) and int(consumer["idle"]) > milliseconds(idle):
                self._store.send([("XGROUP", "DELCONSUMER", self._key, GROUP, consumer["name"])])

    def oldest_ms(self) -> tuple[int, int]:
        """Return the store's now and when the oldest entry that is not acknowledged was written (0: there is none)."""
        after = entry_id(self.state().delivered)
        commands = [
            ("TIME",),
            ("XPENDING", self._key, GROUP),
            ("XRANGE", self._key, f"({after}", "+", "COUNT", 1),
        ]
        time, pending, following = _checked(self._store.send(commands))
        ids = [pending[1], *(entry[0] for entry in following)]
        oldest = min((position(each.decode()) >> _SEQUENCE_BITS for each in ids if each), default=0)
        return int(time[0]) * 1000 + int(time[1]) // 1000, oldest

    def _info_stream(self) -> tuple[str, ...]:
        return ("XINFO", "STREAM", self._key)

    def _info_groups(self) -> tuple[str, ...]:
        return ("XINFO", "GROUPS", self._key)


def _checked(replies: list[Any]) -> list[Any]:
    for reply in replies:
        if isinstance(reply, ResponseError):
            if any(word in str(reply) for word in ("NOGROUP", "no such key", "requires the key to exist")):
                raise GroupMissingError(str(reply))
            raise StoreUnavailableError(str(reply)) from reply
    return replies


def _state(stream: Any, groups: Any) -> StreamState:
    about = _fields(stream)
    group = next((each for each in map(_fields, groups) if each["name"] == GROUP.encode()), None)
    if group is None:
        raise GroupMissingError(f"The stream has no group {GROUP!r}.")
    first, read, added, length = about["first-entry"], group["entries-read"], about["entries-added"], about["length"]
    return StreamState(
        first=position(first[0].decode()) if first else 0,
        last=position(about["last-generated-id"].decode()),
        delivered=position(group["last-delivered-id"].decode()),
        trimmed=added - length,
        read=read,
        lag=group["lag"] if group["lag"] is not None else length,
        pending=group["pending"],
    )


def _fields(flat: Any) -> dict[str, Any]:
    return {name.decode(): value for name, value in zip(flat[::2], flat[1::2], strict=True)}


def _events(entries: Any) -> list[Event]:
    return [event_of(name.decode(), _fields(flat)) for name, flat in entries]
