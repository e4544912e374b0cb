"""The tickets that scripts leave to their caller."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ticket:
    """A broker message with which a run may start, under a reservation number. ``trace``: its trace headers as JSON."""

    run_id: str
    task_id: str
    reservation: int
    queue: str
    argsrepr: str = ""
    trace: str = ""


def ticket(fields: Sequence[bytes]) -> Ticket:
    """Return a ticket that a script left to its caller."""
    run_id, task_id, reservation, queue, args, trace = fields
    return Ticket(run_id.decode(), task_id.decode(), int(reservation), queue.decode(), args.decode(), trace.decode())
