"""The operations of waits."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from taskflow.errors import RunNotFoundError, StaleClaimError
from taskflow.models import RunStatus
from taskflow.seams.waits import Instant, Waiter
from taskflow.store.operations.encoding import due_text
from taskflow.store.operations.journal import entries_json
from taskflow.store.operations.operation import Operation


class OpenedWait(NamedTuple):
    """A wait to open: its name within the run, its items, when time completes its one item, and its kind and name."""

    name: str
    items: int
    due: Instant | None = None
    what: str = "duration"


@dataclass(frozen=True, slots=True)
class DoneWaits:
    """The waits of a run that are done, with the JSON of their items, and the claim under which its code goes on."""

    status: RunStatus
    claim: int
    values: dict[str, Sequence[bytes]]


def wait_run(
    run_id: str,
    claim: int,
    opened: Sequence[OpenedWait],
    parked_on: Sequence[str] | None = None,
    *,
    forgotten: Sequence[str] = (),
    is_durable: bool = False,
    entries: Mapping[str, bytes] | None = None,
) -> Operation[str]:
    """Open waits and, with ``parked_on``, let the run wait until one of those is done.

    Reads as "OPEN", "WAITING", or "DONE" when one of them is done and the run did not stop executing.

    Args:
        forgotten: Waits whose values the code has read.
        is_durable: The waits outlive the attempt.
        entries: Entries of the run's journal to write with them.

    Raises (when read):
        StaleClaimError: The claim has ended.
    """
    waits = [(wait.name, wait.items, due_text(wait.due), wait.what) for wait in opened]
    names = "" if parked_on is None else json.dumps(list(parked_on))

    def read(code: int, value: bytes) -> str:
        if code == 0:
            raise StaleClaimError(run_id, claim, value.decode())
        return value.decode()

    kept = entries_json(entries or {})
    return Operation("wait_run", (run_id, claim, json.dumps(waits), names, int(is_durable), kept, *forgotten), read)


def resume_run(run_id: str, claim: int) -> Operation[bool]:
    """Resume a waiting run although no wait is done. Reads as whether it waited under this claim."""
    return Operation("resume_run", (run_id, claim), lambda code, _: code == 1)


def read_waits(run_id: str, names: Sequence[str], *, claim: int | None = None) -> Operation[DoneWaits]:
    """Read which of a run's waits are done.

    Args:
        claim: The claim under which the calling code waits or executes.

    Raises (when read):
        RunNotFoundError: No such run.
        StaleClaimError: That claim has ended and the newer one belongs to other code; or there is no such run.
    """

    def read(code: int, value: Any) -> DoneWaits:
        if code == 0:
            raise RunNotFoundError(run_id) if claim is None else StaleClaimError(run_id, claim, value.decode())
        status, newest, *done = value
        return DoneWaits(
            RunStatus(status.decode()), int(newest or 0), {name.decode(): tuple(values) for name, values in done}
        )

    return Operation("read_waits", (run_id, "" if claim is None else claim, *names), read)


def close_waits(run_id: str, claim: int, names: Sequence[str]) -> Operation[bool]:
    """Forget waits that the code does not wait for any more. Reads as whether the claim was valid."""
    return Operation("close_waits", (run_id, claim, *names), lambda code, _: code == 1)


def complete_item(waiter: Waiter, value: bytes) -> Operation[int]:
    """Complete an item of a wait, once."""
    return Operation("complete_item", (waiter.run_id, waiter.wait, waiter.index, value), lambda _, value: int(value))


def read_waiters(run_id: str) -> Operation[tuple[bytes, list[Waiter]]]:
    """Read the outcome of a run as JSON, and its waiters on other shards."""

    def read(_: int, value: Any) -> tuple[bytes, list[Waiter]]:
        return value[0], [_waiter(text.decode()) for text in value[1:]]

    return Operation("read_waiters", (run_id,), read)


def _waiter(text: str) -> Waiter:
    run_id, wait, index = text.rsplit("\n", 2)  # an adopted run's id may hold line breaks
    return Waiter(run_id, wait, int(index))
