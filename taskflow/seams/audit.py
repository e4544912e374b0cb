"""Actions of people and programs, and tests that they save: values that the history keeps and pages show. No I/O."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One action.

    Attributes:
        number: Its place in the order of all. Pass the smallest one as ``before`` to read what is older.
        actor: The person, the API key or the program that acted.
        origin: The address that the request came from, "" for none.
        action: An object and a verb, for example ``queue.pause``.
        target: The id of the thing.
        reason: The text that the person gave, "" for none.
    """

    number: int
    at: datetime
    actor: str
    origin: str
    action: str
    target: str
    reason: str


@dataclass(frozen=True, slots=True)
class Template:
    """A test that people have saved. ``document`` is JSON: what the page of tests makes of it is its own affair."""

    task_id: str
    name: str
    document: str
    saved_at: datetime
    saved_by: str


@dataclass(frozen=True, slots=True)
class RecentPayload:
    """The stored payload of one of a task's newest runs: JSON, or the address of a large one."""

    run_id: str
    status: str
    created_at: datetime
    payload: str
