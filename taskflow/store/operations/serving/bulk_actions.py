"""The operations on bulk actions over HTTP: what is to be done, by whom, and how far it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, cast

from pydantic import TypeAdapter

from taskflow.definition.calls.bulk import BulkKind
from taskflow.definition.calls.run_filter import RunFilter
from taskflow.errors import BulkActionNotFoundError
from taskflow.models import BulkStatus
from taskflow.store.operations.encoding import instant, milliseconds, pairs
from taskflow.store.operations.operation import Operation

_LEASE: Final = timedelta(seconds=20)
"""The time in which the performer of an action writes again, else another process goes on with it."""
_SEARCH: Final = timedelta(minutes=10)
"""The same while the action's runs are searched: a million runs take some minutes."""
_FILTERS: Final = TypeAdapter(list[RunFilter])


@dataclass(frozen=True, slots=True)
class BulkProgress:
    """A bulk action. ``total`` is None while its runs are searched."""

    id: str
    kind: BulkKind
    status: BulkStatus
    created_at: datetime
    name: str = ""
    total: int | None = None
    success: int = 0
    failure: int = 0
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ClaimedBulk:
    """A bulk action with what its performer needs.

    Attributes:
        by: Who began it.
        filters: The filters of which its runs match one, while they are not searched.
        claim: From 1. A higher one means that another process performed parts of it.
    """

    progress: BulkProgress
    by: str
    filters: Sequence[RunFilter]
    claim: int


def begin_bulk_action(
    action_id: str, kind: BulkKind, selected: Sequence[str] | Sequence[RunFilter], *, name: str = "", by: str = ""
) -> Operation[bool]:
    """Make the record of an action on runs, by their ids or by filters. Reads as whether this call made it."""
    filters = [each for each in selected if isinstance(each, RunFilter)]
    run_ids = dict.fromkeys(each for each in selected if isinstance(each, str))
    document = _FILTERS.dump_json(filters) if filters else b""
    lease = milliseconds(_SEARCH if filters else _LEASE)
    return Operation(
        "begin_bulk_action", (action_id, kind, name, by, document, lease, *run_ids), lambda code, _: code == 1
    )


def claim_bulk_action() -> Operation[ClaimedBulk | None]:
    """Claim an action whose performer is gone. Reads as None when there is none."""

    def read(code: int, value: Any) -> ClaimedBulk | None:
        if not code:
            return None
        return _claimed(value[0].decode(), pairs(value[1:]))

    return Operation("claim_bulk_action", (milliseconds(_LEASE), milliseconds(_SEARCH)), read)


def plan_bulk_action(
    action_id: str, claim: int, before: int, run_ids: Sequence[str], *, is_last: bool
) -> Operation[bool]:
    """Write ids of runs behind the first ``before`` of them. Reads as whether the claim still holds."""
    args = (action_id, claim, before, "1" if is_last else "", milliseconds(_LEASE), *run_ids)
    return Operation("plan_bulk_action", args, lambda code, _: code == 1)


def advance_bulk_action(
    action_id: str, claim: int, *, success: int, failure: int, size: int
) -> Operation[Sequence[str]]:
    """Note how far an action is. Reads as the ids of its next part: none when the action or the claim has ended."""

    def read(code: int, value: Any) -> Sequence[str]:
        return [each.decode() for each in value] if code else []

    args = (action_id, claim, success, failure, size, milliseconds(_LEASE))
    return Operation("advance_bulk_action", args, read)


def read_bulk_actions(action_id: str = "", *, is_to_stop: bool = False) -> Operation[list[BulkProgress]]:
    """Read one action, or all that are remembered, newest first.

    Args:
        is_to_stop: End the action before its next part.

    Raises (when read):
        BulkActionNotFoundError: No such action.
    """

    def read(_: int, value: Any) -> list[BulkProgress]:
        if action_id and not value:
            raise BulkActionNotFoundError(action_id)
        return [_progress(row[0].decode(), pairs(row[1:])) for row in value]

    return Operation("read_bulk_actions", (action_id, "1" if is_to_stop else ""), read)


def _claimed(action_id: str, fields: Mapping[str, bytes]) -> ClaimedBulk:
    filters = _FILTERS.validate_json(fields["filters"]) if fields["filters"] else ()
    return ClaimedBulk(_progress(action_id, fields), fields["by"].decode(), filters, int(fields["claim"]))


def _progress(action_id: str, fields: Mapping[str, bytes]) -> BulkProgress:
    status = BulkStatus(fields["status"].decode())
    return BulkProgress(
        id=action_id,
        kind=cast("BulkKind", fields["kind"].decode()),
        status=status,
        created_at=instant(fields["created"]),
        name=fields["name"].decode(),
        total=int(fields["total"]) if fields["total"] else None,
        success=int(fields["success"]),
        failure=int(fields["failure"]),
        finished_at=None if status is BulkStatus.PENDING else instant(fields["written"]),
    )
